"""A feed that a fault of ours ends: it is begun again, and in the end the process ends with it."""

import asyncio
import logging
from typing import Any

import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from lightbulb.ads.client.subscriber import Backoff, Subscriber
from lightbulb.service import server as service
from lightbulb.service.server import LightbulbServer
from lightbulb.tables import live
from lightbulb.tables.live import LiveTables
from lightbulb.v1 import lightbulb_pb2 as pb
from lightbulb.v1 import lightbulb_pb2_grpc
from tests.ads.scripted_server import scripted_server
from tests.lightbulb.lightbulb_server import lightbulb, publish, settings
from tests.lightbulb.tables import TABLE
from tests.waiting import SECONDS, eventually

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "BACKOFF", Backoff(first=0.01, limit=0.02))
    monkeypatch.setattr(live, "STALE_SECONDS", 0.05)


def break_feed(monkeypatch: pytest.MonkeyPatch, times: int) -> list[str]:
    """Have the next `times` streams end with a fault; return a list that grows with each."""
    faults: list[str] = []
    whole = Subscriber._run_stream

    async def run_stream(self: Subscriber, target: str) -> tuple[bool, str]:
        if len(faults) < times:
            faults.append(target)
            raise KeyError("a fault of ours")
        return await whole(self, target)

    monkeypatch.setattr(Subscriber, "_run_stream", run_stream)
    return faults


def test_a_feed_that_failed_is_begun_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    faults = break_feed(monkeypatch, 2)

    async def scenario() -> None:
        async with scripted_server() as script, lightbulb(script) as server:
            publish(script, 1, TABLE)
            await asyncio.wait_for(server.feed.wait_ready(), 60)

    asyncio.run(scenario())
    assert len(faults) == 2
    assert caplog.text.count("following the control plane failed") == 2


def test_a_fault_that_comes_again_and_again_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    faults = break_feed(monkeypatch, 1000)

    async def scenario() -> None:
        async with scripted_server() as script:
            await asyncio.wait_for(service.serve(settings(script.target)), 60)

    with pytest.raises(ExceptionGroup) as caught:
        asyncio.run(scenario())
    assert caught.group_contains(KeyError)
    assert len(faults) == live.RESTARTS + 1


def test_the_log_says_how_old_the_tables_are_while_no_control_plane_is_there(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scenario() -> None:
        tables = LiveTables(control_plane="127.0.0.1:1", node_id="l")
        await tables.start()
        await eventually("the age to be told", lambda: "no control plane for" in caplog.text)
        await tables.stop()

    with caplog.at_level(logging.WARNING):
        asyncio.run(scenario())
    assert "answering from generation 0" in caplog.text


def test_after_its_max_age_health_says_so_and_who_asks_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "AGE_SECONDS", 0.005)

    async def scenario() -> None:
        async with scripted_server() as script, lightbulb(script, max_age=0.01) as server:
            publish(script, 7, TABLE)
            async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
                health = health_pb2_grpc.HealthStub(channel)
                told = health.Watch(health_pb2.HealthCheckRequest())
                await until_said(told, SERVING)
                faults = break_feed(monkeypatch, 3)
                script.break_streams()
                await until_said(told, NOT_SERVING)
                assert (await asked(server)).generation == 7
                await until_said(told, SERVING)
                assert len(faults) == 3

    asyncio.run(scenario())


async def until_said(told: Any, status: int) -> None:
    async with asyncio.timeout(SECONDS):
        while (await told.read()).status != status:
            pass


async def asked(server: LightbulbServer) -> pb.GetFreshnessResponse:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        return await lightbulb_pb2_grpc.LightbulbStub(channel).GetFreshness(pb.GetFreshnessRequest())


def test_a_lightbulb_says_how_old_its_tables_are_while_its_feed_is_dead(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live, "BACKOFF", Backoff(first=600.0, limit=600.0))

    async def scenario() -> None:
        async with scripted_server() as script, lightbulb(script) as server:
            assert (await asked(server)).generation == 0
            publish(script, 7, TABLE)
            await asyncio.wait_for(server.feed.wait_ready(), 60)
            fresh = await asked(server)
            assert (fresh.generation, fresh.connected, fresh.age.ToNanoseconds()) == (7, True, 0)
            faults = break_feed(monkeypatch, 1000)
            script.break_streams()
            await eventually("the feed to fail", lambda: faults)
            first, later = await asked(server), await asked(server)
            assert (first.generation, first.connected) == (later.generation, later.connected) == (7, False)
            assert 0 < first.age.ToNanoseconds() < later.age.ToNanoseconds()

    asyncio.run(scenario())
