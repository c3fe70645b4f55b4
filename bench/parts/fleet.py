"""Sidecars, as far as their control plane can tell: a delta ADS stream each, which takes everything.

A thousand of them in one process: what they are sent is mostly the same, so it is parsed once, and what
they hold is shared by all that hold it.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import grpc
import grpc.aio

from bench.worker import answer_async
from bench.world import objective
from lightbulb.ads.client.subscriber import CHANNEL_OPTIONS
from lightbulb.ads.messages import WILDCARD, DeltaRequest
from lightbulb.ads.values import ENDPOINTS, ROUTE, STAMP, TAKES_OBJECTIVES, Node
from lightbulb.ads.wire import DELTA_METHOD, SERVICE, encode_delta_request
from lightbulb.discovery import discovery_pb2
from lightbulb.open_files import raise_limit
from lightbulb.sidecar.holdings import TYPES

"""In the order in which Envoy asks for them, over some round trips."""

Asks = Mapping[str, tuple[str, ...]]
"""Names by type."""

EVERYTHING: Asks = dict.fromkeys(TYPES, (WILDCARD,))
"""What the relay of `lightbulb sidecar` asks for."""

CONNECTING = 50
"""Sidecars that connect at a time."""

CONNECT_SECONDS = 10.0
PAUSE_SECONDS = 0.2
"""Before a sidecar whose stream has ended connects again."""

PROBE_SECONDS = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """What a sidecar has of one type: name -> version. The same object for all who have the same."""

    versions: Mapping[str, str]


NOTHING = Held({})


@dataclass(frozen=True, slots=True, eq=False)
class Response:
    """A response, without its nonce. The same object for all who were sent the same."""

    type_url: str
    stamp: str
    versions: Mapping[str, str]
    removed: tuple[str, ...]


@dataclass(slots=True, eq=False)
class Sidecar:
    """One of them. What it holds, and the newest stamp that it saw, outlive its stream."""

    id: str
    asks: Asks
    takes: str = ""
    """Objectives; empty: everything."""
    held: dict[str, Held] = field(default_factory=dict)
    stamp: str = ""

    def first_requests(self) -> list[bytes]:
        """Return what it asks for: a control plane that agrees with what it holds sends nothing."""
        seen = {STAMP: self.stamp} if self.stamp else {}
        takes = {TAKES_OBJECTIVES: self.takes} if self.takes else {}
        node = Node(id=self.id, metadata={"kind": "sidecar", "listen_port": "8080", **takes, **seen})
        first = encode_delta_request(DeltaRequest(type_url="", node=node))
        requests = [
            _ask(type_url, names, self.held.get(type_url, NOTHING)) for type_url, names in self.asks.items()
        ]
        return [first + requests[0], *requests[1:]]  # messages put together are one message

    def take(self, data: bytes) -> tuple[int, bytes]:
        """Take a response; return how many resources are in it, and its ACK."""
        response, nonce = _parse(data)
        held = self.held.get(response.type_url, NOTHING)
        self.held[response.type_url] = _apply(held, response)
        self.stamp = response.stamp or self.stamp
        return len(response.versions) + len(response.removed), _ack(response.type_url, nonce)


NOBODY = Sidecar("", {})


class Fleet:
    """Counts what all its sidecars were sent, and the streams that it took."""

    def __init__(self) -> None:
        self._sidecars: list[Sidecar] = []
        self._running: list[asyncio.Task[None]] = []
        self._connecting = asyncio.Semaphore(CONNECTING)
        self._probing = asyncio.Lock()
        self._seen = -math.inf
        self._counts = {"bytes": 0, "messages": 0, "resources": 0, "streams": 0}

    def connect(  # noqa: PLR0913 - of which three are needed
        self,
        target: str,
        prefix: str,
        sidecars: int,
        asks: Asks = EVERYTHING,
        *,
        parts: Sequence[str] = (),
        warm: bool = False,
    ) -> None:
        """Let so many more sidecars connect, and subscribe to what each `asks` for.

        Those that are `warm` hold from the start what the first one of all holds. With `parts` each takes one
        of these, the first sidecar the first, and so on, around. One whose stream ends connects again, and
        says what it holds.
        """
        first = self._sidecars[0] if warm else NOBODY
        for number in range(len(self._sidecars), len(self._sidecars) + sidecars):
            takes = parts[number % len(parts)] if parts else ""
            sidecar = Sidecar(f"{prefix}/{number}", asks, takes, dict(first.held), first.stamp)
            self._sidecars.append(sidecar)
            self._running.append(asyncio.create_task(self._live(sidecar, target)))

    def take_counts(self) -> dict[str, int]:
        """Return what was sent since the last time."""
        counts = dict(self._counts)
        self._counts = dict.fromkeys(counts, 0)
        return counts

    async def close(self) -> None:
        """End every stream."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _live(self, sidecar: Sidecar, target: str) -> None:
        while True:
            await self._wait_for(target)
            async with grpc.aio.insecure_channel(target, options=list(CHANNEL_OPTIONS)) as channel:
                with contextlib.suppress(TimeoutError, grpc.aio.AioRpcError):
                    async with self._connecting, asyncio.timeout(CONNECT_SECONDS):
                        await channel.channel_ready()
                    self._counts["streams"] += 1
                    await self._converse(sidecar, channel)
            self._seen = -math.inf
            await asyncio.sleep(PAUSE_SECONDS)

    async def _wait_for(self, target: str) -> None:
        """Return once somebody listens; all sidecars look together, or that would be all that they do."""
        if target.startswith("unix:"):
            return  # a relay's, which is there
        host, _, port = target.rpartition(":")
        async with self._probing:
            while time.monotonic() - self._seen > 1.0:
                try:
                    _, writer = await asyncio.open_connection(host, int(port))
                except OSError:
                    await asyncio.sleep(PROBE_SECONDS)
                    continue
                writer.close()
                self._seen = time.monotonic()

    async def _converse(self, sidecar: Sidecar, channel: grpc.aio.Channel) -> None:
        outgoing: asyncio.Queue[bytes | None] = asyncio.Queue()
        for request in sidecar.first_requests():
            outgoing.put_nowait(request)
        call: Any = channel.stream_stream(f"/{SERVICE}/{DELTA_METHOD}")(_drain(outgoing))
        try:
            async for data in call:
                resources, ack = sidecar.take(data)
                outgoing.put_nowait(ack)
                self._counts["bytes"] += len(data)
                self._counts["messages"] += 1
                self._counts["resources"] += resources
        finally:
            outgoing.put_nowait(None)


