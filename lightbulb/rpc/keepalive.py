"""Every keepalive of the system: who pings whom on a quiet connection, and what each server puts up with.

docs/operator.md, "Quiet connections", is the same as a table. Pure: options and seconds, no connections.
"""

from __future__ import annotations

from dataclasses import dataclass

Options = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Keepalive:
    """Ping every `every` s, and hang up when a ping isn't answered within `timeout` s."""

    every: int
    timeout: int


CLIENT_TO_LIGHTBULB = Keepalive(every=10, timeout=5)
SUBSCRIBER_TO_ADS = Keepalive(every=30, timeout=10)
"""Relay, Lightbulb and host to a control plane."""

ADS_TO_SUBSCRIBER = Keepalive(every=5, timeout=5)
"""Control plane to everybody with a stream, and relay to its Envoy. A host that stands still is disconnected
after ten seconds: its shard's other hosts get its requests then."""

ENVOY_TO_ADS = Keepalive(every=10, timeout=5)
"""Envoy to its relay, or to a control plane: both servers are ours, and take pings."""

COMMAND_TO_CONTROL_PLANE = Keepalive(every=5, timeout=3)
"""A replica that hangs is left for another."""

SERVER_TO_CALLER = Keepalive(every=60, timeout=20)
"""Lightbulb and host to whoever calls them, Envoy to its clients: a caller that vanished holds no call for
ever. A gRPC client answers any number of pings."""

ENVOY_TO_HOST = Keepalive(every=360, timeout=20)
"""Any gRPC server may be a host, and by default one hangs up on a client that pings more than once in five
minutes while a call is quiet: "too many pings" would end each call that is merely long."""

ENVOY_TO_HOST_IDLE_SECONDS = 300
"""Without a call such a server allows one ping in two hours: the connection is closed before one is due."""

VANISHED_SECONDS = 15
"""How long the kernel lets Envoy's connection to a host go unanswered. It finds a machine that has vanished;
a process that stands still it doesn't find, for the kernel beneath goes on answering."""

PROBE_SECONDS = 5

TAKES_PINGS: Options = (
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_ping_strikes", 0),
)
"""For every server of ours: it answers pings, however many come, and whether or not a call is under way."""


def pings(pair: Keepalive, *, without_calls: bool = False) -> Options:
    """Return options for a channel or a server that pings its peer, on quiet streams too.

    `ping_timeout_ms` is needed too: without it gRPC waits a minute for a ping, whatever the time-out. So is
    `max_pings_without_data`, or the third ping is never sent on a quiet stream.
    """
    return (
        ("grpc.keepalive_time_ms", pair.every * 1000),
        ("grpc.keepalive_timeout_ms", pair.timeout * 1000),
        ("grpc.http2.ping_timeout_ms", pair.timeout * 1000),
        ("grpc.http2.max_pings_without_data", 0),
        *((("grpc.keepalive_permit_without_calls", 1),) if without_calls else ()),
    )
