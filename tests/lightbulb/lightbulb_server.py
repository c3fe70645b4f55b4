"""A real Lightbulb on localhost, fed by a scripted control plane."""

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator
from pathlib import Path

import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from lightbulb.ads.values import ACTIVE_GENERATION, OBJECTIVE_TABLES, SIDECAR_STATE
from lightbulb.model import ActiveGeneration, ObjectiveTable, SidecarState
from lightbulb.resolution.codec import generation_to_bytes, sidecar_state_to_bytes
from lightbulb.service.server import LightbulbServer, LightbulbSettings
from tests.ads.scripted_server import ScriptedServer, resource, scripted_server
from tests.lightbulb.tables import TABLE, tables_to_bytes


def publish(script: ScriptedServer, number: int, *tables: ObjectiveTable, **rest: int | str) -> None:
    """Show tables, then a generation; `rest` are further fields of it."""
    script.set(OBJECTIVE_TABLES, *(resource(t.objective, tables_to_bytes(t)) for t in tables))
    body = generation_to_bytes(ActiveGeneration(number=number, content_hash=f"h{number}", **rest))
    script.set(ACTIVE_GENERATION, resource("active", body))


def sidecars(script: ScriptedServer, **states: int) -> None:
    """Show what sidecars route."""
    bodies = {name: sidecar_state_to_bytes(SidecarState(generation=at)) for name, at in states.items()}
    script.set(SIDECAR_STATE, *(resource(name, body) for name, body in bodies.items()))


def settings(
    control_plane: str,
    listen: str = "127.0.0.1:0",
    *,
    grace: float = 2.0,
    state: Path | None = None,
    tables: str = "",
    max_age: float = math.inf,
    native: bool = False,
) -> LightbulbSettings:
    return LightbulbSettings(
        listen=listen,
        control_plane=control_plane,
        node_id="lightbulb-1",
        grace=grace,
        state=state,
        tables=tables,
        max_age=max_age,
        native=native,
    )


@contextlib.asynccontextmanager
async def lightbulb(
    script: ScriptedServer,
    grace: float = 2.0,
    state: Path | None = None,
    tables: str = "",
    max_age: float = math.inf,
    *,
    native: bool = False,
) -> AsyncIterator[LightbulbServer]:
    server = LightbulbServer(
        settings(script.target, grace=grace, state=state, tables=tables, max_age=max_age, native=native)
    )
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@contextlib.asynccontextmanager
async def serving(*tables: ObjectiveTable, native: bool = False) -> AsyncIterator[str]:
    """Give the address of a Lightbulb that serves these tables (or TABLE) as generation 1."""
    async with scripted_server() as script, lightbulb(script, native=native) as server:
        publish(script, 1, *(tables or (TABLE,)))
        await asyncio.wait_for(server.feed.wait_ready(), 60)
        yield f"127.0.0.1:{server.port}"


async def health(channel: grpc.aio.Channel, service: str = "") -> str:
    stub = health_pb2_grpc.HealthStub(channel)
    response = await stub.Check(health_pb2.HealthCheckRequest(service=service))
    return health_pb2.HealthCheckResponse.ServingStatus.Name(response.status)
