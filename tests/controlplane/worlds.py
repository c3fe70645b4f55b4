"""A host, two sidecars and a Lightbulb on one control plane, with a generation that is active."""

import contextlib
from collections.abc import AsyncIterator

from controlplane.api.status import status
from controlplane.rollout.state import Policy
from controlplane.store.contract import Store
from lightbulb.tables.values import Tables
from tests.controlplane.peers import Lightbulb, Peer, host, models, sidecar
from tests.controlplane.planes import POLICY, Plane, system
from tests.waiting import eventually


class World:
    """One host, two sidecars, one Lightbulb, on one control plane."""

    def __init__(self, plane: Plane, host: Peer, sidecars: tuple[Peer, Peer], lightbulb: Lightbulb) -> None:
        self.plane = plane
        self.host = host
        self.sidecars = sidecars
        self.lightbulb = lightbulb
        self.peers = (host, *sidecars, lightbulb)

    @property
    def tables(self) -> Tables:
        """What Lightbulb answers from."""
        return self.lightbulb.feed.tables

    def clear(self) -> None:
        """Count anew what everybody is sent."""
        for peer in self.peers:
            peer.sent.clear()

    async def published(self, *versions: int, **changes: object) -> None:
        """Publish one after the other, each when the one before has settled everywhere."""
        for version in versions:
            await self.plane.published(version, **changes)
            await self.settled()

    async def settled(self) -> None:
        """Wait until the rollout has settled, and everybody has acknowledged everything."""
        await self.plane.settled()
        await self.plane.synced(*self.peers)
        await self.lightbulb_at(self.plane.rollout.active)

    async def lightbulb_at(self, generation: int) -> None:
        await eventually(
            f"generation {generation} at Lightbulb", lambda: self.lightbulb.generation == generation
        )

    async def loaded(self, *names: str) -> None:
        await eventually(f"{names} to be loaded, and nothing else", lambda: models(self.host) == set(names))

    async def says_that_begins(self, detail: str) -> None:
        await eventually(
            f"{detail!r} in the status", lambda: status(self.plane.replica).detail.startswith(detail)
        )

    async def says(self, detail: str) -> None:
        await eventually(f"{detail!r} in the status", lambda: status(self.plane.replica).detail == detail)


@contextlib.asynccontextmanager
async def world(
    store: str | Store, policy: Policy = POLICY, generation: int = 1, **settings: object
) -> AsyncIterator[World]:
    """Have a generation active and settled; with 0, nothing is published."""
    peers = host(), sidecar("s1"), sidecar("s2"), Lightbulb()
    async with system(store, peers, policy=policy, **settings) as plane:
        await plane.knows(*peers)
        it = World(plane, peers[0], (peers[1], peers[2]), peers[3])
        if generation:
            await it.published(generation)
        yield it
