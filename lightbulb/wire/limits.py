"""What a server without grpcio puts up with, and for how long."""

from __future__ import annotations

from dataclasses import dataclass

from lightbulb.rpc.keepalive import SERVER_TO_CALLER


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Times are in seconds. docs/operator.md has them as a table."""

    message_bytes: int = 1024 * 1024
    """Of a request, also once it is unpacked. A larger one ends with RESOURCE_EXHAUSTED."""

    header_bytes: int = 16 * 1024
    """Of a request's headers, with 32 for each, as HTTP/2 counts. More end with RESOURCE_EXHAUSTED."""

    streams: int = 128
    """Calls at a time on one connection; a client waits with others."""

    connections: int = 4096
    """More are closed as soon as they come."""

    held_bytes: int = 64 * 1024 * 1024
    """Of all requests that have come in part, and answers not yet taken. What would make it more ends with
    RESOURCE_EXHAUSTED."""

    greeting: float = 10.0
    """Until a connection has said that it speaks HTTP/2."""

    call: float = 20.0
    """Until a request is there as a whole, and once more until its answer is taken."""

    idle: float = 1800.0
    """Without a call; then the connection is closed in order, and a client that calls again makes another."""

    ping_every: float = float(SERVER_TO_CALLER.every)
    ping_timeout: float = float(SERVER_TO_CALLER.timeout)
    stuck: float = 20.0
    """How long a peer may read nothing of what it asked for."""
