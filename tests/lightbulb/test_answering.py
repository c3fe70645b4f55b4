"""Tables in a client's process answer as a Lightbulb does; a client gets the part that it takes. Pure."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightbulb.ads.values import (
    ACTIVE_GENERATION,
    OBJECTIVE_CONTROL,
    OBJECTIVE_TABLES,
    SIDECAR_STATE,
    CommitStamp,
    Takes,
)
from lightbulb.errors import LightbulbError, Unavailable
from lightbulb.model import NO_GENERATION, ActiveGeneration, RequestContext, SidecarState
from lightbulb.resolution.resolve import Resolver
from lightbulb.rpc import limits
from lightbulb.rpc.answer import Answer, Origin, Query
from lightbulb.rpc.messages import answer_from_proto, request_to_proto
from lightbulb.service.responder import Responder
from lightbulb.tables.answering import Answering
from lightbulb.tables.offer import Asker, Offer, Parts
from lightbulb.tables.values import EMPTY_TABLES, Tables, Timeline
from lightbulb.v1 import lightbulb_pb2 as pb
from tests.ads.scripted_server import resource
from tests.lightbulb.anything import contexts
from tests.lightbulb.tables import OBJECTIVE, TABLE

OTHER = "Other"
TABLES = replace(
    EMPTY_TABLES,
    objectives={
        OBJECTIVE: Timeline((0, 5), (Resolver(TABLE), Resolver(replace(TABLE, cache_lifetime=30.0)))),
        OTHER: Timeline((0,), (Resolver(replace(TABLE, objective=OTHER)),), tenant="payments"),
    },
    generations={
        "default": ActiveGeneration(number=6, content_hash="h", oldest=4),
        "payments": ActiveGeneration(number=3, content_hash="h", tenant="payments"),
    },
    sidecars={
        "behind": SidecarState(generation=4),
        "lost": SidecarState(generation=NO_GENERATION),
    },
)
USER = RequestContext(user_id="u", country="US")


def in_process(query: Query, sidecar: str = "", tables: Tables = TABLES) -> Answer:
    return answering(tables, sidecar)(query)


def answering(tables: Tables, sidecar: str = "") -> Callable[[Query], Answer]:
    made = Answering("lab", sidecar)
    return lambda query: made.answer(
        tables, query.objective, query.context, query.override_model, explain=query.explain
    )


def over_the_wire(query: Query, sidecar: str = "") -> Answer:
    data = request_to_proto(query, "lab", sidecar).SerializeToString()
    response = pb.ResolveResponse.FromString(Responder(lambda: TABLES).resolve(data))
    return replace(answer_from_proto(response), origin=Origin.TABLES)


def outcome(ask: Any, *arguments: Any) -> Any:
    """What came of it: an answer, or an error's kind, text and path."""
    try:
        return ask(*arguments)
    except LightbulbError as error:
        return type(error), str(error), error.path, error.about


@given(context=contexts, explain=st.booleans(), override=st.sampled_from(["", "next", "kids", "cell-2@1"]))
def test_any_context_is_answered_alike(context: RequestContext, explain: bool, override: str) -> None:
    query = Query(objective=OBJECTIVE, context=context, override_model=override, explain=explain)
    assert outcome(in_process, query) == outcome(over_the_wire, query)


@pytest.mark.parametrize("sidecar", ["", "behind", "lost", "unknown"])
@pytest.mark.parametrize("objective", [OBJECTIVE, OTHER, "Othr", ""])
def test_a_callers_sidecar_says_which_generation_answers(objective: str, sidecar: str) -> None:
    query = Query(objective=objective, context=USER)
    assert outcome(in_process, query, sidecar) == outcome(over_the_wire, query, sidecar)


@pytest.mark.parametrize(
    "context",
    [
        RequestContext(user_id=""),
        RequestContext(user_id="u" * 257),
        RequestContext(user_id="é" * 256),
        RequestContext(user_id="\ud800"),
        RequestContext(user_id=None),
        RequestContext(user_id=7),
        RequestContext(user_id="u", country="x" * 65, device="y" * 65),
        RequestContext(user_id="u", country="x" * 129),
        RequestContext(user_id="u", allocations={"12345": 2}),
        RequestContext(user_id="u", allocations={"12345": "2"}),
        *(
            RequestContext(user_id="u", attributes=attributes)
            for attributes in (
                {"country": "US"},
                {"": "x"},
                {"n" * 129: "x"},
                {"a": ""},
                {"a": "x" * 1025},
                {"a": True, "b": 1, "c": 1.5, "d": "x"},
                {"a": math.nan},
                {"a": 2**63},
                {"a": -(2**63)},
                {"a": None},
                {"a": b"x"},
                {"a": ["x", 1, True]},
                {"a": ("x",) * 65},
                {"beta": "\ud800"},
                {str(number): number for number in range(65)},
                [("a", 1)],
            )
        ),
    ],
    ids=repr,
)
def test_a_context_at_the_limits_is_taken_or_refused_alike(context: RequestContext) -> None:
    query = Query(objective=OBJECTIVE, context=context)
    assert outcome(in_process, query) == outcome(over_the_wire, query)


