"""A control plane's outer half: the real ADS server, which shows sidecars the world that they are named for.

A node's id says which world it is shown: WORLD/NUMBER.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import grpc.aio
from envoy.config.listener.v3 import listener_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import (
    http_connection_manager_pb2 as hcm_pb2,
)

from bench.machine import cpu_seconds
from bench.worker import answer_async
from bench.world import make_world
from controlplane.replica.replica import GATHER_SECONDS
from controlplane.xds.listener import listener
from controlplane.xds.nodes import SidecarNode, identify
from lightbulb.ads.server.server import SERVER_OPTIONS, AdsServer
from lightbulb.ads.server.snapshot import Snapshot, make_resource
from lightbulb.ads.values import LISTENER, LISTENER_NAME, Node, Resource
from lightbulb.open_files import raise_limit
from lightbulb.rpc.listen import listen

SETTLE_SECONDS = 90.0


class Plane:
    """Worlds, and who is shown them. Listens for ACKs as a replica of the control plane does."""

    def __init__(self) -> None:
        self.ads = AdsServer(self._view, on_change=self._touch)
        self._worlds: dict[str, Snapshot] = {}
        self._shown: dict[tuple[str, str, int], Snapshot] = {}
        self._touched: set[int] = set()
        self._changed = asyncio.Event()
        self._uncounted: frozenset[str] = frozenset()

    def show(self, world: str, snapshot: Snapshot, *, counts: bool = True) -> None:
        """`counts` False: its listeners keep no statistics of requests."""
        self._worlds[world] = snapshot
        self._uncounted = self._uncounted - {world} if counts else self._uncounted | {world}
        self._shown = {place: shown for place, shown in self._shown.items() if place[0] != world}
        self.ads.push()

    async def settle(self, world: str, streams: int) -> None:
        """Return when so many streams have acknowledged all of a world."""
        settled: set[int] = set()
        self._touched.update(self.ads.ids())
        while len(settled) < streams:
            touched, self._touched = self._touched, set()
            settled.update(number for number in touched if self._has_all(number, world))
            if len(settled) < streams:
                self._changed.clear()
                await self._changed.wait()
                await asyncio.sleep(GATHER_SECONDS)

    def _has_all(self, number: int, world: str) -> bool:
        stream = self.ads.stream(number)
        if stream is None or world_of(stream.node) != world:
            return False
        snapshot = self._view(stream.node)
        return snapshot is not None and not stream.unsynced(snapshot)

    def _view(self, node: Node) -> Snapshot | None:
        identity = identify(node)
        assert isinstance(identity, SidecarNode)
        name = world_of(node)
        world = self._worlds.get(name)
        if world is None:
            return None
        place = (name, identity.address, identity.port)
        shown = self._shown.get(place)
        if shown is None:
            own = listener(identity.address, identity.port, identity.client)
            assert own.name == LISTENER_NAME
            own = uncounted(own) if name in self._uncounted else own
            shown = self._shown[place] = world.replace(LISTENER, (own,))
        return shown

    def _touch(self, number: int) -> None:
        self._touched.add(number)
        self._changed.set()


def uncounted(own: Resource) -> Resource:
    """Return a listener that counts nothing for figures."""
    message = listener_pb2.Listener.FromString(own.body)
    config = message.filter_chains[0].filters[0].typed_config
    manager = hcm_pb2.HttpConnectionManager.FromString(config.value)
    del manager.access_log[:]
    config.value = manager.SerializeToString(deterministic=True)
    return make_resource(own.name, message.SerializeToString(deterministic=True))


def world_of(node: Node) -> str:
    return node.id.partition("/")[0]


async def main() -> None:
    raise_limit()
    plane, server = Plane(), grpc.aio.server(options=SERVER_OPTIONS)
    plane.ads.add_to(server)
    port = listen(server, "127.0.0.1:0")
    await server.start()

    async def handle(
        *, do: str, world: str = "", streams: int = 0, counts: bool = True, **make: Any
    ) -> dict[str, Any]:
        if do == "show":
            plane.show(world, make_world(**make), counts=counts)
        elif do == "settle":
            async with asyncio.timeout(SETTLE_SECONDS):
                await plane.settle(world, streams)
        elif do == "push":
            return await push(plane, world, streams, make_world(**make))
        return {"port": port}

    await answer_async(handle)
    await plane.ads.close()
    await server.stop(None)


async def push(plane: Plane, world: str, streams: int, snapshot: Snapshot) -> dict[str, Any]:
    """Return seconds, and CPU seconds of this process, from a change until the last ACK of it."""
    async with asyncio.timeout(SETTLE_SECONDS):
        began, cpu = time.perf_counter(), cpu_seconds(0)
        plane.show(world, snapshot)
        await plane.settle(world, streams)
        return {"time": time.perf_counter() - began, "CPU": cpu_seconds(0) - cpu}


if __name__ == "__main__":
    asyncio.run(main())
