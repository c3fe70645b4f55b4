"""Callers who open calls and say nothing, or watch for ever, at a real control plane and a real host."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2

from lightbulb.host import app
from lightbulb.oip import open_inference_pb2 as oip
from lightbulb.rpc import health as rpc_health
from lightbulb.rpc import loop_patience
from lightbulb.rpc.health import WATCHERS
from lightbulb.rpc.keepalive import Keepalive
from tests.controlplane.planes import POLICY, plane
from tests.host.hosts import infer, running
from tests.host.workflows import Echo, assign
from tests.lightbulb.lightbulb_server import health

DEADLINE = 60.0
CHECK, WATCH = "/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"
REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
INFER = "/inference.GRPCInferenceService/ModelInfer"
STREAM_INFER = "/inference.GRPCInferenceService/ModelStreamInfer"
PUBLISH = "/lightbulb.v1.ControlPlane/Publish"
STATUS_WATCH = "/lightbulb.v1.ControlPlane/Watch"
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    """Run a scenario to its end; who hangs is named by where."""
    asyncio.run(asyncio.wait_for(scenario(), 3 * DEADLINE))


async def read_all(call: grpc.aio.UnaryStreamCall) -> None:
    """Read to the end, which comes after all that was told before it."""
    while await call.read() is not grpc.aio.EOF:
        pass


class Server:
    """One that runs: where it is, and how to stop it."""

    def __init__(self, port: int, stop: Callable) -> None:
        self.target = f"127.0.0.1:{port}"
        self.stop = stop

    def channel(self) -> grpc.aio.Channel:
        return grpc.aio.insecure_channel(self.target, options=[("grpc.use_local_subchannel_pool", 1)])

    async def is_well(self) -> None:
        async with self.channel() as channel:
            assert await asyncio.wait_for(health(channel), DEADLINE) == "SERVING"


@contextlib.asynccontextmanager
async def a_control_plane(folder: Path) -> AsyncIterator[Server]:
    async with plane(f"sqlite:{folder}/store.db", policy=POLICY) as it:
        yield Server(it.port, it.stop)


@contextlib.asynccontextmanager
async def a_host(folder: Path) -> AsyncIterator[Server]:
    async with running({"echo@1": Echo}) as it:
        await it.assign(assign("echo@1"))
        yield Server(it.host.port, it.host.stop)


Serve = Callable[[Path], AbstractAsyncContextManager[Server]]
BOTH = pytest.mark.parametrize("serve", [a_control_plane, a_host])


@pytest.mark.parametrize(
    ("serve", "method"),
    [
        (a_control_plane, PUBLISH),
        (a_control_plane, STATUS_WATCH),
        (a_control_plane, WATCH),
        (a_control_plane, REFLECTION),
        (a_host, INFER),
        (a_host, STREAM_INFER),
        (a_host, CHECK),
        (a_host, REFLECTION),
    ],
)
def test_a_caller_that_never_speaks_is_ended(
    serve: Serve, method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(loop_patience.LoopPatience.__init__.__kwdefaults__, "seconds", 0.2)

    async def scenario() -> None:
        async with serve(tmp_path) as server, server.channel() as channel:
            call = channel.stream_stream(method)()
            assert await asyncio.wait_for(call.code(), DEADLINE) is grpc.StatusCode.DEADLINE_EXCEEDED
            assert await call.details() == "no request within 0.2 s"
            await server.is_well()

    run(scenario)


@pytest.mark.parametrize(("serve", "method"), [(a_control_plane, PUBLISH), (a_host, INFER)])
def test_those_that_waited_longest_are_ended_when_too_many_say_nothing(
    serve: Serve, method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(loop_patience.LoopPatience.__init__.__kwdefaults__, "waiting", 8)

    async def scenario() -> None:
        async with serve(tmp_path) as server, server.channel() as channel:
            calls = []
            for _ in range(8):
                calls.append(channel.stream_stream(method)())
                await calls[-1].wait_for_connection()
            async with asyncio.timeout(DEADLINE):
                while not calls[0].done():  # the server may come to the last of them after the one that asks
                    await server.is_well()
            assert await calls[0].code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert not calls[-1].done()
            for call in calls:
                call.cancel()

    run(scenario)


def test_a_stream_that_has_spoken_may_be_quiet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(loop_patience.LoopPatience.__init__.__kwdefaults__, "seconds", 0.2)

    async def scenario() -> None:
        async with a_host(tmp_path) as server, server.channel() as channel:
            stream = channel.stream_stream(
                STREAM_INFER,
                request_serializer=oip.ModelInferRequest.SerializeToString,
                response_deserializer=oip.ModelStreamInferResponse.FromString,
            )()
            for _ in range(2):
                await stream.write(infer("echo@1", 1))
                assert (await stream.read()).infer_response.outputs
                silent = channel.stream_stream(INFER)()
                await asyncio.wait_for(silent.code(), DEADLINE)  # another was ended for its silence meanwhile
            await stream.done_writing()
            assert await stream.code() is grpc.StatusCode.OK

    run(scenario)


@BOTH
def test_watchers_of_health_are_bounded_and_their_places_are_free_once_they_leave(
    serve: Serve, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with serve(tmp_path) as server:
            for _ in range(2):
                async with server.channel() as channel:
                    calls = [watch(channel) for _ in range(WATCHERS)]
                    assert {await told(call) for call in calls} == {SERVING}
                    late = watch(channel)
                    assert await late.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
                    await server.is_well()
                    for call in calls:
                        call.cancel()
                    while await told(again := watch(channel)) is None:
                        assert await again.code() is grpc.StatusCode.RESOURCE_EXHAUSTED

    run(scenario)


@BOTH
def test_who_watches_a_server_that_stops_is_told_so_and_holds_it_up_no_longer(
    serve: Serve, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with serve(tmp_path) as server, server.channel() as channel:
            call = watch(channel)
            assert await told(call) == SERVING
            await server.stop()
            assert await told(call) == NOT_SERVING
            assert await call.code() is grpc.StatusCode.UNAVAILABLE

    run(scenario)


def test_who_watches_the_status_of_a_control_plane_that_stops_is_told_so(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with a_control_plane(tmp_path) as server, server.channel() as channel:
            call = channel.unary_stream(STATUS_WATCH)(b"")
            assert await call.read() is not grpc.aio.EOF
            await server.stop()
            with pytest.raises(grpc.aio.AioRpcError) as ended:
                await read_all(call)
            assert ended.value.code() is grpc.StatusCode.UNAVAILABLE
            assert ended.value.details() == "this control plane is stopping; watch again"

    run(scenario)


WATCHER = f"""
import sys, grpc
with grpc.insecure_channel(sys.argv[1]) as channel:
    for told in channel.unary_stream("{WATCH}")(b""):
        print("told", flush=True)
