"""Callers who open calls and say nothing: whoever speaks is answered all the same."""

import asyncio

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from lightbulb.client.client import BATCH_RESOLVE, RESOLVE
from lightbulb.rpc import patience
from lightbulb.rpc.health import WATCHERS
from lightbulb.service.grpcio_transport import MAX_CALLS, THREADS
from lightbulb.v1 import lightbulb_pb2 as pb
from lightbulb.v1 import lightbulb_pb2_grpc
from tests.lightbulb.lightbulb_server import health, serving
from tests.lightbulb.tables import OBJECTIVE

REQUEST = pb.ResolveRequest(objective=OBJECTIVE, context=pb.RequestContext(user_id="u"))
REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
CHECK, WATCH = "/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"
DEADLINE = 60.0


async def is_well(target: str) -> None:
    async with grpc.aio.insecure_channel(target) as channel:
        stub = lightbulb_pb2_grpc.LightbulbStub(channel)
        assert (await stub.Resolve(REQUEST, timeout=DEADLINE, wait_for_ready=True)).generation == 1
        assert await health(channel) == "SERVING"


@pytest.mark.parametrize(
    ("method", "native"),
    [
        *((method, False) for method in (RESOLVE, BATCH_RESOLVE, CHECK, WATCH, REFLECTION)),
        (RESOLVE, True),
        (CHECK, True),
    ],
)
def test_calls_that_are_opened_and_left_silence_nobody(method: str, native: bool) -> None:
    async def scenario() -> None:
        async with serving(native=native) as target, grpc.aio.insecure_channel(target) as channel:
            calls = [channel.stream_stream(method)() for _ in range(THREADS * 3)]
            await asyncio.gather(*(call.wait_for_connection() for call in calls))
            await is_well(target)
            for call in calls:
                call.cancel()

    asyncio.run(scenario())


def test_streams_that_spoke_once_and_stay_open_silence_nobody() -> None:
    async def scenario() -> None:
        async with serving() as target, grpc.aio.insecure_channel(target) as channel:
            stub = reflection_pb2_grpc.ServerReflectionStub(channel)
            streams = []
            for _ in range(THREADS * 2):
                stream = stub.ServerReflectionInfo()
                await stream.write(reflection_pb2.ServerReflectionRequest(list_services=""))
                assert (await stream.read()).list_services_response.service
                streams.append(stream)
            await is_well(target)
            assert not streams[-1].done()  # those that waited longest went

    asyncio.run(scenario())


def test_watchers_of_health_that_come_and_leave_hold_nobody_up_and_are_bounded() -> None:
    async def scenario() -> None:
        told = health_pb2.HealthCheckResponse
        async with serving() as target:
            for _ in range(3):
                async with grpc.aio.insecure_channel(target) as channel:
                    watch = channel.unary_stream(WATCH, response_deserializer=told.FromString)
                    calls = [watch(b"", timeout=DEADLINE, wait_for_ready=True) for _ in range(WATCHERS)]
                    first = [asyncio.ensure_future(call.read()) for call in calls]
                    await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
                    for call in calls[::2]:
                        call.cancel()
                    await asyncio.gather(*first, return_exceptions=True)
                    await is_well(target)
            async with grpc.aio.insecure_channel(target) as channel:
                watch = channel.unary_stream(WATCH, response_deserializer=told.FromString)
                calls = [watch(b"", timeout=DEADLINE) for _ in range(WATCHERS * 2)]
                refused = [call for call in calls if not await _is_told(call)]
                assert {await call.code() for call in refused} == {grpc.StatusCode.RESOURCE_EXHAUSTED}
                await is_well(target)

    asyncio.run(scenario())


async def _is_told(call: grpc.aio.UnaryStreamCall) -> bool:
    try:
        return (await call.read()).status == health_pb2.HealthCheckResponse.SERVING
    except grpc.aio.AioRpcError:
        return False


def test_a_caller_that_never_speaks_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience.Patience.__init__, "__defaults__", (0.5,))

    async def scenario() -> None:
        async with serving() as target, grpc.aio.insecure_channel(target) as channel:
            call = channel.stream_unary(RESOLVE)()
            code = await asyncio.wait_for(call.code(), DEADLINE)
            assert code is grpc.StatusCode.CANCELLED
            await is_well(target)

    asyncio.run(scenario())


@pytest.mark.parametrize("native", [False, True])
def test_a_request_that_comes_late_is_answered_and_a_call_without_one_is_refused(native: bool) -> None:
    async def scenario() -> None:
        async with serving(native=native) as target, grpc.aio.insecure_channel(target) as channel:
            call = channel.stream_unary(RESOLVE)()
            await call.wait_for_connection()
            await is_well(target)
            await call.write(REQUEST.SerializeToString())
            await call.done_writing()
            assert pb.ResolveResponse.FromString(await call).generation == 1
            empty = channel.stream_unary(RESOLVE)()
            await empty.done_writing()
            assert await empty.code() is grpc.StatusCode.UNIMPLEMENTED

    asyncio.run(scenario())


@pytest.mark.parametrize("native", [False, True])
def test_more_callers_at_once_than_threads_are_all_answered(native: bool) -> None:
    async def scenario() -> None:
        async with serving(native=native) as target, grpc.aio.insecure_channel(target) as channel:
            stub = lightbulb_pb2_grpc.LightbulbStub(channel)
            answers = await asyncio.gather(*(stub.Resolve(REQUEST) for _ in range(MAX_CALLS // 2)))
            assert {answer.generation for answer in answers} == {1}

    asyncio.run(scenario())
