"""Calls in bytes, as a client would send them, and what a server without grpcio answers."""

import gzip

from lightbulb.wire.limits import Limits
from lightbulb.wire.reply import Headers, Reply

ECHO = "/test.Echo/Echo"
LIMITS = Limits(message_bytes=1000, header_bytes=2000, held_bytes=5000)


def headers(path: str = ECHO, method: bytes = b"POST", **more: bytes) -> Headers:
    said = {"content-type": b"application/grpc", "te": b"trailers"}
    said |= {name.replace("_", "-"): value for name, value in more.items()}
    rest = tuple((name.encode(), value) for name, value in said.items())
    return (
        (b":method", method),
        (b":scheme", b"http"),
        (b":path", path.encode()),
        (b":authority", b"here"),
        *rest,
    )


def framed(message: bytes, packed: bool = False) -> bytes:
    body = gzip.compress(message, mtime=0) if packed else message  # ids of tests have it
    return bytes((packed,)) + len(body).to_bytes(4, "big") + body


def status(reply: Reply) -> str:
    """Return grpc-status, or the status of HTTP where there is none."""
    said = dict((*reply.headers, *reply.trailers))
    return said.get(b"grpc-status", said[b":status"]).decode()
