"""The client library against a real Lightbulb, with and without asyncio."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import grpc.aio
import pytest

from lightbulb.client.client import BlockingLightbulbClient, LightbulbClient
from lightbulb.client.replies import read_outcomes
from lightbulb.errors import (
    InvalidContext,
    LightbulbError,
    OverrideRefused,
    TimedOut,
    TooLarge,
    Unavailable,
    UnknownObjective,
)
from lightbulb.model import NO_GENERATION, RequestContext
from lightbulb.resolution.resolve import Allocation, Reason
from lightbulb.rpc.answer import Answer, Query
from lightbulb.rpc.status import code_of, error_of
from lightbulb.v1 import lightbulb_pb2 as pb
from tests.ads.scripted_server import scripted_server
from tests.lightbulb.lightbulb_server import lightbulb, publish, serving, sidecars
from tests.lightbulb.tables import OBJECTIVE, TABLE

CONTEXT = RequestContext(
    user_id="u", country="US", attributes={"age": 30, "score": 0.5, "new": True, "plan": "x"}
)
CELL_2 = replace(CONTEXT, allocations={"12345": 2})

Call = Callable[..., Awaitable[Any]]


def with_each_client(scenario: Callable[[Call, Call], Awaitable[None]], name: str = "lab") -> None:
    """Run a scenario with the asyncio client's methods and with the blocking client's, in a thread."""

    async def run() -> None:
        async with serving(TABLE, replace(TABLE, objective="Other", deadline=0.0)) as target:
            async with LightbulbClient(target, client_name=name, timeout=60.0) as client:
                await scenario(client.resolve, client.resolve_many)
            with BlockingLightbulbClient(target, client_name=name, timeout=60.0) as blocking:
                await scenario(
                    lambda *args, **rest: asyncio.to_thread(blocking.resolve, *args, **rest),
                    lambda queries: asyncio.to_thread(blocking.resolve_many, queries),
                )

    asyncio.run(run())


def test_an_answer_comes_as_a_value() -> None:
    async def scenario(resolve: Call, _: Call) -> None:
        answer = await resolve(OBJECTIVE, CELL_2)
        assert (answer.routing_key, answer.reason) == (f"{OBJECTIVE}|cell-2|1", Reason.AB_TEST)
        assert answer.objective_config.allocations == (Allocation(test_id="12345", cell=2),)
        assert (answer.generation, answer.cache_lifetime, answer.deadline) == (1, 60.0, 0.25)
        assert (await resolve("Other", CELL_2)).deadline == 0.0
        assert await resolve(OBJECTIVE, CELL_2) == answer
        assert (await resolve(OBJECTIVE, CELL_2, explain=True)).steps[-1].decided

    with_each_client(scenario)


def test_a_client_asks_for_a_model_by_its_own_name() -> None:
    async def scenario(resolve: Call, _: Call) -> None:
        answer = await resolve(OBJECTIVE, CONTEXT, override_model="next")
        assert (answer.objective_config.model, answer.reason) == ("next", Reason.OVERRIDE)

    with_each_client(scenario, name="lab")


@pytest.mark.parametrize(
    ("objective", "context", "override", "kind"),
    [
        ("Nope", CONTEXT, "", UnknownObjective),
        (OBJECTIVE, RequestContext(user_id=""), "", InvalidContext),
        (OBJECTIVE, RequestContext(user_id="u", attributes={"country": "US"}), "", InvalidContext),
        (OBJECTIVE, RequestContext(user_id="u", attributes={"big": 2**63}), "", InvalidContext),
        (OBJECTIVE, RequestContext(user_id="\ud800"), "", InvalidContext),
        (OBJECTIVE, CONTEXT, "kids", OverrideRefused),
        ("x" * 1024 * 1024, CONTEXT, "", TooLarge),
    ],
    ids=["unknown", "no user", "repeated", "too large an int", "half a surrogate", "override", "oversized"],
)
def test_what_cant_be_answered_is_an_error_of_its_own_type(
    objective: str, context: RequestContext, override: str, kind: type[LightbulbError]
) -> None:
    async def scenario(resolve: Call, _: Call) -> None:
        with pytest.raises(kind) as caught:
            await resolve(objective, context, override_model=override)
        if kind is UnknownObjective:
            assert caught.value.about == {"objective": objective, "generation": "1"}
        if context.user_id == "":
            assert caught.value.path == "context.user_id"

    with_each_client(scenario)


def test_many_queries_are_answered_in_order_each_alone() -> None:
    async def scenario(resolve: Call, resolve_many: Call) -> None:
        queries = [
            Query(objective=OBJECTIVE if i % 5 else "Nope", context=RequestContext(user_id=f"u{i}"))
            for i in range(600)
        ]
        outcomes = await resolve_many(queries)
        assert [isinstance(outcome, Answer) for outcome in outcomes] == [bool(i % 5) for i in range(600)]
        assert all(isinstance(outcome, UnknownObjective) for outcome in outcomes[::5])
        assert all(outcome.about["objective"] == "Nope" for outcome in outcomes[::5])
        for position in (1, 256, 511, 599):
            assert outcomes[position] == await resolve(OBJECTIVE, queries[position].context)
        assert await resolve_many([]) == ()

    with_each_client(scenario)


def test_a_client_that_names_its_sidecar_is_answered_from_what_that_one_routes() -> None:
    many = [Query(objective=OBJECTIVE, context=CONTEXT, sidecar=name) for name in ("", "fresh")]

    async def scenario() -> None:
        async with scripted_server() as script, lightbulb(script) as server:
            sidecars(script, fresh=0, behind=6, cold=NO_GENERATION)
            publish(script, 7, TABLE, oldest=4)
            await server.feed.wait_ready()
            target = f"127.0.0.1:{server.port}"
            for sidecar, number in (("fresh", 7), ("behind", 6), ("stranger", 4)):
                async with LightbulbClient(target, sidecar=sidecar, timeout=60.0) as client:
                    assert (await client.resolve(OBJECTIVE, CONTEXT)).generation == number
                    assert [each.generation for each in await client.resolve_many(many)] == [number, 7]
                with BlockingLightbulbClient(target, sidecar=sidecar, timeout=60.0) as blocking:
                    answer = await asyncio.to_thread(blocking.resolve, OBJECTIVE, CONTEXT)
                    assert answer.generation == number
                    outcomes = await asyncio.to_thread(blocking.resolve_many, many)
                    assert [each.generation for each in outcomes] == [number, 7]
            async with LightbulbClient(target, sidecar="cold", timeout=60.0) as client:
                with pytest.raises(Unavailable, match="sidecar 'cold' routes no live generation"):
                    await client.resolve(OBJECTIVE, CONTEXT)

    asyncio.run(scenario())


def test_a_lightbulb_that_isnt_there_is_unavailable() -> None:
    async def scenario() -> None:
        async with serving() as gone:
            pass
        query = Query(objective=OBJECTIVE, context=CONTEXT)
        async with LightbulbClient(gone) as client:
            with pytest.raises(Unavailable):
                await client.resolve(OBJECTIVE, CONTEXT)
            with pytest.raises(Unavailable):
                await client.resolve_many([query])
        with BlockingLightbulbClient(gone) as blocking:
            with pytest.raises(Unavailable):
                await asyncio.to_thread(blocking.resolve, OBJECTIVE, CONTEXT)
            with pytest.raises(Unavailable):
                await asyncio.to_thread(blocking.resolve_many, [query])

    asyncio.run(scenario())


@contextlib.asynccontextmanager
async def answering(respond: Callable[[], Awaitable[bytes]]) -> AsyncIterator[str]:
    """Give the address of a server that answers everything so."""

    async def handle(data: bytes, context: grpc.aio.ServicerContext) -> bytes:
        try:
            return await respond()
        except LightbulbError as error:
            await context.abort(code_of(error), str(error))
            raise AssertionError("abort raises") from error

    server = grpc.aio.server()
    methods = {name: grpc.unary_unary_rpc_method_handler(handle) for name in ("Resolve", "BatchResolve")}
    handlers = grpc.method_handlers_generic_handler("lightbulb.v1.Lightbulb", methods)
    server.add_generic_rpc_handlers((handlers,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


def test_a_lightbulb_that_doesnt_answer_in_time_is_a_timeout() -> None:
    async def never() -> bytes:
        await asyncio.Event().wait()
        return b""

    async def scenario() -> None:
        async with answering(never) as target, LightbulbClient(target, timeout=30.0) as client:
            with pytest.raises(TimedOut):
                await client.resolve(OBJECTIVE, CONTEXT, timeout=0.05)

    asyncio.run(scenario())


def test_an_outage_isnt_met_with_four_times_the_calls() -> None:
    calls = 0

    async def unavailable() -> bytes:
        nonlocal calls
        calls += 1
        raise Unavailable("not yet")

    async def scenario() -> None:
        query = Query(objective=OBJECTIVE, context=CONTEXT)
        async with answering(unavailable) as target, LightbulbClient(target, timeout=60.0) as client:
            with pytest.raises(Unavailable, match="not yet"):
                await client.resolve_many([query])
            assert calls > 1  # a failure or two are met with others
            asking = (client.resolve_many([query]) for _ in range(100))
            failed = await asyncio.gather(*asking, return_exceptions=True)
            assert {type(each) for each in failed} == {Unavailable}
            assert calls < 200

    asyncio.run(scenario())


@pytest.mark.parametrize("data", [b"\xff\xff", b""], ids=["garbage", "an answer without a reason"])
def test_an_answer_that_cant_be_read_is_an_error(data: bytes) -> None:
    async def bad() -> bytes:
        return data

    async def scenario() -> None:
        async with answering(bad) as target, LightbulbClient(target, timeout=60.0) as client:
            with pytest.raises(LightbulbError, match="can't be read"):
                await client.resolve(OBJECTIVE, CONTEXT)
            with pytest.raises(LightbulbError, match=r"can't be read|gave 0 results to 1"):
                await client.resolve_many([Query(objective=OBJECTIVE, context=CONTEXT)])

    asyncio.run(scenario())


def test_of_a_batch_an_answer_that_cant_be_read_fails_alone() -> None:
    response = pb.BatchResolveResponse()
    response.results.add().response.reason = pb.REASON_DEFAULT
    response.results.add().response.reason = 4711
    good, bad = read_outcomes(response.SerializeToString(), 2)
    assert isinstance(good, Answer)
    assert isinstance(bad, LightbulbError)
    assert "can't be read" in str(bad)


def test_every_error_survives_the_wire_as_itself() -> None:
    kinds = (InvalidContext, UnknownObjective, OverrideRefused, TooLarge, Unavailable, TimedOut)
    for kind in kinds:
        back = error_of(code_of(kind("why")), "why")
        assert (type(back), str(back)) == (kind, "why")
    assert type(error_of(grpc.StatusCode.CANCELLED, "server shut down")) is Unavailable
    assert type(error_of(grpc.StatusCode.DATA_LOSS, "why")) is LightbulbError
