"""As much of HTTP/2 as a load generator needs: frames, a header block that repeats, a client. No sockets.

Cheap on purpose: a client that costs more than the server would measure itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_STREAM, ACK, END_HEADERS = 1, 1, 4
FRAME_HEADER = 9
MAX_WINDOW = 2**31 - 1
DEFAULT_WINDOW = 65_535
REFILL = 2**30
FIRST_DYNAMIC = 62
STATUS_200 = 0x88

Frame = tuple[int, int, int, bytes]
"""Type, flags, stream, payload."""


class Refused(Exception):
    """The server ended a stream or the connection."""


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """Return a frame's bytes."""
    header = len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big")
    return header + payload


def split(data: bytes) -> tuple[list[Frame], bytes]:
    """Return the whole frames in `data`, and what is left over."""
    frames: list[Frame] = []
    at, end = 0, len(data)
    while end - at >= FRAME_HEADER:
        stop = at + FRAME_HEADER + (data[at] << 16 | data[at + 1] << 8 | data[at + 2])
        if stop > end:
            break
        stream = int.from_bytes(data[at + 5 : at + 9], "big")
        frames.append((data[at + 3], data[at + 4], stream, data[at + FRAME_HEADER : stop]))
        at = stop
    return frames, data[at:]


def first_block(headers: Sequence[tuple[str, str]]) -> bytes:
    """Return a header block that also puts every header into the peer's table (RFC 7541, 6.2.1)."""
    return b"".join(b"\x40" + _text(name) + _text(value) for name, value in headers)


def next_block(headers: Sequence[tuple[str, str]]) -> bytes:
    """Return the same headers once more, each as its place in the table: the last put in is the first."""
    return bytes(0x80 | FIRST_DYNAMIC + place for place in reversed(range(len(headers))))


def _text(text: str) -> bytes:
    data = text.encode()
    assert len(data) < 127  # longer ones have a longer length
    return bytes((len(data),)) + data


class Client:
    """Sends the same headers again and again, with each of `bodies` in turn; b"" is a request without.

    An answer is `good` when it has a body, or for requests without one when its status is 200.
    """

    def __init__(self, headers: Sequence[tuple[str, str]], bodies: Sequence[bytes] = (b"",)) -> None:
        self.answered = 0
        self.good = 0
        self._bodies = cycle(bodies)
        self._with_body = any(bodies)
        self._first, self._next = first_block(headers), next_block(headers)
        self._stream = 1
        self._window = DEFAULT_WINDOW
        self._received = 0
        self._rest = b""

    def greeting(self) -> bytes:
        """Return what opens the connection: answers of any length may come at any time."""
        no_push = b"\x00\x02" + (0).to_bytes(4, "big")
        stream_window = b"\x00\x04" + MAX_WINDOW.to_bytes(4, "big")
        grow = frame(WINDOW_UPDATE, 0, 0, (MAX_WINDOW - DEFAULT_WINDOW).to_bytes(4, "big"))
        return PREFACE + frame(SETTINGS, 0, 0, no_push + stream_window) + grow

    def requests(self, count: int) -> tuple[int, bytes]:
        """Return up to `count` requests, as many as the server's window has room for."""
        parts: list[bytes] = []
        for made in range(count):
            if self._window < DEFAULT_WINDOW // 4:
                return made, b"".join(parts)
            body = next(self._bodies)
            flags = END_HEADERS if body else END_HEADERS | END_STREAM
            parts.append(
                frame(HEADERS, flags, self._stream, self._first if self._stream == 1 else self._next)
            )
            if body:
                parts.append(frame(DATA, END_STREAM, self._stream, body))
                self._window -= len(body)
            self._stream += 2
        return count, b"".join(parts)

    def receive(self, data: bytes) -> bytes:
        """Take what came, count answers, and return what to reply at once; raises Refused."""
        frames, self._rest = split(self._rest + data)
        replies: list[bytes] = []
        for kind, flags, stream, payload in frames:
            if kind == HEADERS:
                self.answered += flags & END_STREAM
                if not self._with_body and payload[0] == STATUS_200:
                    self.good += 1
            elif kind == DATA:
                self.answered += flags & END_STREAM
                self._received += len(payload)
                if payload and self._with_body:
                    self.good += 1
            elif kind == WINDOW_UPDATE:
                self._window += 0 if stream else int.from_bytes(payload, "big")
            else:
                replies += self._control(kind, flags, payload)
        if self._received > REFILL:
            replies.append(frame(WINDOW_UPDATE, 0, 0, self._received.to_bytes(4, "big")))
            self._received = 0
        return b"".join(replies)

    def _control(self, kind: int, flags: int, payload: bytes) -> list[bytes]:
        if kind in {SETTINGS, PING} and not flags & ACK:
            return [frame(kind, ACK, 0, payload if kind == PING else b"")]
        if kind in {RST_STREAM, GOAWAY}:
            raise Refused(f"{'a stream' if kind == RST_STREAM else 'the connection'}: {payload!r}")
        return []


def grpc_body(message: bytes) -> bytes:
    """Return a message as gRPC frames it: not compressed, and its length."""
    return b"\x00" + len(message).to_bytes(4, "big") + message
