"""Calls by grpcio, with health's Watch and reflection. Threads answer them: that halves grpcio's CPU."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from lightbulb.errors import InvalidContext, LightbulbError
from lightbulb.rpc.doors import Doors
from lightbulb.rpc.health import Health
from lightbulb.rpc.keepalive import SERVER_TO_CALLER, TAKES_PINGS, pings
from lightbulb.rpc.listen import LISTEN_OPTIONS, listen
from lightbulb.rpc.patience import Patience
from lightbulb.rpc.reflection import add_reflection
from lightbulb.rpc.status import DOMAIN, KINDS, status_of
from lightbulb.rpc.unreadable import RefusesUnreadable
from lightbulb.service.transport import MAX_REQUEST_BYTES, SERVICE, Methods, Respond
from lightbulb.v1 import lightbulb_pb2

MAX_CALLS = 2000
"""At most so many calls at a time, with those that wait. Others end with RESOURCE_EXHAUSTED."""

THREADS = 32
"""A call takes microseconds of one thread. The others are for callers that send slowly. Those that send
 nothing are ended (Patience)."""


class GrpcioTransport:
    """A Transport."""

    def __init__(self, methods: Methods, health: Health) -> None:
        self._health = health
        self._patience = Patience(THREADS)
        self._server = _new_server()
        self._doors = Doors(self._server)
        _add_services(self._server, methods, health, self._patience)

    def listen(self, address: str) -> int:
        """Bind to "host:port" and return the port. Raises CannotListen."""
        return listen(self._server, address)

    def start(self) -> None:
        """Begin to answer."""
        self._server.start()
        self._patience.start()

    async def stop(self, grace: float) -> None:
        """Refuse new calls, and give those under way `grace` seconds."""
        await self._doors.close()
        self._health.end_watches()
        stopped = self._server.stop(grace)
        self._doors.turn_away()
        await asyncio.to_thread(stopped.wait)
        self._patience.stop()


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


def _add_services(server: grpc.Server, methods: Methods, servicer: Health, patience: Patience) -> None:
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
