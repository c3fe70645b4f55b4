"""`lightbulb health`: exit code 0 when a process serves, 1 with one line when it doesn't."""

import asyncio
import contextlib
import json
import re
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from click.testing import Result
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from controlplane.cli.processes import free_ports
from lightbulb.service.server import LightbulbServer
from tests.ads.scripted_server import scripted_server
from tests.cli.commands import run
from tests.cli.documented import check, tables
from tests.lightbulb.lightbulb_server import lightbulb, publish
from tests.lightbulb.tables import TABLE
from tests.waiting import eventually

TABLE_OF_HEALTH = tables()["`health`"]


def asked(*arguments: str) -> Result:
    return run("health", *arguments)


@pytest.fixture
def server() -> Iterator[tuple[health.HealthServicer, str]]:
    """A process with a health check, and its address."""
    servicer = health.HealthServicer()
    with ThreadPoolExecutor(2) as threads:
        running = grpc.server(threads)
        health_pb2_grpc.add_HealthServicer_to_server(servicer, running)
        port = running.add_insecure_port("127.0.0.1:0")
        running.start()
        yield servicer, f"127.0.0.1:{port}"
        running.stop(None).wait()


def test_what_serves_is_said_to(server: tuple[health.HealthServicer, str]) -> None:
    servicer, address = server
    servicer.set("one.Service", health_pb2.HealthCheckResponse.SERVING)
    for arguments in ([address], [address, "--service", "one.Service"]):
        result = asked(*arguments)
        assert (result.exit_code, result.output) == (0, f"{address} serves\n")


async def serves(server: LightbulbServer) -> None:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        while (await watch.read()).status != health_pb2.HealthCheckResponse.SERVING:
            pass


async def document_of(address: str) -> dict[str, Any]:
    """Return what JSON says of a Lightbulb."""
    document = json.loads((await asyncio.to_thread(asked, address, "--output", "json")).output)
    check(document, TABLE_OF_HEALTH)
    return document["lightbulb"]


def test_of_a_lightbulb_it_says_the_generation_and_for_how_long_no_control_plane_was_there() -> None:
    async def scenario() -> None:
        control_plane = contextlib.AsyncExitStack()
        script = await control_plane.enter_async_context(scripted_server())
        async with lightbulb(script) as lonely:
            address = f"127.0.0.1:{lonely.port}"
            cold = await asyncio.to_thread(asked, address)
            assert (cold.exit_code, cold.output) == (1, f"error: {address} says NOT_SERVING\n")
            publish(script, 7, TABLE)
            await asyncio.wait_for(lonely.feed.wait_ready(), 60)
            await serves(lonely)
            fresh = await asyncio.to_thread(asked, address)
            assert (fresh.exit_code, fresh.output) == (0, f"{address} serves from generation 7\n")
            assert await document_of(address) == {"generation": 7, "connected": True, "age_seconds": 0.0}
            await control_plane.aclose()
            await eventually("the stream to end", lambda: not lonely.freshness.connected)
            stale = await asyncio.to_thread(asked, address)
            assert stale.exit_code == 0
            told = rf"{re.escape(address)} serves from generation 7; no control plane for \d+ s\n"
            assert re.fullmatch(told, stale.output)
            document = await document_of(address)
            assert document["age_seconds"] > 0
            assert document == {**document, "generation": 7, "connected": False}

    asyncio.run(scenario())


def test_of_others_json_says_that_they_are_no_lightbulb(server: tuple[health.HealthServicer, str]) -> None:
    document = json.loads(asked(server[1], "--output", "json").output)
    check(document, TABLE_OF_HEALTH)
    assert document == {"serves": True, "lightbulb": None}


def test_what_does_not_serve_is_not(server: tuple[health.HealthServicer, str]) -> None:
    servicer, address = server
    servicer.set("", health_pb2.HealthCheckResponse.NOT_SERVING)
    result = asked(address)
    assert (result.exit_code, result.output) == (1, f"error: {address} says NOT_SERVING\n")
    result = asked(address, "--service", "another.Service")
    assert (result.exit_code, result.output) == (1, f"error: {address} has no service 'another.Service'\n")


def test_nobody_there_is_said_in_one_line() -> None:
    address = f"127.0.0.1:{free_ports(1)[0]}"
    result = asked(address)
    assert result.exit_code == 1
    assert result.output.startswith(f"error: nobody answers at {address} (")
    assert result.output.count("\n") == 1
    result = asked("--envoy", address)
    assert result.exit_code == 1
    assert result.output.startswith(f"error: no Envoy at {address} that is ready")


def test_something_else_there_is_told_apart() -> None:
    with ThreadPoolExecutor(1) as threads:
        running = grpc.server(threads)
        address = f"127.0.0.1:{running.add_insecure_port('127.0.0.1:0')}"
        running.start()
        result = asked(address)
        running.stop(None).wait()
    assert (result.exit_code, result.output) == (
        1,
        f"error: no health check at {address}: what listens there is something else\n",
    )


def test_who_is_silent_is_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        result = asked(address)
    assert (result.exit_code, result.output) == (1, f"error: {address} doesn't answer within 3 s\n")
