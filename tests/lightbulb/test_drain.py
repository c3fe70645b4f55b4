"""A server that stops under plain grpcio callers: each call is answered, or refused as UNAVAILABLE."""

import ast
import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable

import pytest

from lightbulb.client.client import RESOLVE
from lightbulb.service.server import LightbulbServer
from lightbulb.v1 import lightbulb_pb2 as pb
from tests.ads.scripted_server import scripted_server
from tests.controlplane.planes import POLICY, plane
from tests.host.hosts import infer, running
from tests.host.workflows import Echo, assign
from tests.lightbulb.lightbulb_server import publish, settings
from tests.lightbulb.plain_callers import PROGRAM
from tests.lightbulb.tables import OBJECTIVE, TABLE

CALLERS = 16
ROUNDS = 4
GET_STATUS = "/lightbulb.v1.ControlPlane/GetStatus"
MODEL_INFER = "/inference.GRPCInferenceService/ModelInfer"
REQUEST = pb.ResolveRequest(objective=OBJECTIVE, context=pb.RequestContext(user_id="u"))


async def codes(port: int, method: str, request: bytes, stop: Callable[[], Awaitable[None]]) -> dict:
    """Return how often the last calls of the callers, whom `stop` finds busy, ended with which code."""
    arguments = (f"127.0.0.1:{port}", method, request.hex(), str(CALLERS))
    callers = await asyncio.create_subprocess_exec(sys.executable, "-c", PROGRAM, *arguments, stdout=-1)
    assert callers.stdout is not None
    assert await asyncio.wait_for(callers.stdout.readline(), 120) == b"busy\n"
    await stop()
    told, _ = await asyncio.wait_for(callers.communicate(), 120)
    return ast.literal_eval(told.decode())


async def stopped_lightbulb(native: bool = False) -> dict:
    async with scripted_server() as script:
        server = LightbulbServer(settings(script.target, grace=30.0, native=native))
        await server.start()
        publish(script, 1, TABLE)
        await server.feed.wait_ready()
        return await codes(server.port, RESOLVE, REQUEST.SerializeToString(), server.stop)


async def stopped_native_lightbulb() -> dict:
    return await stopped_lightbulb(native=True)


async def stopped_control_plane() -> dict:
    with tempfile.TemporaryDirectory() as folder:
        async with plane(f"sqlite:{folder}/store.db", policy=POLICY) as it:
            return await codes(it.port, GET_STATUS, b"", it.stop)


async def stopped_host() -> dict:
    async with running({"echo@1": Echo}) as it:
        await it.assign(assign("echo@1"))
        return await codes(it.host.port, MODEL_INFER, infer("echo@1", 1).SerializeToString(), it.host.stop)


@pytest.mark.parametrize(
    "stopped", [stopped_lightbulb, stopped_native_lightbulb, stopped_control_plane, stopped_host]
)
def test_no_call_of_a_plain_caller_ends_cancelled(stopped: Callable[[], Awaitable[dict]]) -> None:
    async def scenario() -> None:
        for _ in range(ROUNDS):
            assert await stopped() == {"UNAVAILABLE": CALLERS}

    asyncio.run(scenario())
