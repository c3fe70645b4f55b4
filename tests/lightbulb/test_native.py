"""What the native transport adds to the calls that it brings: it refuses early what would wait too long."""

import asyncio

import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from lightbulb.errors import Overloaded, Unavailable
from lightbulb.rpc.status import error_of_call
from lightbulb.service import native_transport
from lightbulb.v1 import lightbulb_pb2_grpc
from tests.lightbulb.lightbulb_server import health, serving
from tests.lightbulb.test_service import REQUEST


def test_who_would_wait_too_long_is_refused_with_a_hint_and_health_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(native_transport, "LATE_SECONDS", -1.0)

    async def scenario() -> None:
        async with serving(native=True) as target, grpc.aio.insecure_channel(target) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await lightbulb_pb2_grpc.LightbulbStub(channel).Resolve(REQUEST)
            assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert dict(caught.value.trailing_metadata())["grpc-retry-pushback-ms"] == "1000"
            error = error_of_call(caught.value)
            assert type(error) is Overloaded
            assert isinstance(error, Unavailable)
            assert await health(channel) == "SERVING"

    asyncio.run(scenario())


def test_a_watch_of_health_is_unimplemented_so_that_a_client_takes_the_server_for_well() -> None:
    async def scenario() -> None:
        async with serving(native=True) as target, grpc.aio.insecure_channel(target) as channel:
            watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
            assert await watch.code() is grpc.StatusCode.UNIMPLEMENTED

    asyncio.run(scenario())


def test_a_fault_of_ours_ends_one_call_and_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: bytes) -> bytes:
        raise KeyError("a fault of ours")

    done = native_transport._method(fail)(b"")
    assert (b"grpc-status", b"2") in done.headers
    assert "a fault of ours" in caplog.text
