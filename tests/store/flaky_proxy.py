"""A proxy before a Redis server that loses a connection at the worst moment."""

import contextlib
import select
import socket
import threading
from pathlib import Path
from typing import Literal, Self

from tests.store.redis_server import SECONDS, RedisServer

Moment = Literal["never", "before", "after"]


class FlakyProxy:
    """Passes bytes on; with `loses` set, ends a connection before a request, or instead of its answer."""

    def __init__(self, server: RedisServer, path: Path) -> None:
        self.url = f"unix://{path}"
        self.loses: Moment = "never"
        self._server = server
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
        with client, socket.socket(socket.AF_UNIX) as upstream, contextlib.suppress(OSError):
            upstream.connect(str(self._server.socket))
            while True:
                for source in select.select([client, upstream], [], [])[0]:
                    data = source.recv(65536)
                    lost = self.loses == ("before" if source is client else "after")
                    if not data or lost:
                        return
                    (upstream if source is client else client).sendall(data)

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(SECONDS)
            assert not thread.is_alive(), "a connection through the proxy wasn't closed"
