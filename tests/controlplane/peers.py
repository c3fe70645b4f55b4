"""Light-weight consumers on real streams: hosts, sidecars, Lightbulbs. They count what they are sent."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

import grpc
import grpc.aio
from envoy.config.endpoint.v3 import endpoint_pb2
from envoy.service.discovery.v3 import ads_pb2_grpc, discovery_pb2

from lightbulb.ads.client.session import Update
from lightbulb.ads.client.subscriber import Subscriber
from lightbulb.ads.messages import DeltaRequest, DeltaResponse
from lightbulb.ads.values import (
    CLUSTER,
    ENDPOINTS,
    LISTENER,
    MODEL_ASSIGNMENT,
    ROUTE,
    SCOPED_ROUTE,
    Node,
    Resource,
)
from lightbulb.ads.wire import encode_delta_request
from lightbulb.tables.feed import AFRESH, TYPES, Feed
from tests.ads.scripted_server import SOON
from tests.controlplane.workspaces import SHARD

SIDECAR_TYPES = (CLUSTER, ENDPOINTS, LISTENER, SCOPED_ROUTE, ROUTE)

_numbers = itertools.count(1)


class CountingSubscriber(Subscriber):
    """Also counts what came over the wire, be it news or not."""

    peer: Peer

    async def _deliver(self, stream: Any, response: DeltaResponse) -> None:
        self.peer.count(response)
        await super()._deliver(stream, response)


class Peer:
    """A consumer. `refuses`: resource name -> reason. What it holds back it neither applies nor answers."""

    def __init__(self, node: Node, types: tuple[str, ...], afresh: tuple[str, ...] = ()) -> None:
        self.node = node
        self.refuses: dict[str, str] = {}
        self.resources: dict[str, dict[str, Resource]] = {type_url: {} for type_url in types}
        self.sent: Counter[str] = Counter()
        """By type: resources, and names of removed ones, that were sent since it was last cleared."""
        self.types = types
        self._afresh = afresh
        self._free: dict[str, asyncio.Event] = defaultdict(_set_event)
        self._subscriber: CountingSubscriber | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def id(self) -> str:
        return self.node.id

    @property
    def port(self) -> int:
        """A host's port."""
        return int(self.node.metadata["port"])

    @property
    def connected(self) -> bool:
        return self._subscriber is not None and self._subscriber.connected

    def hold(self, *types: str) -> None:
        """Answer nothing of these types, or of any, until `release`."""
        for type_url in types or self.types:
            self._free[type_url].clear()

    def release(self) -> None:
        """Answer from now on, also what came meanwhile."""
        for event in self._free.values():
            event.set()

    def count(self, response: DeltaResponse) -> None:
        self.sent[response.type_url] += len(response.resources) + len(response.removed)

    async def connect(self, *targets: str) -> None:
        """Connect to one of `targets`, with what is held; leave the one that it was connected to."""
        await self.disconnect()
        before = self._subscriber
        self._subscriber = CountingSubscriber(
            targets=targets,
            node=self.node,
            types=self.types,
            apply=self._hold_then_apply,
            afresh=self._afresh,
            opened=self.opened,
            backoff=SOON,
        )
        self._subscriber.peer = self
        if before is not None:
            self._subscriber._session = before._session  # it remembers what it has, and the fence
        self._task = asyncio.create_task(self._subscriber.run())

    async def leave(self) -> None:
        """End in order."""
        await self._subscriber.leave()
        await self.disconnect()

    async def disconnect(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    def opened(self) -> None:
        """Take note that a stream opens."""

    async def apply(self, update: Update) -> Mapping[str, str]:
        """Apply what isn't refused."""
        held = self.resources[update.type_url]
        refused = {each.name: self.refuses[each.name] for each in update.added if each.name in self.refuses}
        held.update({each.name: each for each in update.added if each.name not in refused})
        for name in update.removed:
            del held[name]
        return refused

    async def _hold_then_apply(self, update: Update) -> Mapping[str, str]:
        await self._free[update.type_url].wait()
        return await self.apply(update)


def host(name: str = "h1", shard: str = SHARD, **metadata: str) -> Peer:
    """Return a host of a shard, at a port that no other has."""
    place = {"kind": "host", "shard": shard, "address": "127.0.0.1", "memory_mib": "2048"}
    place["port"] = str(20_000 + next(_numbers))
    return Peer(Node(id=name, cluster=shard, metadata=place | metadata), (MODEL_ASSIGNMENT,))


def models(peer: Peer) -> set[str]:
    """Return the models that a host has loaded."""
    return set(peer.resources[MODEL_ASSIGNMENT])


def sidecar(name: str = "s1", **metadata: str) -> Peer:
    """Return a sidecar whose listener has a port that no other has."""
    port = str(30_000 + next(_numbers))
    return Peer(Node(id=name, metadata={"kind": "sidecar", "listen_port": port, **metadata}), SIDECAR_TYPES)


def endpoints(peer: Peer, vip: str = "vip-a") -> set[int]:
    """Return the ports of a VIP's hosts, as a sidecar knows them."""
    message = endpoint_pb2.ClusterLoadAssignment.FromString(peer.resources[ENDPOINTS][vip].body)
    return {
        each.endpoint.address.socket_address.port_value
        for locality in message.endpoints
        for each in locality.lb_endpoints
    }


def routes(peer: Peer, key: str) -> bool:
    """Say whether a sidecar knows a routing key."""
    return any(key.encode() in each.body for each in peer.resources[ROUTE].values())


def vips_of(peer: Peer, objective: str) -> set[str]:
    """Return the VIPs that an objective's keys lead to at a sidecar."""
    return {vip for vip in peer.resources[CLUSTER] if vip.encode() in peer.resources[ROUTE][objective].body}


class Lightbulb(Peer):
    """Keeps what comes in a Feed, as the real one does."""

    def __init__(self, name: str = "l1", **metadata: str) -> None:
        super().__init__(
            Node(id=name, metadata={"kind": "lightbulb", "tenants": "1", "controls": "1", **metadata}),
            TYPES,
            AFRESH,
        )
        self.feed = Feed()

    @property
    def generation(self) -> int:
        return self.feed.tables.generation.number

    def opened(self) -> None:
        self.feed.open_stream()

    async def apply(self, update: Update) -> Mapping[str, str]:
        refused = {each.name: self.refuses[each.name] for each in update.added if each.name in self.refuses}
        taken = tuple(each for each in update.added if each.name not in refused)
        return {**await self.feed.apply(replace(update, added=taken)), **refused}


async def refusal(target: str, peer: Peer) -> tuple[grpc.StatusCode, str]:
    """Return the status with which a control plane ends a consumer's stream."""
    async with grpc.aio.insecure_channel(target) as channel:
        call = ads_pb2_grpc.AggregatedDiscoveryServiceStub(channel).DeltaAggregatedResources()
        request = encode_delta_request(DeltaRequest(type_url=peer.types[0], node=peer.node))
        await call.write(discovery_pb2.DeltaDiscoveryRequest.FromString(request))
        return await asyncio.wait_for(call.code(), 60), await call.details()


@contextlib.asynccontextmanager
async def connected(target: str, *peers: Peer) -> AsyncIterator[None]:
    """Have `peers` connect to one target."""
    try:
        for peer in peers:
            await peer.connect(target)
        yield
    finally:
        for peer in peers:
            await peer.disconnect()


def _set_event() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event
