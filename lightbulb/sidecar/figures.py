"""Tells a control plane what Envoy counted of the routes that it asks for; nothing while it asks for none.

What was told isn't told again, whether or not it arrived: some may be lost, and none is counted twice. What
was counted before this relay started was its predecessor's to tell.
"""

from __future__ import annotations

import asyncio
import http.client
import itertools
import logging
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import grpc
import grpc.aio

from lightbulb.ads.client.subscriber import Backoff
from lightbulb.rpc.channels import open_aio_channel
from lightbulb.rpc.keepalive import SUBSCRIBER_TO_ADS, pings
from lightbulb.sidecar.admin import Address, ask
from lightbulb.sidecar.counters import (
    NOTHING_READ,
    Ended,
    Reading,
    UnreadableStatistics,
    is_level,
    read_statistics,
    rise,
    statistics_path,
)
from lightbulb.v1 import telemetry_pb2 as pb
from lightbulb.v1.telemetry_pb2_grpc import TelemetryServiceStub

log = logging.getLogger(__name__)

MAX_BODY = 16 * 1024 * 1024
"""Bytes of statistics that are read: 200 routes have a third of a megabyte."""

LEAST_SECONDS = 0.1
"""Between two looks, however often the control plane asks."""

LOOKS = 5
"""At what was counted before, while the histograms lag behind."""

NOT_SERVED_SECONDS = 60.0
"""Until a control plane that knows nothing of figures is asked again."""

CHANNEL_OPTIONS = (*pings(SUBSCRIBER_TO_ADS), ("grpc.use_local_subchannel_pool", 1))


class FiguresTeller:
    """Tells what the Envoy with an admin address counted; `targets` are "host:port" of the replicas."""

    def __init__(self, node_id: str, targets: Sequence[str], admin: Address) -> None:
        """Know nothing yet: `begin` comes first."""
        self._node_id = node_id
        self._targets = tuple(targets)
        self._admin = admin
        self._told: Reading | None = None
        self._backoff = Backoff()

    async def begin(self) -> None:
        """Take what was counted so far for told. An Envoy that doesn't run has counted nothing."""
        try:
            self._told = await self._level()
        except ConnectionRefusedError:
            self._told = NOTHING_READ
        except (OSError, http.client.HTTPException, UnreadableStatistics) as error:
            log.warning(
                "Envoy's statistics can't be read yet (%s): what it counted until then isn't told", error
            )

    async def _level(self) -> Reading:
        """Return what was counted, once Envoy's histograms, which lag, have as much as its counters."""
        reading = await self._look(None)
        for _ in range(LOOKS - 1):
            if is_level(reading):
                break
            await asyncio.sleep(LEAST_SECONDS)
            reading = await self._look(None)
        return reading

    async def run(self) -> None:
        """Tell until cancelled."""
        failures = 0
        for target in itertools.cycle(self._targets):
            heard, delay = False, 0.0
            try:
                heard = await self._tell(target)
            except grpc.aio.AioRpcError as error:
                log.info("figures: %s: %s: %s", target, error.code().name, error.details())
                if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                    delay = NOT_SERVED_SECONDS
            except asyncio.InvalidStateError:  # from a write: the stream had ended
                log.info("figures: %s: the stream has ended", target)
            except Exception:  # a fault here must not end the relay
                log.exception("figures: telling %s failed", target)
            failures = 1 if heard else failures + 1
            await asyncio.sleep(max(delay, self._backoff.delay(failures, random.random)))

    async def _tell(self, target: str) -> bool:
        """Tell one replica for as long as it listens; return whether it ever asked for something."""
        async with open_aio_channel(target, CHANNEL_OPTIONS) as channel:
            return await self._converse(TelemetryServiceStub(channel).Figures())

    async def _converse(self, call: Any) -> bool:
        wanted = pb.FiguresResponse()
        heard = False
        # A task of its own: grpc.aio can swallow the cancellation of whoever reads.
        reading = asyncio.ensure_future(call.read())
        try:
            await call.write(pb.FiguresRequest(node_id=self._node_id))
            while True:
                seconds = max(LEAST_SECONDS, wanted.interval.ToTimedelta().total_seconds())
                done, _ = await asyncio.wait({reading}, timeout=seconds if wanted.routes else None)
                if done:
                    message = reading.result()
                    if message is grpc.aio.EOF:
                        return heard
                    wanted, heard = message, True
                    reading = asyncio.ensure_future(call.read())
                if wanted.routes:
                    await call.write(pb.FiguresRequest(routes=await self._news(wanted.routes)))
        finally:
            call.cancel()
            reading.cancel()
            # To await it would take a cancellation of this task for that of the read.
            await asyncio.wait({reading})
            if not reading.cancelled():
                reading.exception()  # what it ended with is the call's end, which was told

    async def _news(self, routes: Iterable[str]) -> list[pb.RouteFigures]:
        """Return what was counted since it was last told; nothing when Envoy can't be asked."""
        try:
            now = await self._look(routes)
        except (OSError, http.client.HTTPException, UnreadableStatistics) as error:
            log.info("Envoy's statistics can't be read: %s", error)
            return []
        if self._told is None:
            self._told = now
            return []
        news = rise(self._told, now)
        self._told = {**self._told, **now}
        return _to_proto(news)

    async def _look(self, routes: Iterable[str] | None) -> Reading:
        path = statistics_path(routes)
        return read_statistics(await asyncio.to_thread(get_statistics, self._admin, path))


def get_statistics(admin: Address, path: str) -> bytes:
    """Return what Envoy says; raises OSError, HTTPException and UnreadableStatistics. Blocking."""
    status, body = ask(admin, "GET", path, MAX_BODY)
    if status != http.client.OK:
        raise UnreadableStatistics(f"status {status}")
    return body


def _to_proto(news: Reading) -> list[pb.RouteFigures]:
    figures: dict[str, pb.RouteFigures] = defaultdict(pb.RouteFigures)
    for key, count in news.items():
        route = figures[key.route]
        route.route = key.route
        if isinstance(key, Ended):
            route.ends.add(grpc_status=key.status, flags=key.flags, requests=count)
        else:
            route.durations.add(microseconds=key.microseconds, requests=count)
    return [figures[name] for name in sorted(figures)]
