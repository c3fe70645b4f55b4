"""Sidecars, as far as their control plane can tell: a delta ADS stream each, which takes everything."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
from envoy.service.discovery.v3 import discovery_pb2

from bench.machine import allow_many_sockets
from bench.worker import answer_async
from bench.world import objective
from lightbulb.ads.session import DeltaRequest
from lightbulb.ads.stream import CHANNEL_OPTIONS
from lightbulb.ads.values import CLUSTER, ENDPOINTS, LISTENER, ROUTE, SCOPED_ROUTE, Node
from lightbulb.ads.wire import DELTA_METHOD, request_to_bytes

CONNECTING = 50
"""Sidecars that connect at a time."""


class Fleet:
    """Counts what all its sidecars were sent."""

    def __init__(self) -> None:
        self.bytes = 0
        self.messages = 0
        self._running: set[asyncio.Task[None]] = set()

    async def start(self, target: str, world: str, sidecars: int, names: dict[str, list[str]]) -> None:
        """Connect; `names` are what a sidecar asks for by name, by type."""
        for begin in range(0, sidecars, CONNECTING):
            numbers = range(begin, min(begin + CONNECTING, sidecars))
            channels = [grpc.aio.insecure_channel(target, options=list(CHANNEL_OPTIONS)) for _ in numbers]
            await asyncio.gather(*(channel.channel_ready() for channel in channels))
            for number, channel in zip(numbers, channels, strict=True):
                requests = first_requests(f"{world}/{number}", names)
                self._running.add(asyncio.create_task(self._run(channel, requests)))

    def take_counts(self) -> dict[str, int]:
        counts = {"bytes": self.bytes, "messages": self.messages}
        self.bytes = self.messages = 0
        return counts

    async def _run(self, channel: grpc.aio.Channel, requests: list[bytes]) -> None:
        outgoing: asyncio.Queue[bytes] = asyncio.Queue()
        for request in requests:
            outgoing.put_nowait(request)
        call: Any = channel.stream_stream(DELTA_METHOD)(_drain(outgoing))
        async for data in call:
            self.bytes += len(data)
            self.messages += 1
            message = discovery_pb2.DeltaDiscoveryResponse.FromString(data)
            ack = DeltaRequest(type_url=message.type_url, nonce=message.nonce)
            outgoing.put_nowait(request_to_bytes(ack))


async def _drain(outgoing: asyncio.Queue[bytes]) -> AsyncIterator[bytes]:
    while True:
        yield await outgoing.get()


def first_requests(node_id: str, names: dict[str, list[str]]) -> list[bytes]:
    """Return what a sidecar asks for; Envoy asks in this order too, over some round trips."""
    node = Node(id=node_id, metadata={"kind": "sidecar", "listen_port": "8080"})
    wildcards = dict.fromkeys((CLUSTER, LISTENER, SCOPED_ROUTE), ())
    asked = {CLUSTER: (), ENDPOINTS: tuple(names["vips"])} | wildcards | {ROUTE: tuple(names["objectives"])}
    return [
        request_to_bytes(DeltaRequest(type_url=type_url, subscribe=each, node=None if place else node))
        for place, (type_url, each) in enumerate(asked.items())
    ]


async def main() -> None:
    allow_many_sockets()
    fleet = Fleet()

    async def handle(*, do: str, **how: Any) -> dict[str, Any]:
        if do == "start":
            names = {"vips": how["vips"], "objectives": [objective(n) for n in range(how["objectives"])]}
            await fleet.start(how["target"], how["world"], how["sidecars"], names)
        return fleet.take_counts()

    await answer_async(handle)


if __name__ == "__main__":
    asyncio.run(main())