"""


def test_a_watcher_that_stands_still_keeps_no_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rpc_health, "WATCHERS", 1)
    monkeypatch.setattr(app, "SERVER_TO_CALLER", Keepalive(every=1, timeout=1))

    async def scenario() -> None:
        async with a_host(tmp_path) as server, server.channel() as channel:
            watcher = await asyncio.create_subprocess_exec(
                sys.executable, "-c", WATCHER, server.target, stdout=-1
            )
            try:
                assert watcher.stdout is not None
                assert await asyncio.wait_for(watcher.stdout.readline(), DEADLINE) == b"told\n"
                assert await watch(channel).code() is grpc.StatusCode.RESOURCE_EXHAUSTED
                watcher.send_signal(signal.SIGSTOP)
                while await told(again := watch(channel)) is None:
                    assert await again.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            finally:
                watcher.kill()
                await watcher.wait()

    run(scenario)


def watch(channel: grpc.aio.Channel) -> grpc.aio.UnaryStreamCall:
    read = health_pb2.HealthCheckResponse.FromString
    return channel.unary_stream(WATCH, response_deserializer=read)(b"", timeout=DEADLINE)


async def told(call: grpc.aio.UnaryStreamCall) -> int | None:
    """Return the next status that a watcher is told; None when it is refused."""
    try:
        return (await call.read()).status
    except grpc.aio.AioRpcError:
        return None
