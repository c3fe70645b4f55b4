"""A Lightbulb on the real ADS server: what the one sends, the other serves."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace

import grpc.aio

from lightbulb.ads.server.server import SERVER_OPTIONS, AdsServer
from lightbulb.ads.server.snapshot import EMPTY_SNAPSHOT, Snapshot, make_resource
from lightbulb.ads.values import ACTIVE_GENERATION, OBJECTIVE_TABLES, Node
from lightbulb.client.client import LightbulbClient
from lightbulb.model import ActiveGeneration, ObjectiveTable, RequestContext
from lightbulb.resolution.codec import generation_to_bytes
from lightbulb.service.server import LightbulbServer
from tests.lightbulb.lightbulb_server import settings
from tests.lightbulb.tables import OBJECTIVE, TABLE, tables_to_bytes
from tests.waiting import eventually

USER = RequestContext(user_id="u")
OTHERS = tuple(replace(TABLE, objective=f"Objective{number}") for number in range(50))


def snapshot(number: int, *tables: ObjectiveTable, broken: str = "") -> Snapshot:
    resources = [make_resource(t.objective, tables_to_bytes(t)) for t in tables]
    if broken:
        resources.append(make_resource(broken, b"\xff"))
    body = generation_to_bytes(ActiveGeneration(number=number, content_hash=f"h{number}"))
    return EMPTY_SNAPSHOT.replace(OBJECTIVE_TABLES, resources).replace(
        ACTIVE_GENERATION, [make_resource("active", body)]
    )


class ControlPlane:
    """What every node should have, and the server that tells them."""

    def __init__(self) -> None:
        self.snapshot: Snapshot | None = None
        self.ads = AdsServer(self._view)
        self.target = ""

    def _view(self, node: Node) -> Snapshot | None:
        assert node.kind == "lightbulb"
        return self.snapshot

    def publish(self, wanted: Snapshot) -> None:
        self.snapshot = wanted
        self.ads.push()


@contextlib.asynccontextmanager
async def control_plane(port: int = 0, start_with: Snapshot | None = None) -> AsyncIterator[ControlPlane]:
    plane, server = ControlPlane(), grpc.aio.server(options=SERVER_OPTIONS)
    plane.snapshot = start_with
    plane.ads.add_to(server)
    plane.target = f"127.0.0.1:{server.add_insecure_port(f'127.0.0.1:{port}')}"
    await server.start()
    try:
        yield plane
    finally:
        await plane.ads.close()
        await server.stop(1.0)


def test_a_publish_a_change_and_a_refusal_reach_the_lightbulb_and_a_restart_changes_nothing() -> None:
    async def scenario() -> None:
        async with control_plane() as plane:
            lightbulb = LightbulbServer(settings(plane.target))
            await lightbulb.start()
            async with LightbulbClient(f"127.0.0.1:{lightbulb.port}", timeout=60.0) as client:
                await _publish_and_change(plane, lightbulb, client)
            last = plane.snapshot
        taken = lightbulb.feed.tables
        async with control_plane(int(plane.target.rpartition(":")[2]), last) as again:
            await eventually("the Lightbulb to come back", again.ads.streams)
            again.publish(snapshot(4, *OTHERS, TABLE))
            await eventually("generation 4", lambda: lightbulb.feed.tables.generation.number == 4)
            # nothing but the number was applied: each table is the object that it was
            now = lightbulb.feed.tables.objectives
            assert all(now[name] is timeline for name, timeline in taken.objectives.items())
            await lightbulb.stop()

    asyncio.run(scenario())


async def _publish_and_change(
    plane: ControlPlane, lightbulb: LightbulbServer, client: LightbulbClient
) -> None:
    plane.publish(snapshot(1, *OTHERS, TABLE))
    await asyncio.wait_for(lightbulb.feed.wait_ready(), 60)
    assert len(lightbulb.feed.tables.objectives) == len(OTHERS) + 1
    answer = await client.resolve(OBJECTIVE, USER)
    assert (answer.generation, answer.cache_lifetime) == (1, 60.0)

    plane.publish(snapshot(2, *OTHERS, replace(TABLE, cache_lifetime=5.0)))
    await eventually("generation 2", lambda: lightbulb.feed.tables.generation.number == 2)
    answer = await client.resolve(OBJECTIVE, USER)
    assert (answer.generation, answer.cache_lifetime) == (2, 5.0)

    plane.publish(snapshot(3, *OTHERS, TABLE, broken="Broken"))
    await eventually("generation 3", lambda: lightbulb.feed.tables.generation.number == 3)
    assert (await client.resolve(OBJECTIVE, USER)).cache_lifetime == 60.0
    (stream,) = plane.ads.streams()
    assert stream.rejected.keys() == {"Broken"}
    assert "not a lightbulb.v1.ObjectiveTables" in stream.rejected["Broken"]
