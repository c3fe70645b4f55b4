"""A server that stops under plain grpcio callers: each call is answered, or refused as UNAVAILABLE."""

import ast
import asyncio
import sys
from collections.abc import Awaitable, Callable

import grpc.aio
import pytest
from grpc_health.v1 import health, health_pb2_grpc

from lightbulb.client.client import RESOLVE
from lightbulb.errors import InvalidContext
from lightbulb.rpc.doors import Doors, stop_in_order
from lightbulb.rpc.status import DOMAIN, KINDS
from lightbulb.rpc.unreadable import RefusesUnreadable
from lightbulb.service.server import LightbulbServer
from lightbulb.v1 import lightbulb_pb2 as pb
from tests.ads.scripted_server import scripted_server
from tests.lightbulb.lightbulb_server import publish, settings
from tests.lightbulb.plain_callers import PROGRAM
from tests.lightbulb.tables import OBJECTIVE, TABLE

CALLERS = 16
ROUNDS = 4
REQUEST = pb.ResolveRequest(objective=OBJECTIVE, context=pb.RequestContext(user_id="u"))


async def codes(port: int, method: str, request: bytes, stop: Callable[[], Awaitable[None]]) -> dict:
    """Return how often the last calls of the callers, whom `stop` finds busy, ended with which code."""
    arguments = (f"127.0.0.1:{port}", method, request.hex(), str(CALLERS))
    callers = await asyncio.create_subprocess_exec(sys.executable, "-c", PROGRAM, *arguments, stdout=-1)
    assert callers.stdout is not None
    assert await callers.stdout.readline() == b"busy\n"
    await stop()
    told, _ = await asyncio.wait_for(callers.communicate(), 120)
    return ast.literal_eval(told.decode())


async def stopped_lightbulb() -> dict:
    async with scripted_server() as script:
        server = LightbulbServer(settings(script.target, grace=30.0))
        await server.start()
        publish(script, 1, TABLE)
        await server.feed.wait_ready()
        return await codes(server.port, RESOLVE, REQUEST.SerializeToString(), server.stop)


async def stopped_aio() -> dict:
    """As a control plane and a host stop."""
    server = grpc.aio.server()
    doors = Doors(server)
    services = RefusesUnreadable(server, kind=KINDS[InvalidContext], domain=DOMAIN, patience=None)
    health_pb2_grpc.add_HealthServicer_to_server(health.aio.HealthServicer(), services)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    return await codes(port, "/grpc.health.v1.Health/Check", b"", lambda: stop_in_order(server, doors, 30.0))


@pytest.mark.parametrize("stopped", [stopped_lightbulb, stopped_aio])
def test_no_call_of_a_plain_caller_ends_cancelled(stopped: Callable[[], Awaitable[dict]]) -> None:
    async def scenario() -> None:
        for _ in range(ROUNDS):
            assert await stopped() == {"UNAVAILABLE": CALLERS}

    asyncio.run(scenario())
