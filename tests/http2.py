"""HTTP/2 by hand, frame by frame: an end of a connection that pings as it likes, or never answers."""

import contextlib
import socket
import struct
import threading
from collections import Counter

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEADERS, SETTINGS, PING, GOAWAY = 1, 4, 6, 7
ACK = 1
SECONDS = 60.0


class Frames:
    """The frames of one connection."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._stream = connection.makefile("rb")

    def send(self, kind: int, flags: int = 0, body: bytes = b"") -> None:
        self._connection.sendall(struct.pack(">I", len(body))[1:] + bytes((kind, flags)) + bytes(4) + body)

    def read(self) -> tuple[int, int, bytes]:
        """Return kind, flags and body; raises EOFError."""
        head = self._exactly(9)
        return head[3], head[4], self._exactly(int.from_bytes(head[:3], "big"))

    def skip_preface(self) -> None:
        self._exactly(len(PREFACE))

    def _exactly(self, count: int) -> bytes:
        data = self._stream.read(count)
        if len(data) < count:
            raise EOFError
        return data


def pings_answered(address: str, count: int) -> int:
    """Ping a server `count` times in a row, without a call; return how often it answered till it hung up."""
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), SECONDS) as connection:
        connection.sendall(PREFACE)
        frames = Frames(connection)
        frames.send(SETTINGS)
        answered = 0
        with contextlib.suppress(EOFError, ConnectionError):
            for number in range(count):
                frames.send(PING, body=number.to_bytes(8, "big"))
                while answered <= number:
                    kind, flags, _ = frames.read()
                    if kind == GOAWAY:
                        return answered
                    answered += kind == PING and flags == ACK
        return answered


class SilentServer:
    """Takes connections and calls, and answers no call: pings only, and those unless it is `frozen`.

    `seen` counts frames by kind, `connections` those that came, `ended` those that the other end closed.
    """

    def __init__(self, *, frozen: bool = False) -> None:
        self.seen: Counter[int] = Counter()
        self.connections = self.ended = 0
        self._frozen = frozen
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        frames = Frames(connection)
        with connection, contextlib.suppress(EOFError, OSError):
            frames.skip_preface()
            frames.send(SETTINGS)
            while True:
                kind, flags, body = frames.read()
                if flags & ACK and kind in {SETTINGS, PING}:
                    continue
                self.seen[kind] += 1
                if kind == SETTINGS or (kind == PING and not self._frozen):
                    frames.send(kind, ACK, body if kind == PING else b"")
        self.ended += 1