async def _drain(outgoing: asyncio.Queue[bytes | None]) -> AsyncIterator[bytes]:
    while (request := await outgoing.get()) is not None:
        yield request


@lru_cache(maxsize=64)
def _ask(type_url: str, names: tuple[str, ...], held: Held) -> bytes:
    return encode_delta_request(
        DeltaRequest(type_url=type_url, subscribe=names, initial_versions=held.versions)
    )


@lru_cache(maxsize=1024)
def _ack(type_url: str, nonce: str) -> bytes:
    return encode_delta_request(DeltaRequest(type_url=type_url, nonce=nonce))


@lru_cache(maxsize=32)
def _parse(data: bytes) -> tuple[Response, str]:
    message = discovery_pb2.DeltaDiscoveryResponse.FromString(data)
    response = _shared(
        message.type_url,
        message.system_version_info,
        tuple((each.name, each.version) for each in message.resources),
        tuple(message.removed_resources),
    )
    return response, message.nonce


@lru_cache(maxsize=32)
def _shared(
    type_url: str, stamp: str, versions: tuple[tuple[str, str], ...], removed: tuple[str, ...]
) -> Response:
    return Response(type_url, stamp, dict(versions), removed)


@lru_cache(maxsize=64)
def _apply(held: Held, response: Response) -> Held:
    kept = {name: version for name, version in held.versions.items() if name not in response.removed}
    return Held({**kept, **response.versions})


def by_name(vips: list[str], objectives: int) -> Asks:
    """Return what an Envoy asks for that has no relay: endpoints and routes by their names."""
    names = tuple(objective(number) for number in range(objectives))
    return {**dict.fromkeys(TYPES, ()), ENDPOINTS: tuple(vips), ROUTE: names}


async def main() -> None:
    raise_limit()
    fleet = Fleet()

    async def handle(*, do: str, **how: Any) -> dict[str, Any]:
        if do == "start":
            asks = by_name(how["vips"], how["objectives"])
            fleet.connect(how["target"], how["world"], how["sidecars"], asks)
        elif do == "connect":
            fleet.connect(how["target"], "sidecar", how["sidecars"], warm=how["warm"], parts=how["parts"])
        return fleet.take_counts() if do == "count" else {}

    await answer_async(handle)
    await fleet.close()


if __name__ == "__main__":
    asyncio.run(main())
