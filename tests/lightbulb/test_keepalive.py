"""Who pings our servers is answered, and who of ours pings leaves a peer that stands still."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import grpc
import grpc.aio
import pytest

from lightbulb.ads.client.subscriber import CHANNEL_OPTIONS as SUBSCRIBER_OPTIONS
from lightbulb.ads.server.server import SERVER_OPTIONS
from lightbulb.client.client import CHANNEL_OPTIONS as CLIENT_OPTIONS
from lightbulb.rpc.channels import open_aio_channel
from lightbulb.rpc.keepalive import (
    COMMAND_TO_CONTROL_PLANE,
    ENVOY_TO_HOST,
    ENVOY_TO_HOST_IDLE_SECONDS,
    pings,
)
from tests.host.hosts import running
from tests.host.workflows import Echo
from tests.http2 import PING, SilentServer, pings_answered
from tests.lightbulb.lightbulb_server import serving
from tests.waiting import eventually

SCALE = 20
DEFAULT_ALLOWED_SECONDS = 5 * 60
"""A server of gRPC's takes one ping in so long by default."""

MANY = 20


@contextlib.asynccontextmanager
async def a_lightbulb() -> AsyncIterator[str]:
    async with serving() as target:
        yield target


@contextlib.asynccontextmanager
async def a_host() -> AsyncIterator[str]:
    async with running({"echo@1": Echo}) as host:
        yield f"127.0.0.1:{host.host.port}"


@contextlib.asynccontextmanager
async def an_ads_server() -> AsyncIterator[str]:
    """What a control plane and a relay are, to who pings."""
    server = grpc.aio.server(options=SERVER_OPTIONS)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield f"127.0.0.1:{port}"
    await server.stop(0)


@pytest.mark.parametrize("serve", [a_lightbulb, a_host, an_ads_server])
def test_a_server_of_ours_answers_every_ping_without_a_call(serve) -> None:
    async def scenario() -> None:
        async with serve() as target:
            assert await asyncio.to_thread(pings_answered, target, MANY) == MANY

    asyncio.run(scenario())


def test_a_server_with_grpcs_defaults_hangs_up() -> None:
    """Or the test above could not fail."""

    async def scenario() -> None:
        server = grpc.aio.server()
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        assert await asyncio.to_thread(pings_answered, f"127.0.0.1:{port}", MANY) < MANY
        await server.stop(0)

    asyncio.run(scenario())


async def call(channel: grpc.aio.Channel) -> None:
    await channel.unary_unary("/test/Ask")(b"")


async def no_call(channel: grpc.aio.Channel) -> None:
    while True:
        await channel.wait_for_state_change(channel.get_state(try_to_connect=True))


@pytest.mark.parametrize(
    ("options", "use"),
    [
        (CLIENT_OPTIONS, no_call),
        (CLIENT_OPTIONS, call),
        (SUBSCRIBER_OPTIONS, call),
        (pings(COMMAND_TO_CONTROL_PLANE), call),
    ],
    ids=["an idle client", "a client", "a subscriber", "a command"],
)
def test_a_server_that_stands_still_is_left(
    options: tuple[tuple[str, int | str], ...], use: Callable[[grpc.aio.Channel], Awaitable[None]]
) -> None:
    sooner = [(name, value // SCALE if name in TIMES else value) for name, value in options]

    async def scenario() -> None:
        with contextlib.closing(SilentServer(frozen=True)) as silent:
            async with open_aio_channel(f"127.0.0.1:{silent.port}", sooner) as channel:
                using = asyncio.create_task(use(channel))
                await eventually("the connection to be left", lambda: silent.seen[PING] and silent.ended)
                using.cancel()
                await asyncio.wait({using})

    asyncio.run(scenario())


TIMES = {"grpc.keepalive_time_ms", "grpc.keepalive_timeout_ms", "grpc.http2.ping_timeout_ms"}


def test_envoy_pings_a_host_less_often_than_any_grpc_server_allows() -> None:
    assert ENVOY_TO_HOST.every > DEFAULT_ALLOWED_SECONDS
    assert ENVOY_TO_HOST.every > ENVOY_TO_HOST_IDLE_SECONDS
