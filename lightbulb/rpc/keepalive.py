"""Pings that find out whether the other end of a quiet connection is there."""

from __future__ import annotations


def keepalive(*, every: int, timeout: int) -> tuple[tuple[str, int], ...]:
    """Return gRPC's options, a channel's or a server's: ping after `every` s, and end it `timeout` s later.

    gRPC ends a ping only after a minute, whatever the keepalive's time-out is, unless it is told that too.
    """
    return (
        ("grpc.keepalive_time_ms", every * 1000),
        ("grpc.keepalive_timeout_ms", timeout * 1000),
        ("grpc.http2.ping_timeout_ms", timeout * 1000),
    )
