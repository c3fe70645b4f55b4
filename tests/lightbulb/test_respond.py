"""Requests in bytes, answers in bytes, refusals that say what to do."""

import math
import operator
from dataclasses import replace

import grpc
import pytest
from hypothesis import assume, given

from lightbulb.errors import InvalidContext, LightbulbError, OverrideRefused, Unavailable, UnknownObjective
from lightbulb.model import (
    DEFAULT_TENANT,
    NO_GENERATION,
    ActiveGeneration,
    AttributeValue,
    RequestContext,
    SidecarState,
)
from lightbulb.resolution.resolve import Allocation, Reason, Resolver
from lightbulb.rpc.answer import Query, make_answer
from lightbulb.rpc.messages import answer_from_proto, answer_to_proto, context_from_proto, request_to_proto
from lightbulb.rpc.status import error_to_proto
from lightbulb.service.responder import NEIGHBOURS, Responder
from lightbulb.tables.values import EMPTY_TABLES, IN_STEP, Tables, Timeline
from lightbulb.v1 import lightbulb_pb2 as pb
from lightbulb.v1 import table_pb2
from tests.lightbulb import anything
from tests.lightbulb.tables import OBJECTIVE, TABLE

OBJECTIVES = (OBJECTIVE, "PaymentFraudDetection", "SearchRanking")
TABLES = Tables(
    objectives={name: Timeline((0,), (Resolver(replace(TABLE, objective=name)),)) for name in OBJECTIVES},
    sidecars={},
    generations={DEFAULT_TENANT: ActiveGeneration(number=7, content_hash="h")},
)
CELL_3 = {"12345": 3}


def request(user_id: str = "u", objective: str = OBJECTIVE, **rest) -> pb.ResolveRequest:
    own = {
        name: rest.pop(name) for name in ("override_model", "client", "explain", "sidecar") if name in rest
    }
    return pb.ResolveRequest(objective=objective, context=pb.RequestContext(user_id=user_id, **rest), **own)


def respond(message: pb.ResolveRequest, tables: Tables = TABLES) -> pb.ResolveResponse:
    return pb.ResolveResponse.FromString(Responder(lambda: tables).resolve(message.SerializeToString()))


def several(*values: str) -> table_pb2.Value:
    return table_pb2.Value(list_value=table_pb2.ValueList(values=map(text, values)))


def text(value: str) -> table_pb2.Value:
    return table_pb2.Value(string_value=value)


def test_an_answer_says_all_that_a_client_needs() -> None:
    answer = answer_from_proto(respond(request(country="US", allocations={"12345": 2})))
    config = answer.objective_config
    assert answer.routing_key == f"{OBJECTIVE}|cell-2|1"
    assert (answer.generation, answer.cache_lifetime, answer.deadline) == (7, 60.0, 0.25)
    assert (answer.reason, answer.steps) == (Reason.AB_TEST, ())
    assert (config.model, config.model_version, config.model_type) == ("cell-2", "1", "SCORER")
    assert (config.objective, config.input_type) == (OBJECTIVE, "TITLE_INPUT_TYPE")
    assert config.parameters == {"limit": 20, "boost": 0.5, "explore": True, "note": "x"}
    assert config.allocations == (Allocation(test_id="12345", cell=2),)


def test_the_arm_of_a_shift_comes_with_the_answer() -> None:
    resolver = Resolver(TABLE)
    resolution = resolver.resolve(RequestContext(user_id="u"))
    in_arm = make_answer(TABLE, replace(resolution, arm="17c"), 7)
    assert answer_from_proto(answer_to_proto(in_arm)) == in_arm
    assert (in_arm.arm, make_answer(TABLE, resolution, 7).arm) == ("17c", "")


def test_attributes_reach_the_rules() -> None:
    kids = request(surface="kids", allocations={"12345": 99})
    assert respond(kids).reason == pb.REASON_CONTEXT
    kids.context.attributes["beta"].bool_value = True
    assert respond(kids).reason != pb.REASON_CONTEXT


