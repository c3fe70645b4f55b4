"""Clients that remember: one call for many, none while an answer is good, something in an outage."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import grpc
import pytest

from controlplane.cli.processes import free_ports
from lightbulb.client import (
    Answer,
    BlockingLightbulbClient,
    Fallback,
    LightbulbClient,
    Origin,
    Query,
    Remember,
    RequestContext,
)
from lightbulb.client.client import BATCH_RESOLVE, RESOLVE
from lightbulb.errors import InvalidContext, LightbulbError, TimedOut, Unavailable
from lightbulb.model import ActiveGeneration
from lightbulb.resolution.resolve import Resolver
from lightbulb.service.responder import Responder
from lightbulb.tables.values import EMPTY_TABLES, Timeline
from tests.lightbulb.tables import OBJECTIVE, TABLE
from tests.waiting import SECONDS, eventually

USER = RequestContext(user_id="u", country="US")
SPARE = {OBJECTIVE: Fallback(model="spare", version="3")}
Client = Any
Resolve = Callable[..., Awaitable[Answer]]


class Lightbulb:
    """A real responder behind real gRPC, which counts, and stands still or talks nonsense when told to."""

    def __init__(self, port: int = 0, lifetime: float = 60.0) -> None:
        self.calls = 0
        self.goes_on = threading.Event()
        self.goes_on.set()
        self.nonsense = False
        table = replace(TABLE, cache_lifetime=lifetime)
        tables = replace(
            EMPTY_TABLES,
            objectives={OBJECTIVE: Timeline((0,), (Resolver(table),))},
            generations={"default": ActiveGeneration(number=1, content_hash="h")},
        )
        responder = Responder(lambda: tables)
        self._server = grpc.server(ThreadPoolExecutor(16), options=[("grpc.so_reuseport", 0)])
        handlers = {
            name.rpartition("/")[2]: grpc.unary_unary_rpc_method_handler(self._answering(respond))
            for name, respond in ((RESOLVE, responder.resolve), (BATCH_RESOLVE, responder.batch_resolve))
        }
        service = RESOLVE.split("/")[1]
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
        self.port = self._server.add_insecure_port(f"127.0.0.1:{port}")
        self._server.start()

    def _answering(self, respond: Callable[[bytes], bytes]) -> Callable[[bytes, Any], bytes]:
        def answer(data: bytes, _context: Any) -> bytes:
            self.calls += 1
            assert self.goes_on.wait(SECONDS)
            return b"\xff" if self.nonsense else respond(data)

        return answer

    def stop(self) -> None:
        self.goes_on.set()
        self._server.stop(0).wait()


@contextlib.contextmanager
def lightbulb(port: int = 0, lifetime: float = 60.0) -> Iterator[Lightbulb]:
    made = Lightbulb(port, lifetime)
    try:
        yield made
    finally:
        made.stop()


class Both:
    """A client of one kind; its methods can be awaited, whichever it is."""

    def __init__(self, made: Client, blocking: bool) -> None:
        self._made, self._blocking = made, blocking

    def __getattr__(self, name: str) -> Resolve:
        method = getattr(self._made, name)
        if not self._blocking:
            return method
        return lambda *args, **rest: asyncio.to_thread(method, *args, **rest)


@contextlib.asynccontextmanager
async def client(blocking: bool, target: str, **settings: Any) -> AsyncIterator[Both]:
    settings = {"timeout": SECONDS, "remember": Remember()} | settings
    if blocking:
        with BlockingLightbulbClient(target, **settings) as made:
            yield Both(made, True)
    else:
        async with LightbulbClient(target, **settings) as made:
            yield Both(made, False)


@pytest.fixture(params=[True, False], ids=["threads", "asyncio"])
def blocking(request: pytest.FixtureRequest) -> bool:
    return request.param


def test_many_that_ask_the_same_at_once_make_one_call_and_later_ones_none(blocking: bool) -> None:
    async def run() -> None:
        with lightbulb() as server:
            async with client(blocking, f"127.0.0.1:{server.port}") as asking:
                server.goes_on.clear()
                waiting = [asyncio.create_task(asking.resolve(OBJECTIVE, USER)) for _ in range(8)]
                await eventually("the call", lambda: server.calls == 1)
                server.goes_on.set()
                answers = await asyncio.gather(*waiting)
                again = await asking.resolve(OBJECTIVE, USER)
                other = await asking.resolve(OBJECTIVE, replace(USER, country="FR"))
                explained = await asking.resolve(OBJECTIVE, USER, explain=True)
        assert {each.routing_key for each in [*answers, again]} == {answers[0].routing_key}
        assert (again.origin, other.origin, explained.origin) == (
            Origin.REMEMBERED,
            Origin.LIGHTBULB,
            Origin.LIGHTBULB,
        )
        assert explained.steps
        assert server.calls == 3

    asyncio.run(run())


def test_an_answer_is_asked_for_anew_beside_being_given(blocking: bool) -> None:
    async def run() -> None:
        with lightbulb() as server:
            remember = Remember(ask_at=1e-9)
            async with client(blocking, f"127.0.0.1:{server.port}", remember=remember) as asking:
                await asking.resolve(OBJECTIVE, USER)
                server.goes_on.clear()
                given = await asking.resolve(OBJECTIVE, USER)
                await eventually("the call beside", lambda: server.calls == 2)
                server.goes_on.set()
        assert given.origin is Origin.REMEMBERED

    asyncio.run(run())


def test_an_outage_costs_nobody_an_error_and_ends_when_it_is_back(blocking: bool) -> None:
    async def run() -> None:
        (port,) = free_ports(1)
        with lightbulb(port, lifetime=1e-6) as server:
            async with client(
                blocking, f"127.0.0.1:{port}", remember=Remember(stale=SECONDS), fallbacks=SPARE
            ) as asking:
                before = await asking.resolve(OBJECTIVE, USER)
                server.stop()
                stale = await asking.resolve(OBJECTIVE, USER)
                declared = await asking.resolve(OBJECTIVE, replace(USER, country="FR"))
                many = await asking.resolve_many(
                    [
                        Query(objective=OBJECTIVE, context=USER),
                        Query(objective="Other", context=USER),
                        Query(objective=OBJECTIVE, context=replace(USER, attributes={"a": None})),
                    ]
                )
                with pytest.raises(Unavailable):
                    await asking.resolve("Other", USER)
                with pytest.raises(InvalidContext):
                    await asking.resolve(OBJECTIVE, replace(USER, attributes={"a": None}))
                with lightbulb(port, lifetime=1e-6):
                    origin = declared.origin

                    async def ask() -> None:
                        nonlocal origin
                        while origin is not Origin.LIGHTBULB:
                            origin = (await asking.resolve(OBJECTIVE, replace(USER, country="FR"))).origin
                            await asyncio.sleep(0.005)

                    await asyncio.wait_for(ask(), SECONDS)
        assert (stale.origin, stale.routing_key) == (Origin.STALE, before.routing_key)
        assert stale.why.startswith("Unavailable: ")
        assert (declared.origin, declared.routing_key) == (Origin.DECLARED, f"{OBJECTIVE}|spare|3")
        assert [type(each) for each in many] == [Answer, Unavailable, InvalidContext]
        assert many[0].origin is Origin.STALE

    asyncio.run(run())


def test_who_has_less_time_gives_up_alone(blocking: bool) -> None:
    async def run() -> None:
        with lightbulb() as server:
            async with client(blocking, f"127.0.0.1:{server.port}") as asking:
                server.goes_on.clear()
                patient = asyncio.create_task(asking.resolve(OBJECTIVE, USER))
                await eventually("the call", lambda: server.calls == 1)
                with pytest.raises(TimedOut):
                    await asking.resolve(OBJECTIVE, USER, timeout=0.01)
                server.goes_on.set()
                assert (await patient).origin is Origin.LIGHTBULB
        assert server.calls == 1

    asyncio.run(run())


def test_a_lightbulb_that_talks_nonsense_is_met_with_the_fallback(blocking: bool) -> None:
    async def run() -> None:
        with lightbulb() as server:
            server.nonsense = True
            target = f"127.0.0.1:{server.port}"
            async with client(blocking, target, fallbacks=SPARE) as asking:
                answer = await asking.resolve(OBJECTIVE, USER)
                with pytest.raises(LightbulbError, match="can't be read"):
                    await asking.resolve("Other", USER)
        assert (answer.origin, answer.routing_key) == (Origin.DECLARED, f"{OBJECTIVE}|spare|3")
        assert "can't be read" in answer.why

    asyncio.run(run())


def test_to_resolve_again_asks_past_what_is_remembered(blocking: bool) -> None:
    async def run() -> None:
        with lightbulb() as server:
            async with client(blocking, f"127.0.0.1:{server.port}") as asking:
                await asking.resolve(OBJECTIVE, USER)
                again = await asking.resolve_again(OBJECTIVE, USER)
                after = await asking.resolve(OBJECTIVE, USER)
        assert (again.origin, after.origin, server.calls) == (Origin.LIGHTBULB, Origin.REMEMBERED, 2)

    asyncio.run(run())


def test_of_many_queries_those_that_are_remembered_arent_sent(blocking: bool) -> None:
    async def run() -> None:
        with lightbulb() as server:
            async with client(blocking, f"127.0.0.1:{server.port}") as asking:
                queries = [Query(objective=OBJECTIVE, context=replace(USER, country=c)) for c in ("US", "FR")]
                first = await asking.resolve_many(queries)
                second = await asking.resolve_many([*queries, replace(queries[0], explain=True)])
                single = await asking.resolve(OBJECTIVE, USER)
        assert [each.origin for each in first] == [Origin.LIGHTBULB] * 2
        assert [each.origin for each in second] == [Origin.REMEMBERED] * 2 + [Origin.LIGHTBULB]
        assert (single.origin, server.calls) == (Origin.REMEMBERED, 2)

    asyncio.run(run())


def test_a_client_that_is_closed_leaves_nothing_under_way() -> None:
    async def run() -> None:
        with lightbulb() as server:
            remember = Remember(ask_at=1e-9)
            asking = LightbulbClient(f"127.0.0.1:{server.port}", timeout=SECONDS, remember=remember)
            await asking.resolve(OBJECTIVE, USER)
            server.goes_on.clear()
            await asking.resolve(OBJECTIVE, USER)
            before = asyncio.current_task()
            await asking.close()
            await eventually("the call's end", lambda: asyncio.all_tasks() == {before})
            server.goes_on.set()

    asyncio.run(run())
