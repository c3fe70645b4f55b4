"""The Lightbulb service: a thin gRPC shell around Feed (what is known) and Responder (what is answered).

Never in the path of an inference request.

Threads answer the calls, not the event loop of the Feed: that halves grpcio's CPU for each call, and no call
waits while tables are compiled.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from lightbulb.ads.values import EVERYTHING, Takes
from lightbulb.errors import InvalidContext, LightbulbError
from lightbulb.model import Freshness
from lightbulb.rpc.doors import Doors
from lightbulb.rpc.health import Health
from lightbulb.rpc.keepalive import SERVER_TO_CALLER, TAKES_PINGS, pings
from lightbulb.rpc.listen import LISTEN_OPTIONS, listen
from lightbulb.rpc.patience import Patience
from lightbulb.rpc.reflection import add_reflection
from lightbulb.rpc.status import DOMAIN, KINDS, status_of
from lightbulb.rpc.unreadable import RefusesUnreadable
from lightbulb.service.freshness import freshness_responder
from lightbulb.service.responder import Responder
from lightbulb.service.tables_server import TablesServer
from lightbulb.signals import stop_at_signals, until
from lightbulb.tables.live import LiveTables
from lightbulb.v1 import lightbulb_pb2

log = logging.getLogger(__name__)

Respond = Callable[[bytes], bytes]
"""Request -> response, both in bytes; raises LightbulbError."""

SERVICE = "lightbulb.v1.Lightbulb"
MAX_REQUEST_BYTES = 1024 * 1024
"""A larger request isn't read, and ends with RESOURCE_EXHAUSTED."""

MAX_CALLS = 2000
"""At most so many calls at a time, with those that wait. Others end with RESOURCE_EXHAUSTED."""

THREADS = 32
"""A call takes microseconds of one thread. The others are for callers that send slowly. Those that send
 nothing are ended (Patience)."""

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
        self._patience = Patience(THREADS)
        self._server = _new_server()
        self._doors = Doors(self._server)
        responder = Responder(lambda: self.feed.tables)
        methods = {
            "Resolve": responder.resolve,
            "BatchResolve": responder.batch_resolve,
            "GetFreshness": freshness_responder(lambda: self.freshness),
        }
        _add_services(self._server, methods, self._health, self._patience)
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
        self.port = listen(self._server, self._settings.listen)
        if self._tables is not None:
            await self._tables.start(self._settings.tables)
        await self._live.start()
        self._server.start()
        self._patience.start()
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
        await self._doors.close()
        self._health.end_watches()
        stopped = self._server.stop(self._settings.grace)
        self._doors.turn_away()
        await asyncio.to_thread(stopped.wait)
        self._patience.stop()
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


def _new_server() -> grpc.Server:
    """Return a server without services, which doesn't listen yet."""
    return grpc.server(
        ThreadPoolExecutor(THREADS, thread_name_prefix="lightbulb"),
        options=[
            *LISTEN_OPTIONS,
            *pings(SERVER_TO_CALLER),
            *TAKES_PINGS,
            ("grpc.max_receive_message_length", MAX_REQUEST_BYTES),
        ],
        maximum_concurrent_rpcs=MAX_CALLS,
    )


def _add_services(
    server: grpc.Server, methods: Mapping[str, Respond], servicer: Health, patience: Patience
) -> None:
    """Add all that a Lightbulb serves. The busiest handlers come first: gRPC searches in order."""
    # These take raw bytes: Responder parses them, and has its answers serialized already.
    handlers: dict[str, Any] = {
        name: grpc.stream_unary_rpc_method_handler(_handler(respond, patience))
        for name, respond in methods.items()
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    strict = RefusesUnreadable(server, kind=KINDS[InvalidContext], domain=DOMAIN, patience=patience)
    health_pb2_grpc.add_HealthServicer_to_server(servicer, strict)
    add_reflection(strict, lightbulb_pb2.DESCRIPTOR, health_pb2.DESCRIPTOR)


def _handler(
    respond: Respond, patience: Patience
) -> Callable[[Iterator[bytes], grpc.ServicerContext], bytes]:
    """Return a behaviour of a unary call. It is given a stream, so that waiting for its message is ours."""

    def handle(requests: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
        data = patience.only(requests, context)
        try:
            return respond(data)
        except LightbulbError as error:
            status = status_of(error)
        context.abort_with_status(status)
        raise AssertionError("abort raises")

    return handle


async def serve(settings: LightbulbSettings) -> None:
    """Serve until SIGTERM, SIGINT or SIGHUP, then drain. Raises CannotListen, and what ended the feed."""
    server = LightbulbServer(settings)
    stop = stop_at_signals()
    await server.start()
    await server.run_until(stop)
    log.info("draining, up to %.0f s", settings.grace)
    await server.stop()
    server.failed()