def test_an_explanation_names_the_rules_that_were_looked_at() -> None:
    steps = answer_from_proto(respond(request(country="US", allocations=CELL_3, explain=True))).steps
    assert [(step.source.file, step.decided) for step in steps] == [("defineAB12345Rule.js", True)]
    assert not respond(request(country="US", allocations=CELL_3)).steps


def test_the_same_answer_is_the_same_bytes_until_the_tables_change() -> None:
    held = [TABLES]
    responder = Responder(lambda: held[-1])
    one = responder.resolve(request(allocations=CELL_3, country="US").SerializeToString())
    other = responder.resolve(request("v", allocations=CELL_3, country="CA").SerializeToString())
    assert one is other
    held.append(replace(TABLES, generations={DEFAULT_TENANT: ActiveGeneration(number=8, content_hash="h")}))
    again = responder.resolve(request(allocations=CELL_3, country="US").SerializeToString())
    assert (
        pb.ResolveResponse.FromString(one).generation,
        pb.ResolveResponse.FromString(again).generation,
    ) == (7, 8)


def lifetimes(objective: str, *seconds: float) -> Timeline:
    """Return an objective that is changed in each generation from 1 on: only its lifetime tells."""
    tables = (replace(TABLE, objective=objective, cache_lifetime=each) for each in seconds)
    return Timeline(tuple(range(len(seconds))), tuple(map(Resolver, tables)))


CHANGING = Tables(
    objectives={OBJECTIVE: lifetimes(OBJECTIVE, *range(10)), "Steady": lifetimes("Steady", 60.0)},
    sidecars={
        "synced": IN_STEP,
        "behind": SidecarState(generation=6),
        "cold": SidecarState(generation=NO_GENERATION),
    },
    generations={DEFAULT_TENANT: ActiveGeneration(number=7, content_hash="h", oldest=4)},
)


@pytest.mark.parametrize(("sidecar", "number"), [("", 7), ("synced", 7), ("behind", 6), ("stranger", 4)])
def test_an_answer_is_from_the_generation_that_the_callers_sidecar_routes(sidecar: str, number: int) -> None:
    answer = respond(request(sidecar=sidecar), CHANGING)
    assert (answer.generation, answer.cache_lifetime.seconds) == (number, number)
    steady = respond(request(objective="Steady", sidecar=sidecar), CHANGING)
    assert (steady.generation, steady.cache_lifetime.seconds) == (number, 60)


def test_a_stranger_is_answered_from_the_active_generation_when_no_oldest_is_said() -> None:
    generations = {DEFAULT_TENANT: replace(CHANGING.generation, oldest=0)}
    assert respond(request(sidecar="stranger"), replace(CHANGING, generations=generations)).generation == 7


def test_a_sidecar_that_routes_nothing_is_a_refusal_that_names_it_and_fails_alone() -> None:
    requests = [request(sidecar=name) for name in ("behind", "cold", "synced")]
    with pytest.raises(Unavailable, match=r"sidecar 'cold' routes no live generation.*retry"):
        respond(requests[1], CHANGING)
    responder = Responder(lambda: CHANGING)
    data = responder.batch_resolve(pb.BatchResolveRequest(requests=requests).SerializeToString())
    first, second, third = pb.BatchResolveResponse.FromString(data).results
    assert (first.response.generation, third.response.generation) == (6, 7)
    assert second.error.code == grpc.StatusCode.UNAVAILABLE.value[0]
    assert second.error.reason == "SIDECAR_NOT_READY"
    assert second.error.metadata == {"sidecar": "cold"}


