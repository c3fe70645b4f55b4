"""What answers a call, as headers, a body and trailers. Pure."""

from __future__ import annotations

from base64 import b64encode
from typing import NamedTuple
from urllib.parse import quote

import grpc

from lightbulb.rpc.details import CallStatus

Header = tuple[bytes, bytes]
Headers = tuple[Header, ...]

_STATUS = b"grpc-status"
_GRPC: Headers = (
    (b":status", b"200"),
    (b"content-type", b"application/grpc"),
    (b"grpc-accept-encoding", b"identity,gzip"),
)
_OK: Headers = ((_STATUS, b"0"),)
_AS_IT_IS = "".join(map(chr, range(0x20, 0x7F))).replace("%", "")


class Reply(NamedTuple):
    """Without a body and trailers, the headers end the stream."""

    headers: Headers
    body: bytes = b""
    trailers: Headers = ()


def answered(message: bytes) -> Reply:
    """Return the reply with a response."""
    return Reply(_GRPC, b"\0" + len(message).to_bytes(4, "big") + message, _OK)


def ended(status: CallStatus) -> Reply:
    """Return the reply that ends a call with a status. It has no body: an empty one would confuse grpcio."""
    more = tuple((key.encode(), _value(value)) for key, value in status.trailing_metadata)
    return _ended(status.code, status.details, more)


def refused(code: grpc.StatusCode, details: str) -> Reply:
    """Return the reply to a call that isn't one, or is too much. Programs are told by the code alone."""
    return _ended(code, details, ())


def no_grpc(status: int, text: str, *headers: Header) -> Reply:
    """Return the reply to a request of HTTP that is no gRPC."""
    plain = ((b":status", str(status).encode()), (b"content-type", b"text/plain; charset=utf-8"), *headers)
    return Reply(plain, text.encode() + b"\n")


def percent(text: str) -> bytes:
    """Return a text as `grpc-message` has it."""
    edges = text != text.strip()  # a header's value neither begins nor ends with a space
    return quote(text, safe=_AS_IT_IS.replace(" ", "") if edges else _AS_IT_IS, errors="replace").encode()


def _ended(code: grpc.StatusCode, details: str, more: Headers) -> Reply:
    number = str(code.value[0]).encode()
    return Reply((*_GRPC, (_STATUS, number), (b"grpc-message", percent(details)), *more))


def _value(value: str | bytes) -> bytes:
    return b64encode(value).rstrip(b"=") if isinstance(value, bytes) else value.encode()