@pytest.mark.parametrize("wrong", [{"objective": None}, {"objective": ["x"]}, {"override_model": None}])
def test_a_query_of_no_text_is_refused_alike(wrong: dict[str, Any]) -> None:
    query = replace(Query(objective=OBJECTIVE, context=USER), **wrong)
    assert outcome(in_process, query) == outcome(over_the_wire, query)
    assert not isinstance(outcome(in_process, query), Answer)


def test_equal_answers_of_a_generation_are_one_object_until_tables_change() -> None:
    made = Answering("", "")
    first = made.answer(TABLES, OBJECTIVE, USER)
    assert made.answer(TABLES, OBJECTIVE, USER) is first
    others = replace(TABLES, sidecars={})
    assert made.answer(others, OBJECTIVE, USER) is not first
    assert made.answer(others, OBJECTIVE, USER) == first


def test_without_tables_it_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="no tables have come yet"):
        in_process(Query(objective=OBJECTIVE, context=USER), tables=EMPTY_TABLES)


HELD = {
    OBJECTIVE_TABLES: {name: resource(name, name.encode()) for name in (OBJECTIVE, OTHER)},
    OBJECTIVE_CONTROL: {OTHER: resource(OTHER, b"control")},
    SIDECAR_STATE: {name: resource(name, b"state") for name in ("behind", "lost")},
    ACTIVE_GENERATION: {name: resource(name, b"6") for name in ("active", "active/payments")},
}
OFFER = Offer(held=HELD, tables=TABLES, stamp=CommitStamp("store", 7))


def names(offer: Offer, asker: Asker, parts: Parts | None = None) -> dict[str, list[str]]:
    part = (parts or Parts()).of(offer, asker)
    return {type_url.rpartition(".")[2]: sorted(named) for type_url, named in part.by_type.items()}


def test_a_client_gets_what_it_takes_and_its_own_sidecar() -> None:
    assert names(OFFER, Asker(Takes(objectives=frozenset({OTHER})), "behind")) == {
        "ObjectiveTables": [OTHER],
        "ObjectiveControl": [OTHER],
        "SidecarState": ["behind"],
        "ActiveGeneration": ["active/payments"],
    }
    assert names(OFFER, Asker(Takes(tenants=frozenset({"default"})), "")) == {
        "ObjectiveTables": [OBJECTIVE],
        "ObjectiveControl": [],
        "SidecarState": [],
        "ActiveGeneration": ["active"],
    }
    everything = names(OFFER, Asker(Takes(), "lost"))
    assert everything["ObjectiveTables"] == [OBJECTIVE, OTHER]
    assert everything["SidecarState"] == ["lost"]


def test_a_client_of_what_isnt_there_learns_that_something_is() -> None:
    assert names(OFFER, Asker(Takes(objectives=frozenset({"Nope"})), "")) == {
        "ObjectiveTables": [],
        "ObjectiveControl": [],
        "SidecarState": [],
        "ActiveGeneration": ["active", "active/payments"],
    }


def test_a_part_that_is_as_it_was_is_the_same_object() -> None:
    parts, asker = Parts(), Asker(Takes(objectives=frozenset({OBJECTIVE})), "")
    before = parts.of(OFFER, asker)
    assert parts.of(OFFER, asker) is before
    others = replace(OFFER, held={**HELD, OBJECTIVE_CONTROL: {OTHER: resource(OTHER, b"another")}})
    assert parts.of(others, asker) is before
    own = replace(OFFER, held={**HELD, ACTIVE_GENERATION: {"active": resource("active", b"7")}})
    after = parts.of(own, asker)
    assert after is not before
    assert after.of(OBJECTIVE_TABLES) is before.of(OBJECTIVE_TABLES)
    newer = parts.of(replace(own, stamp=CommitStamp("store", 8)), asker)
    assert newer.stamp == CommitStamp("store", 8)


def test_what_is_remembered_of_contexts_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_KNOWN", 3)
    limits._known_fields.clear()
    limits._known_names.clear()
    for number in [*range(10), *range(10)]:
        context = RequestContext(user_id="u", country=f"c{number}", attributes={f"a{number}": "x"})
        assert limits.checked_context(context, OBJECTIVE, "") is context
        assert 0 < len(limits._known_fields) <= 3
        assert 0 < len(limits._known_names) <= 3
