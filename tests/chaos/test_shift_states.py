"""How the chaos harness judges answers while a shift comes and goes."""

from dataclasses import replace

import pytest

from chaos.load import Outcome
from chaos.shift import CANDIDATE, MODEL, OBJECTIVE, VERSION
from chaos.shift_states import SHARE, Shares
from lightbulb.model import RequestContext, model_id, routing_key
from lightbulb.resolution.resolve import Resolver
from tests.lightbulb import tables

DEFAULT = model_id(MODEL, "1")
TABLE = replace(
    tables.TABLE,
    objective=OBJECTIVE,
    models=tuple(
        replace(tables.target(MODEL, version), routing_key=routing_key(OBJECTIVE, MODEL, version))
        for version in ("1", VERSION)
    ),
    overrides=(),
    ab_rules=(),
    context_rules=(),
    shifts=(),
)
BEGUN, STANDS, ABORTED, CLEARED = 10.0, 20.0, 30.0, 40.0


def shares() -> Shares:
    it = Shares(Resolver(TABLE), number=7)
    for at, may_be in [(BEGUN, {0, SHARE}), (STANDS, {SHARE}), (ABORTED, {0, SHARE}), (CLEARED, {0})]:
        it.marks.append((at, frozenset(may_be)))
    return it


def user(*, shifted: bool) -> str:
    users = (RequestContext(user_id=f"user-{number}") for number in range(100))
    return next(each.user_id for each in users if (shares().model(SHARE, each) == CANDIDATE) is shifted)


def outcome(began: float, ended: float, resolved: str, *, shifted: bool = True, **rest: str) -> Outcome:
    return Outcome(
        began=began,
        ended=ended,
        sidecar="sidecar-1",
        objective=OBJECTIVE,
        user=user(shifted=shifted),
        generation=1,
        resolved=resolved,
        answered_by=rest.get("answered_by", resolved),
        shard="",
        error=rest.get("error", ""),
    )


@pytest.mark.parametrize(
    ("began", "ended", "right"),
    [
        (BEGUN - 2, BEGUN - 1, {DEFAULT}),
        (BEGUN - 1, BEGUN + 1, {DEFAULT, CANDIDATE}),
        (STANDS + 1, STANDS + 2, {CANDIDATE}),
        (STANDS + 1, ABORTED + 1, {DEFAULT, CANDIDATE}),
        (ABORTED + 1, CLEARED + 1, {DEFAULT, CANDIDATE}),
        (CLEARED + 1, CLEARED + 2, {DEFAULT}),
    ],
)
def test_who_is_shifted_may_be_answered_by_either_only_while_one_share_follows_another(
    began: float, ended: float, right: set[str]
) -> None:
    it = shares()
    fine = {each for each in (DEFAULT, CANDIDATE) if not it.wrong(outcome(began, ended, each))}
    assert fine == right
    assert not it.wrong(outcome(began, ended, DEFAULT, shifted=False))
    assert it.wrong(outcome(began, ended, CANDIDATE, shifted=False)).startswith("misrouted: ")


def test_another_model_than_was_resolved_is_wrong_and_so_is_an_error() -> None:
    it = shares()
    at = outcome(STANDS + 1, STANDS + 2, CANDIDATE)
    assert it.wrong(replace(at, answered_by=DEFAULT)).startswith("misrouted: ")
    assert it.wrong(replace(at, error="UNAVAILABLE: x")) == "failed: UNAVAILABLE: x"
