"""A call that is refused for where it went is resolved again and made once more, and never a third time."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import grpc
import grpc.aio
import pytest

from lightbulb.client.interceptor import AsyncRoutingInterceptor, RoutingInterceptor, routed
from lightbulb.errors import LightbulbError, TimedOut, UnknownObjective
from lightbulb.model import (
    MODEL_NOT_LOADED,
    REASON_HEADER,
    ROUTING_KEY_HEADER,
    UNKNOWN_ROUTING_KEY,
    RequestContext,
)
from lightbulb.oip import open_inference_pb2 as oip
from lightbulb.oip.open_inference_pb2_grpc import (
    GRPCInferenceServiceServicer,
    GRPCInferenceServiceStub,
    add_GRPCInferenceServiceServicer_to_server,
)
from lightbulb.rpc.answer import Answer
from tests.lightbulb.tables import OBJECTIVE
from tests.lightbulb.test_enrich import ANSWER
from tests.waiting import eventually

ABORTED, NOT_FOUND = grpc.StatusCode.ABORTED, grpc.StatusCode.NOT_FOUND
NOT_LOADED = (ABORTED, MODEL_NOT_LOADED)
UNKNOWN_KEY = (NOT_FOUND, UNKNOWN_ROUTING_KEY)
UNKNOWN_MODEL = (NOT_FOUND, "")
"""From a model server that isn't ours."""
LIMIT = 60.0


class Host(GRPCInferenceServiceServicer):
    """Refuses as `refusals` say, one a call, and then answers with the key that it was called by."""

    def __init__(self) -> None:
        self.refusals: list[tuple[grpc.StatusCode, str]] = []
        self.keys: list[str] = []
        self.remaining: list[float | None] = []
        self.on_refusal: Callable[[], None] = lambda: None
        self.gate = asyncio.Event()
        self.gate.set()
        self.cancelled = 0

    async def ModelInfer(self, request, context):  # noqa: N802 - gRPC's name
        key = dict(context.invocation_metadata())[ROUTING_KEY_HEADER]
        self.keys.append(key)
        self.remaining.append(context.time_remaining())
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.refusals:
            code, reason = self.refusals.pop(0)
            self.on_refusal()
            trailers = ((REASON_HEADER, reason),) if reason else ()
            await context.abort(code, f"refusal {len(self.keys)}", trailing_metadata=trailers)
        return oip.ModelInferResponse(model_name=key)


@dataclass
class Resolving:
    """Gives the keys k1, k2, ..., or raises; each resolution takes `takes` seconds of `now`."""

    errors: dict[int, LightbulbError] = field(default_factory=dict)
    timeouts: list[float | None] = field(default_factory=list)
    deadline: float = 0.0
    takes: float = 0.0
    now: float = 100.0

    def __call__(self, objective, context, *, override_model, timeout) -> Answer:
        self.timeouts.append(timeout)
        self.now += self.takes
        count = len(self.timeouts)
        if count in self.errors:
            raise self.errors[count]
        return replace(ANSWER, routing_key=f"k{count}", deadline=self.deadline)

    async def wait(self, *args, **rest) -> Answer:
        return self(*args, **rest)

    def clock(self) -> float:
        return self.now


Infer = Callable[..., Awaitable[str]]
Scenario = Callable[[Host, Infer, Resolving], Awaitable[None]]


