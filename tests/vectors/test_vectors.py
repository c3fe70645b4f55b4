"""Conditions of other systems mean here what they mean there, by their own evaluation vectors.

The data is what they publish (README.md); each vector that isn't answered alike stands in
`differences.json`, with the reason.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from controlplane.rules.condition import read_condition
from lightbulb.model import AttributeValue, RequestContext
from lightbulb.resolution.codec import condition_from_proto, condition_to_proto
from lightbulb.resolution.conditions import compile_condition
from lightbulb.v1 import table_pb2
from tests.vectors import peers

HERE = Path(__file__).parent
DIFFERENCES: Mapping[str, Mapping[str, list[str]]] = json.loads((HERE / "differences.json").read_text())
"""Peer -> reason -> names of the vectors that are answered otherwise for it, on purpose."""


class Refused(Exception):
    """What a peer takes as a condition is refused here."""


def vectors(peer: str) -> list[list[Any]]:
    return json.loads((HERE / f"{peer}.json").read_text())


def meets(written: peers.Written, attributes: Mapping[str, AttributeValue], user: str = "") -> bool:
    """Return the outcome of a condition as a Lightbulb has it: read, sent, received, compiled."""

    def complain(path: str, message: str, remedy: str) -> Exception:
        return Refused(f"{path}: {message}; {remedy}")

    condition = read_condition(written, "when", complain)
    body = condition_to_proto(condition).SerializeToString(deterministic=True)
    received = table_pb2.Condition()
    received.ParseFromString(body)
    assert condition_from_proto(received) == condition
    return compile_condition(condition_from_proto(received))(
        RequestContext(user_id=user, attributes=attributes)
    )


def of_unleash(condition: Any, context: Any) -> bool:
    attributes = peers.unleash_context(condition, context)
    return meets(peers.unleash(condition), attributes, str(context.get("userId", "")))


def of_launchdarkly(condition: Any, context: Any) -> bool:
    sent = {name: value for name, value in context.items() if value is not None}
    return meets(peers.launchdarkly(condition), sent)


def of_flagd(targeting: Any, context: Any) -> str:
    for written, outcome in peers.flagd(targeting):
        if not written or meets(written, context):
            return outcome
    raise AssertionError


def of_growthbook(condition: Any, context: Any) -> bool:
    return meets(peers.growthbook(condition), peers.growthbook_context(context))


ANSWERS: Mapping[str, Callable[[Any, Any], bool | str]] = {
    "unleash": of_unleash,
    "launchdarkly": of_launchdarkly,
    "flagd": of_flagd,
    "growthbook": of_growthbook,
}


def answer(peer: str, condition: Any, context: Any) -> bool | str:
    try:
        return ANSWERS[peer](condition, context)
    except Refused as refused:
        return f"refused: {refused}"
    except peers.Unmapped as unmapped:
        return f"unmapped: {unmapped}"


@pytest.mark.parametrize("peer", ANSWERS)
def test_a_peers_vectors_are_answered_alike_but_for_those_that_are_named(peer: str) -> None:
    other = {}
    for name, condition, context, expected in vectors(peer):
        ours = answer(peer, condition, context)
        if ours != expected:
            other[name] = f"{ours}, there {expected}"
    named = {name for names in DIFFERENCES[peer].values() for name in names}
    assert {name: said for name, said in other.items() if name not in named} == {}
    assert named - set(other) == set()  # none that is answered alike by now


@pytest.mark.parametrize(
    ("peer", "alike", "otherwise"),
    [("unleash", 133, 19), ("launchdarkly", 64, 15), ("flagd", 12, 5), ("growthbook", 184, 51)],
)
def test_so_many_vectors_are_answered_alike(peer: str, alike: int, otherwise: int) -> None:
    names = [name for name, *_ in vectors(peer)]
    named = [name for others in DIFFERENCES[peer].values() for name in others]
    assert len(set(names)) == len(names)
    assert (len(names) - len(named), len(named)) == (alike, otherwise)
    assert set(named) <= set(names)
