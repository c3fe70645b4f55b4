"""Calls to a server, a great many, and what one of them costs it."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass

from bench.contest import Costs
from bench.http2 import grpc_body
from bench.system import Server
from bench.worker import Worker

CONNECTIONS = 4
DEPTH = 8
"""Calls in flight on each connection: the server always has the next one at hand."""
WARM_UP = 500


@dataclass(frozen=True, slots=True)
class Calls:
    """`count` unary calls of a gRPC method, with each of `bodies` in turn; one holds `operations`."""

    load: Worker
    server: Server
    method: str
    bodies: Sequence[bytes]
    _: KW_ONLY
    count: int
    operations: int = 1

    def measure(self) -> Costs:
        """Return the seconds that an operation takes, and those of the server's CPU."""
        spent = self.load.ask(
            port=self.server.port,
            pid=self.server.pid,
            headers=grpc_headers(self.method),
            bodies=[base64.b64encode(grpc_body(body)).decode() for body in self.bodies],
            requests=self.count,
            warm_up=min(WARM_UP, self.count),
            connections=CONNECTIONS,
            depth=DEPTH,
        )
        operations = self.count * self.operations
        return {"CPU": spent["cpu"] / operations, "time": spent["seconds"] / operations}


def grpc_headers(method: str) -> list[tuple[str, str]]:
    """Return what a gRPC client says at the least."""
    return [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", method),
        (":authority", "bench"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ]