@contextlib.asynccontextmanager
async def hosting() -> AsyncIterator[tuple[Host, str]]:
    host, server = Host(), grpc.aio.server()
    add_GRPCInferenceServiceServicer_to_server(host, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield host, f"127.0.0.1:{port}"
    finally:
        host.gate.set()
        await server.stop(None)


@contextlib.contextmanager
def blocking_stub(target: str, resolving: Resolving):
    with grpc.insecure_channel(target) as plain:
        channel = grpc.intercept_channel(plain, RoutingInterceptor(resolving, clock=resolving.clock))
        yield GRPCInferenceServiceStub(channel)


@contextlib.asynccontextmanager
async def inferring(kind: str, target: str, resolving: Resolving) -> AsyncIterator[Infer]:
    """Give a function that makes one routed call, in one of gRPC's ways, and returns the key that it got."""
    request, here = oip.ModelInferRequest(), RequestContext(user_id="u")
    if kind == "asyncio":
        interceptor = AsyncRoutingInterceptor(resolving.wait, clock=resolving.clock)
        async with grpc.aio.insecure_channel(target, interceptors=[interceptor]) as channel:
            method = GRPCInferenceServiceStub(channel).ModelInfer

            async def infer(**options) -> str:
                with routed(OBJECTIVE, here):
                    return (await method(request, **options)).model_name

            yield infer
        return
    with blocking_stub(target, resolving) as stub:
        ways: dict[str, Callable[..., Any]] = {
            "call": stub.ModelInfer,
            "with_call": lambda *args, **rest: stub.ModelInfer.with_call(*args, **rest)[0],
            "future": lambda *args, **rest: stub.ModelInfer.future(*args, **rest).result(LIMIT),
        }

        async def infer_in_thread(**options) -> str:
            with routed(OBJECTIVE, here):
                return (await asyncio.to_thread(ways[kind], request, **options)).model_name

        yield infer_in_thread


each_kind = pytest.mark.parametrize("kind", ["asyncio", "call", "with_call", "future"])


def play(kind: str, scenario: Scenario, resolving: Resolving | None = None) -> None:
    resolving = resolving or Resolving()

    async def run() -> None:
        async with hosting() as (host, target), inferring(kind, target, resolving) as infer:
            await scenario(host, infer, resolving)

    asyncio.run(asyncio.wait_for(run(), 120))


@each_kind
@pytest.mark.parametrize(
    "refusal",
    [NOT_LOADED, UNKNOWN_KEY, UNKNOWN_MODEL],
    ids=["not loaded", "unknown key", "a server that isn't ours"],
)
def test_a_refused_call_is_resolved_again_and_made_once_more(kind: str, refusal) -> None:
    async def scenario(host: Host, infer: Infer, resolving: Resolving) -> None:
        host.refusals = [refusal]
        assert await infer() == "k2"
        assert host.keys == ["k1", "k2"]
        assert await infer() == "k3"

    play(kind, scenario)


def test_a_cache_that_gave_the_refused_key_is_passed_by() -> None:
    request, here, fresh = oip.ModelInferRequest(), RequestContext(user_id="u"), Resolving()

    def cached(*_: object, **__: object) -> Answer:
        return replace(ANSWER, routing_key="old", deadline=0.0)

    async def cached_too(*_: object, **__: object) -> Answer:
        return cached()

    def blocking(target: str) -> str:
        with grpc.insecure_channel(target) as plain:
            interceptor = RoutingInterceptor(cached, resolve_again=fresh)
            stub = GRPCInferenceServiceStub(grpc.intercept_channel(plain, interceptor))
            with routed(OBJECTIVE, here):
                return stub.ModelInfer(request).model_name

    async def scenario() -> None:
        async with hosting() as (host, target):
            host.refusals = [UNKNOWN_KEY]
            assert await asyncio.to_thread(blocking, target) == "k1"
            host.refusals = [UNKNOWN_KEY]
            interceptor = AsyncRoutingInterceptor(cached_too, resolve_again=fresh.wait)
            async with grpc.aio.insecure_channel(target, interceptors=[interceptor]) as channel:
                with routed(OBJECTIVE, here):
                    answer = await GRPCInferenceServiceStub(channel).ModelInfer(request)
            assert answer.model_name == "k2"
            assert host.keys == ["old", "k1", "old", "k2"]

    asyncio.run(asyncio.wait_for(scenario(), 120))


@each_kind
def test_the_second_refusal_is_the_callers_to_see(kind: str) -> None:
    async def scenario(host: Host, infer: Infer, resolving: Resolving) -> None:
        host.refusals = [NOT_LOADED, UNKNOWN_KEY, NOT_LOADED]
        with pytest.raises(grpc.RpcError) as failure:
            await infer()
        assert (failure.value.code(), failure.value.details()) == (NOT_FOUND, "refusal 2")
        assert host.keys == ["k1", "k2"]

    play(kind, scenario)


@each_kind
@pytest.mark.parametrize(
    "refusal",
    [
        (ABORTED, ""),
        (NOT_FOUND, MODEL_NOT_LOADED),
        (ABORTED, UNKNOWN_ROUTING_KEY),
        (grpc.StatusCode.UNAVAILABLE, MODEL_NOT_LOADED),
        (grpc.StatusCode.INVALID_ARGUMENT, ""),
    ],
)
def test_other_failures_pass_as_they_are(kind: str, refusal) -> None:
    async def scenario(host: Host, infer: Infer, resolving: Resolving) -> None:
        host.refusals = [refusal]
        with pytest.raises(grpc.RpcError) as failure:
            await infer()
        assert failure.value.code() is refusal[0]
        assert host.keys == ["k1"]

    play(kind, scenario)


@each_kind
@pytest.mark.parametrize("promised", [False, True], ids=["the caller's", "the platform's"])
def test_a_second_call_has_what_is_left_of_the_deadline(kind: str, promised: bool) -> None:
    async def scenario(host: Host, infer: Infer, resolving: Resolving) -> None:
        def later() -> None:
            resolving.now += 500.0

        host.refusals, host.on_refusal = [NOT_LOADED], later
        await (infer() if promised else infer(timeout=2000.0))
        first, second = host.remaining
        if promised:  # 1000 s from when it was first said, of which the refusal took 500
            assert resolving.timeouts == [None, 500.0]
            expected = (1000.0, 400.0)
        else:  # 100 s for resolving, 500 for the refusal, 100 for resolving again
            assert resolving.timeouts == [2000.0, 1400.0]
            expected = (1900.0, 1300.0)
        assert (first, second) == pytest.approx(expected, rel=0.03)  # gRPC rounds what it sends

    play(kind, scenario, Resolving(takes=100.0, deadline=1000.0))


@each_kind
def test_a_refusal_that_leaves_no_time_is_the_callers_to_see(kind: str) -> None:
    async def scenario(host: Host, infer: Infer, resolving: Resolving) -> None:
        def too_late() -> None:
            resolving.now += 2000.0

        host.refusals, host.on_refusal = [NOT_LOADED], too_late
        with pytest.raises(grpc.RpcError) as failure:
            await infer(timeout=2000.0)
        assert failure.value.code() is ABORTED
        assert (host.keys, len(resolving.timeouts)) == (["k1"], 1)

    play(kind, scenario)


@each_kind
@pytest.mark.parametrize("takes", [0.0, 1500.0], ids=["an error", "all of the time"])
def test_what_cant_be_resolved_again_is_the_error_of_that(kind: str, takes: float) -> None:
    async def scenario(host: Host, infer: Infer, resolving: Resolving) -> None:
        host.refusals = [NOT_LOADED]
        with pytest.raises(TimedOut if takes else UnknownObjective):
            await infer(timeout=2000.0)
        assert host.keys == ["k1"]

    errors = {} if takes else {2: UnknownObjective("gone")}
    play(kind, scenario, Resolving(takes=takes, errors=errors))


def test_a_future_is_there_before_its_first_call_is_over_and_ends_with_its_second() -> None:
    async def scenario() -> None:
        async with hosting() as (host, target):
            host.gate.clear()
            host.refusals = [NOT_LOADED]
            with blocking_stub(target, Resolving()) as stub, routed(OBJECTIVE, RequestContext(user_id="u")):
                future = stub.ModelInfer.future(oip.ModelInferRequest(), timeout=LIMIT)
                ended: list[Any] = []
                future.add_done_callback(ended.append)
                assert future.add_callback(lambda: ended.append(None))
                assert (future.done(), future.running(), future.is_active()) == (False, True, True)
                assert future.time_remaining() <= LIMIT
                with pytest.raises(grpc.FutureTimeoutError):
                    future.result(0)
                await eventually("the first call", lambda: host.keys)
                host.gate.set()
                await eventually("the end", lambda: len(ended) == 2)
                assert ended == [future, None]
                assert (future.done(), future.cancelled(), future.code()) == (True, False, grpc.StatusCode.OK)
                assert (future.result().model_name, future.exception(), future.traceback()) == (
                    "k2",
                    None,
                    None,
                )
                assert REASON_HEADER not in dict(future.trailing_metadata())
                assert dict(future.initial_metadata()) == {}
                assert not future.add_callback(lambda: None)
                assert not future.cancel()

    asyncio.run(scenario())


def test_a_future_that_is_cancelled_ends_so_and_calls_no_more() -> None:
    async def scenario() -> None:
        async with hosting() as (host, target):
            host.gate.clear()
            host.refusals = [NOT_LOADED]
            with blocking_stub(target, Resolving()) as stub, routed(OBJECTIVE, RequestContext(user_id="u")):
                future = stub.ModelInfer.future(oip.ModelInferRequest())
                await eventually("the first call", lambda: host.keys)
                assert future.cancel()
                await eventually("the host to hear of it", lambda: host.cancelled == 1)
                assert future.cancelled()
                with pytest.raises(grpc.FutureCancelledError):
                    future.result(LIMIT)
                assert host.keys == ["k1"]

    asyncio.run(scenario())


def test_a_future_whose_resolution_fails_shows_the_refusal_and_raises_the_error() -> None:
    async def scenario() -> None:
        async with hosting() as (host, target):
            host.refusals = [NOT_LOADED]
            resolving = Resolving(errors={2: UnknownObjective("gone")})
            with blocking_stub(target, resolving) as stub, routed(OBJECTIVE, RequestContext(user_id="u")):
                future = stub.ModelInfer.future(oip.ModelInferRequest())
                await eventually("the end", future.done)
                assert isinstance(future.exception(), UnknownObjective)
                assert isinstance(future.exception().__cause__, grpc.RpcError)
                assert future.traceback() is not None
                assert (future.code(), future.details()) == (ABORTED, "refusal 1")

    asyncio.run(scenario())


def test_a_task_that_is_cancelled_while_it_waits_cancels_its_call() -> None:
    async def scenario() -> None:
        resolving = Resolving()
        async with hosting() as (host, target), inferring("asyncio", target, resolving) as infer:
            host.gate.clear()
            task = asyncio.create_task(infer())
            await eventually("the first call", lambda: host.keys)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await eventually("the host to hear of it", lambda: host.cancelled == 1)

    asyncio.run(scenario())