def test_an_objective_that_a_generation_lacks_is_unknown_in_it_and_not_suggested() -> None:
    newer = Timeline((0, 7), (None, TABLES.objectives["SearchRanking"].resolvers[0]))
    tables = replace(CHANGING, objectives={**CHANGING.objectives, "SearchRanking": newer})
    assert respond(request(objective="SearchRanking"), tables).generation == 7
    for name in ("SearchRanking", "SearchRankin"):
        with pytest.raises(UnknownObjective) as refusal:
            respond(request(objective=name, sidecar="behind"), tables)
        assert "SearchRanking" not in str(refusal.value).partition("did you mean")[2]


def test_an_answer_is_serialized_once_a_generation_whatever_else_changes() -> None:
    held = [CHANGING]
    responder = Responder(lambda: held[-1])

    def answers() -> list[bytes]:
        sidecars = ("", "behind", "stranger")
        return [
            responder.resolve(request(objective="Steady", sidecar=s).SerializeToString()) for s in sidecars
        ]

    first = answers()
    held.append(replace(CHANGING, sidecars={"behind": SidecarState(generation=6)}))
    assert all(map(operator.is_, answers(), first))
    # a publish that leaves this objective as it is
    objectives = {**CHANGING.objectives, OBJECTIVE: lifetimes(OBJECTIVE, *range(11))}
    held.append(replace(held[-1], objectives=objectives))
    assert all(map(operator.is_, answers(), first))
    held.append(replace(held[-1], generations={DEFAULT_TENANT: replace(CHANGING.generation, number=8)}))
    again = answers()
    assert all(map(operator.is_, again[1:], first[1:]))
    assert pb.ResolveResponse.FromString(again[0]).generation == 8


REFUSALS = [
    (request(objective="ContinueWatching"), UnknownObjective, "did you mean ContinueWatchingRanking?"),
    (request(objective="PaymentFruadDetection"), UnknownObjective, "PaymentFraudDetection"),
    (request(objective="x" * 5000), UnknownObjective, "unknown objective"),
    (request(objective=""), InvalidContext, "objective is missing: name what to resolve"),
    (request(user_id=""), InvalidContext, "context.user_id is missing"),
    (pb.ResolveRequest(objective=OBJECTIVE), InvalidContext, "context.user_id is missing"),
    (request(user_id="u" * 257), InvalidContext, "257 characters; 256 are allowed"),
    (request(locale="e" * 129), InvalidContext, "context.locale has 129 characters"),
    (request(attributes={"country": text("US")}), InvalidContext, "repeat country"),
    (request(attributes={"user_id": text("v"), "surface": text("s")}), InvalidContext, "surface, user_id"),
    (request(attributes={"plan": table_pb2.Value()}), InvalidContext, "'plan'"),
    (request(attributes={"": text("x")}), InvalidContext, "1 to 128"),
    (request(attributes={"plan": text("x" * 1025)}), InvalidContext, "1025 characters"),
    (request(attributes={"tags": several(*["x"] * 65)}), InvalidContext, "'tags'] has 65 elements; 64 are"),
    (
        request(attributes={"tags": several("x", "x" * 1025)}),
        InvalidContext,
        r"'tags'][1] has 1025 characters",
    ),
    (
        request(
            attributes={"t": table_pb2.Value(list_value=table_pb2.ValueList(values=[several("x")]))},
        ),
        InvalidContext,
        "'t'] is a list, where a scalar belongs",
    ),
    (request(attributes={f"a{i}": text("x") for i in range(65)}), InvalidContext, "64 are allowed"),
    (request(allocations={f"t{i}": 1 for i in range(257)}), InvalidContext, "256 are allowed"),
    (request(override_model="kids", client="lab"), OverrideRefused, "permitted: cell-2, cell-2@1, default"),
    (request(override_model="cell-2", client="homepage"), OverrideRefused, "permitted: default, default@1"),
]


@pytest.mark.parametrize(("message", "kind", "words"), REFUSALS)
def test_a_refusal_says_what_is_wrong(
    message: pb.ResolveRequest, kind: type[LightbulbError], words: str
) -> None:
    with pytest.raises(kind) as refusal:
        respond(message)
    assert words in str(refusal.value)
    assert len(str(refusal.value)) < 500


