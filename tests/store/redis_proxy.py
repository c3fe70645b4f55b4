"""A proxy before a Redis server, which can hold back everything, or lose a connection at the worst moment."""

import contextlib
import select
import socket
import threading
from pathlib import Path
from typing import Literal, Self

from tests.store.redis_server import SECONDS, RedisServer

Moment = Literal["before", "after"]


class RedisProxy:
    """Passes bytes on while `flows` is set, and ends a connection where something is to be lost.

    A request with all of `loses` in it is lost, or its answer is: `lost` says whether the connection ends
    before the server has the request, or after that. Without `loses` nothing is lost.
    """

    def __init__(self, server: RedisServer, path: Path) -> None:
        self.url = f"unix://{path}"
        self.flows = threading.Event()
        self.flows.set()
        self.loses: tuple[bytes, ...] = ()
        self.lost: Moment = "after"
        self._server = server
        self._closing = threading.Event()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._threads = [threading.Thread(target=self._accept)]

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                client, _ = self._listener.accept()
                self._threads.append(threading.Thread(target=self._pump, args=(client,)))
                self._threads[-1].start()

    def _pump(self, client: socket.socket) -> None:
        ends = False
        with client, socket.socket(socket.AF_UNIX) as upstream, contextlib.suppress(OSError):
            upstream.connect(str(self._server.socket))
            while not self._closing.is_set():
                for source in select.select([client, upstream], [], [], 0.1)[0]:
                    data = source.recv(1_000_000)
                    self.flows.wait(SECONDS)
                    if not data or (ends and source is upstream):
                        return
                    ends = bool(self.loses) and all(part in data for part in self.loses)
                    if ends and self.lost == "before":
                        return
                    (upstream if source is client else client).sendall(data)

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._closing.set()
        self.flows.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(SECONDS)
            assert not thread.is_alive(), "a connection through the proxy wasn't closed"
