"""Pings that show whether the other end of a quiet connection is still there."""

from __future__ import annotations


def keepalive(*, every: int, timeout: int) -> tuple[tuple[str, int], ...]:
    """Return options for a channel or a server: ping every `every` s, and hang up `timeout` s after a ping.

    The last option is needed too: without it gRPC waits a minute for a ping, whatever the time-out.
    """
    return (
        ("grpc.keepalive_time_ms", every * 1000),
        ("grpc.keepalive_timeout_ms", timeout * 1000),
        ("grpc.http2.ping_timeout_ms", timeout * 1000),
    )
