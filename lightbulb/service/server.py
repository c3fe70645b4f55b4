"""The Lightbulb service: a thin gRPC shell around Feed (what is known) and Responder (what is answered).

Never in the path of an inference request. Calls come by a Transport, grpcio's or the native one, which
answers them in threads of its own: no call waits while tables are compiled.
"""

from __future__ import annotations

import asyncio
import logging
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grpc_health.v1 import health_pb2

from lightbulb.ads.values import EVERYTHING, Takes
from lightbulb.model import Freshness
from lightbulb.rpc.health import Health
from lightbulb.service.freshness import freshness_responder
from lightbulb.service.grpcio_transport import GrpcioTransport
from lightbulb.service.responder import Responder
from lightbulb.service.tables_server import TablesServer
from lightbulb.service.transport import SERVICE, Methods, Transport
from lightbulb.signals import stop_at_signals, until
from lightbulb.tables.live import LiveTables

log = logging.getLogger(__name__)

AGE_SECONDS = 0.5
"""How often the age of the tables is looked at, where there is a limit of it."""

_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@dataclass(frozen=True, slots=True, kw_only=True)
class LightbulbSettings:
    """Addresses are "host:port"; for port 0 the system chooses one. `grace`: seconds for calls under way.

    `control_plane` may name several replicas, with commas between them. `state` is a folder for what the
    control plane sent: with it a Lightbulb can start, and serve, while no control plane can be reached.
    `tables` is where clients that resolve in their own process get tables; empty: nowhere. After `max_age`
    seconds without a control plane health says NOT_SERVING; it goes on answering whoever asks.
    """

    listen: str
    control_plane: str
    node_id: str
    cluster: str = ""
    grace: float = 5.0
    state: Path | None = None
    takes: Takes = EVERYTHING
    """What it answers; by default all there is."""
    tables: str = ""
    max_age: float = math.inf
    native: bool = False
    """Whether calls come by the native transport in place of grpcio's."""


class LightbulbServer:
    """A Lightbulb. Call `start`, then read `port`, then call `stop`, all in one event loop."""

    def __init__(self, settings: LightbulbSettings) -> None:
        self._live = LiveTables(
            control_plane=settings.control_plane,
            node_id=settings.node_id,
            cluster=settings.cluster,
            state=settings.state,
            takes=settings.takes,
        )
        self.feed = self._live.feed
        self.port = 0
        self._settings = settings
        self._health = Health()
        responder = Responder(lambda: self.feed.tables)
        methods = {
            "Resolve": responder.resolve,
            "BatchResolve": responder.batch_resolve,
            "GetFreshness": freshness_responder(lambda: self.freshness),
        }
        self._transport = _make_transport(methods, self._health, native=settings.native)
        self._serving: asyncio.Task[None] | None = None
        self._tables = TablesServer(self._live) if settings.tables else None

    @property
    def tables_port(self) -> int:
        """Where clients get tables; 0: nowhere."""
        return 0 if self._tables is None else self._tables.port

    @property
    def freshness(self) -> Freshness:
        """How new what it answers from is."""
        return self._live.freshness

    async def start(self) -> None:
        """Listen, and subscribe to the control plane. Raises CannotListen.

        Health is NOT_SERVING until a whole generation has come, from disk or from the control plane.
        """
        self._set_health(_NOT_SERVING)
        self.port = self._transport.listen(self._settings.listen)
        if self._tables is not None:
            await self._tables.start(self._settings.tables)
        await self._live.start()
        self._transport.start()
        self._serving = asyncio.create_task(self._serve_when_ready())
        log.info("listening on %s (port %d)", self._settings.listen, self.port)

    async def run_until(self, stop: asyncio.Event) -> None:
        """Return when `stop` is set, or when the tables are kept up to date no more (`failed`)."""
        await until(stop, self._live.running)

    def failed(self) -> None:
        """Raise what ended the feed, if anything has."""
        if self._live.running.done() and not self._live.running.cancelled():
            self._live.running.result()

    async def stop(self) -> None:
        """Drain: health says NOT_SERVING, new calls are refused, and calls under way get `grace` seconds."""
        self._health.leave()
        await self._transport.stop(self._settings.grace)
        if self._serving is not None:
            self._serving.cancel()
            await asyncio.wait({self._serving})
        if self._tables is not None:
            await self._tables.stop()
        await self._live.stop()
        log.info("stopped")

    async def _serve_when_ready(self) -> None:
        await self.feed.wait_ready()
        self._set_health(_SERVING)
        log.info("serving generation %d", self.feed.tables.generation.number)
        if self._settings.max_age < math.inf:
            await self._watch_age(self._settings.max_age)

    async def _watch_age(self, most: float) -> None:
        serving = True
        while True:
            now = self.freshness
            if serving is not (now.age <= most):
                serving = not serving
                self._set_health(_SERVING if serving else _NOT_SERVING)
                log.warning(
                    "a control plane is connected again: SERVING"
                    if serving
                    else "no control plane for %.0f s, more than --max-age: NOT_SERVING, but for who asks",
                    *(() if serving else (now.age,)),
                )
            await asyncio.sleep(AGE_SECONDS)

    def _set_health(self, status: Any) -> None:
        self._health.set(status, "", SERVICE)


def _make_transport(methods: Methods, health: Health, *, native: bool) -> Transport:
    if not native:
        return GrpcioTransport(methods, health)
    from lightbulb.service.native_transport import NativeTransport  # noqa: PLC0415 - it needs an extra

    return NativeTransport(methods, health)


async def serve(settings: LightbulbSettings) -> None:
    """Serve until SIGTERM, SIGINT or SIGHUP, then drain. Raises CannotListen, and what ended the feed."""
    server = LightbulbServer(settings)
    stop = stop_at_signals()
    await server.start()
    await server.run_until(stop)
    log.info("draining, up to %.0f s", settings.grace)
    await server.stop()
    server.failed()
