"""The load generator: the same request again and again over a few connections, so many in flight.

It reads the server's CPU time right before the first and right after the last answer that counts.
"""

from __future__ import annotations

import base64
import selectors
import socket
import time
from typing import Any

from bench.http2 import Client, Refused
from bench.machine import cpu_seconds
from bench.worker import answer

RECEIVE_BYTES = 256 * 1024
SILENCE_SECONDS = 10.0


class _Connection:
    """A connection, and how many requests are in flight on it."""

    def __init__(self, port: int, client: Client) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=SILENCE_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.client = client
        self.in_flight = 0
        self.socket.sendall(client.greeting())

    def send(self, count: int, before: bytes = b"") -> int:
        """Send `before`, then up to `count` requests; return how many."""
        made, data = self.client.requests(count)
        self.in_flight += made
        if before or data:
            self.socket.sendall(before + data)
        return made

    def receive(self) -> tuple[int, bytes]:
        """Return how many answers came, and what is to be replied at once."""
        data = self.socket.recv(RECEIVE_BYTES)
        if not data:
            raise Refused("the server closed the connection")
        before = self.client.answered
        replies = self.client.receive(data)
        came = self.client.answered - before
        self.in_flight -= came
        return came, replies


class Load:
    """Connections to one server."""

    def __init__(self, port: int, depth: int, clients: list[Client]) -> None:
        """`depth` requests are in flight on each connection."""
        self._depth = depth
        self._connections = [_Connection(port, client) for client in clients]
        self._selector = selectors.DefaultSelector()
        for connection in self._connections:
            self._selector.register(connection.socket, selectors.EVENT_READ, connection)

    def run(self, count: int) -> None:
        """Return when `count` requests are answered; raise Refused when one isn't as it should be."""
        good = sum(connection.client.good for connection in self._connections)
        unsent, missing = count, count
        for connection in self._connections:
            unsent -= connection.send(min(self._depth, unsent))
        while missing:
            ready = self._selector.select(SILENCE_SECONDS)
            if not ready:
                raise Refused(f"silence; {missing} of {count} answers are missing")
            for key, _ in ready:
                connection = key.data
                came, replies = connection.receive()
                missing -= came
                unsent -= connection.send(min(self._depth - connection.in_flight, unsent), replies)
        good = sum(connection.client.good for connection in self._connections) - good
        if good != count:
            raise Refused(f"{count - good} of {count} requests weren't answered as they should")

    def close(self) -> None:
        """Close every connection."""
        self._selector.close()
        for connection in self._connections:
            connection.socket.close()


def measure(  # noqa: PLR0913 - what a request may say
    *,
    port: int,
    pid: int,
    headers: list[tuple[str, str]],
    bodies: list[str],
    requests: int,
    warm_up: int,
    connections: int,
    depth: int,
) -> dict[str, Any]:
    """Return seconds, and CPU seconds of process `pid`, that `requests` requests took; bodies are base64."""
    decoded = [base64.b64decode(body) for body in bodies] or [b""]
    load = Load(port, depth, [Client(headers, decoded) for _ in range(connections)])
    try:
        load.run(warm_up)
        began, cpu = time.perf_counter(), cpu_seconds(pid)
        load.run(requests)
        return {"seconds": time.perf_counter() - began, "cpu": cpu_seconds(pid) - cpu}
    finally:
        load.close()


if __name__ == "__main__":
    answer(measure)
