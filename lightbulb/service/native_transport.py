"""Calls without grpcio: unary ones alone, in one thread. health's Watch and reflection are UNIMPLEMENTED.

A client that would watch health takes UNIMPLEMENTED for "serves", as gRPC has it; that a server stops, HTTP/2
tells it.
"""

from __future__ import annotations

import logging
from dataclasses import replace

import grpc
from google.protobuf.message import DecodeError
from grpc_health.v1 import health_pb2

from lightbulb.errors import InvalidContext, LightbulbError, Overloaded
from lightbulb.rpc.health import Health
from lightbulb.rpc.status import KINDS, status_of
from lightbulb.service.transport import MAX_REQUEST_BYTES, SERVICE, Methods, Respond
from lightbulb.wire.call import Method
from lightbulb.wire.limits import Limits
from lightbulb.wire.reply import Reply, ended, refused
from lightbulb.wire.server import Turn, WireServer

log = logging.getLogger(__name__)

CHECK = "/grpc.health.v1.Health/Check"

LATE_SECONDS = 0.1
"""A call that has waited so long for the thread is refused at once: its caller does better elsewhere. Whoever
is admitted has waited no longer than this, and the turn of the loop before."""

PUSHBACK = "grpc-retry-pushback-ms"
"""What gRPC's own retries go by; details have the same as RetryInfo."""

_LIMITS = Limits(message_bytes=MAX_REQUEST_BYTES)


class NativeTransport:
    """A Transport."""

    def __init__(self, methods: Methods, health: Health) -> None:
        turn = Turn()
        paths = {f"/{SERVICE}/{name}": _admitting(_method(each), turn) for name, each in methods.items()}
        self._server = WireServer({**paths, CHECK: _method_of(health)}, _LIMITS, turn)

    def listen(self, address: str) -> int:
        """Bind to "host:port" and return the port. Raises CannotListen."""
        return self._server.listen(address)

    def start(self) -> None:
        """Begin to answer."""
        self._server.start()

    async def stop(self, grace: float) -> None:
        """Refuse new calls, and give those under way `grace` seconds."""
        await self._server.stop(grace)


def _method(respond: Respond) -> Method:
    def answer(data: bytes) -> bytes | Reply:
        try:
            return respond(data)
        except LightbulbError as error:
            return ended(status_of(error))
        except Exception:
            log.exception("a call failed by a fault of ours")
            return refused(grpc.StatusCode.UNKNOWN, "a fault in the server; its log has it")

    return answer


def _admitting(method: Method, turn: Turn) -> Method:
    overloaded = _overloaded()
    return lambda data: overloaded if turn.age() > LATE_SECONDS else method(data)


def _overloaded() -> Reply:
    status = status_of(
        Overloaded("more calls than can be answered in time; retry later, or at another Lightbulb")
    )
    seconds = KINDS[Overloaded].retry_after or 0.0
    pushback = (PUSHBACK, str(round(seconds * 1000)))
    return ended(replace(status, trailing_metadata=(*status.trailing_metadata, pushback)))


def _method_of(health: Health) -> Method:
    checked = _method(lambda data: _check(health, data))
    unknown = grpc.StatusCode.NOT_FOUND

    def check(data: bytes) -> bytes | Reply:
        return checked(data) or refused(unknown, "no such service")

    return check


def _check(health: Health, data: bytes) -> bytes:
    """Return a response; empty when there is no such service."""
    try:
        request = health_pb2.HealthCheckRequest.FromString(data)
    except DecodeError as error:
        raise InvalidContext(f"not a grpc.health.v1.HealthCheckRequest: {error}") from error
    status = health.known(request.service)
    if status is None:
        return b""
    return bytes(health_pb2.HealthCheckResponse(status=status).SerializeToString())