def is_finite(value: AttributeValue) -> bool:
    parts = value if isinstance(value, tuple) else (value,)
    return all(isinstance(each, str) or math.isfinite(each) for each in parts)


@given(anything.contexts)
def test_a_context_arrives_as_it_was_sent(context: RequestContext) -> None:
    assume(all(map(is_finite, context.attributes.values())))
    sent = request_to_proto(Query(objective=OBJECTIVE, context=context), "client")
    arrived = context_from_proto(pb.ResolveRequest.FromString(sent.SerializeToString()).context)
    assert arrived == context
    assert list(map(type, arrived.attributes.values())) == [
        type(context.attributes[name]) for name in arrived.attributes
    ]


def test_limits_are_inclusive() -> None:
    attributes = {f"{i:0128}": text("x" * 1024) for i in range(63)} | {"l": several(*["x" * 1024] * 64)}
    fields = dict.fromkeys(("country", "device", "locale", "surface"), "f" * 128)
    allocations = {f"t{i}": 1 for i in range(256)}
    assert respond(request("u" * 256, attributes=attributes, allocations=allocations, **fields)).routing_key


@pytest.mark.parametrize("data", [b"\xff\xff", b"\x0a\x01\xff"], ids=["garbage", "not UTF-8"])
def test_bytes_that_are_no_request_are_refused(data: bytes) -> None:
    responder = Responder(lambda: TABLES)
    for call in (responder.resolve, responder.batch_resolve):
        with pytest.raises(InvalidContext, match="not a lightbulb"):
            call(data)


def test_nothing_is_answered_before_a_generation_has_come() -> None:
    for tables in (EMPTY_TABLES, replace(TABLES, generations={})):
        responder = Responder(lambda held=tables: held)
        with pytest.raises(Unavailable, match="no configuration yet"):
            responder.resolve(request().SerializeToString())
        with pytest.raises(Unavailable, match="no configuration yet"):
            responder.batch_resolve(b"")


def alone(message: pb.ResolveRequest) -> pb.BatchResolveResult:
    """Return the result that resolving `message` by itself calls for."""
    try:
        return pb.BatchResolveResult(response=respond(message))
    except LightbulbError as error:
        return pb.BatchResolveResult(error=error_to_proto(error))


def test_each_of_a_batch_fails_or_succeeds_alone_in_order() -> None:
    good = [request(f"user-{i}", country="US") for i in range(20)] + [request(explain=True)]
    bad = [message for message, _, _ in REFUSALS]
    mixed = [message for pair in zip(good, bad, strict=False) for message in pair]
    data = Responder(lambda: TABLES).batch_resolve(pb.BatchResolveRequest(requests=mixed).SerializeToString())
    results = pb.BatchResolveResponse.FromString(data).results
    assert len(results) == len(mixed)
    for message, result in zip(mixed, results, strict=True):
        assert result == alone(message)


@pytest.mark.parametrize(("size", "allowed"), [(0, True), (256, True), (257, False)])
def test_a_batch_is_bounded(size: int, allowed: bool) -> None:
    data = pb.BatchResolveRequest(requests=[request()] * size).SerializeToString()
    responder = Responder(lambda: TABLES)
    if allowed:
        assert len(pb.BatchResolveResponse.FromString(responder.batch_resolve(data)).results) == size
    else:
        with pytest.raises(InvalidContext, match="257 requests in a batch; 256 are allowed"):
            responder.batch_resolve(data)


def test_the_nearest_names_are_found_among_very_many() -> None:
    timeline = TABLES.objectives[OBJECTIVE]
    many = {f"Objective{number:05}": timeline for number in range(20 * NEIGHBOURS)}
    with pytest.raises(UnknownObjective, match=r"did you mean .*Objective02500"):
        respond(request(objective="Objective02500x"), replace(TABLES, objectives=many))
