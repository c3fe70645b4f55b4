"""Relays, as far as a control plane can tell: a stream each, which tells what an Envoy may have counted."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Iterable
from typing import Any

import grpc.aio

from bench.worker import answer_async
from controlplane.lifecycle.bins import edge_at_most
from lightbulb.ads.client.subscriber import CHANNEL_OPTIONS
from lightbulb.open_files import raise_limit
from lightbulb.v1 import telemetry_pb2 as pb
from lightbulb.v1.telemetry_pb2_grpc import TelemetryServiceStub

REQUESTS = 1_000
"""Of an arm, that each relay tells of at once."""

FAILED = 3
MEDIAN_MILLISECONDS, SPREAD = 12.0, 0.5
"""Of how long requests take: log-normal, so that some fifty of Envoy's bins have some."""

READY_SECONDS = 60.0
CHANNELS = 100
"""Connections: enough that none has more streams than a server takes."""


class Relays:
    """Streams to one control plane, and what each tells."""

    def __init__(self) -> None:
        self._channels: list[grpc.aio.Channel] = []
        self._streams: list[Any] = []
        self._routes: tuple[str, ...] = ()

    async def connect(self, target: str, relays: int) -> None:
        """Open a stream for each sidecar of a fleet, and wait for what is wanted."""
        options = list(CHANNEL_OPTIONS)
        self._channels = [grpc.aio.insecure_channel(target, options=options) for _ in range(CHANNELS)]
        for number in range(relays):
            stream: Any = TelemetryServiceStub(self._channels[number % CHANNELS]).Figures()
            await stream.write(pb.FiguresRequest(node_id=f"sidecar/{number}"))
            self._streams.append(stream)
        async with asyncio.timeout(READY_SECONDS):
            for stream in self._streams:
                self._routes = tuple((await stream.read()).routes)
        assert self._routes, "the control plane wants no figures"

    async def tell(self, over: float) -> None:
        """Have each relay tell once, one after the other, spread over so many seconds."""
        loop, dice = asyncio.get_running_loop(), random.Random(1)
        told = [pb.FiguresRequest(routes=figures(self._routes, dice)) for _ in range(10)]
        began = loop.time()
        for number, stream in enumerate(self._streams):
            await asyncio.sleep(max(0.0, began + over * number / len(self._streams) - loop.time()))
            await stream.write(told[number % len(told)])
        await asyncio.sleep(max(0.0, began + over - loop.time()))

    async def close(self) -> None:
        """End every stream."""
        for channel in self._channels:
            await channel.close()


def figures(routes: Iterable[str], dice: random.Random) -> list[pb.RouteFigures]:
    """Return what was counted of each route."""
    return [_of_route(route, dice) for route in routes]


def _of_route(route: str, dice: random.Random) -> pb.RouteFigures:
    took = (MEDIAN_MILLISECONDS * 1_000 * dice.lognormvariate(0, SPREAD) for _ in range(REQUESTS))
    return pb.RouteFigures(
        route=route,
        ends=[
            pb.EndCount(grpc_status="0", flags="-", requests=REQUESTS - FAILED),
            pb.EndCount(grpc_status="14", flags="UF", requests=FAILED),
        ],
        durations=[
            pb.DurationBin(microseconds=edge, requests=count)
            for edge, count in sorted(Counter(map(edge_at_most, took)).items())
        ],
    )


async def main() -> None:
    logging.disable(logging.WARNING)
    raise_limit()
    relays = Relays()

    async def handle(*, do: str, **how: Any) -> dict[str, Any]:
        if do == "connect":
            await relays.connect(**how)
        elif do == "tell":
            await relays.tell(**how)
        return {}

    await answer_async(handle)
    await relays.close()


if __name__ == "__main__":
    asyncio.run(main())
