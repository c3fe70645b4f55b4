"""One unary call, from its headers and the bytes of its body to a Reply. Pure: no sockets, no clock.

call = begin(headers, methods, limits, now)      a Call, or the Reply that refuses it
reply = call.take(data, end=..., now=...)        None while the request isn't there as a whole
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Mapping

import grpc

from lightbulb.wire.limits import Limits
from lightbulb.wire.reply import Headers, Reply, answered, no_grpc, refused

Method = Callable[[bytes], bytes | Reply]
"""Request -> response, or a reply that ends the call otherwise. Never raises."""

PREFIX = 5
FIELD_BYTES = 32
"""What HTTP/2 counts of a header beside its name and its value."""

_CODE = grpc.StatusCode
_TYPES = frozenset({b"application/grpc", b"application/grpc+proto"})
_GZIP = b"gzip"
_ENCODINGS = frozenset({b"identity", _GZIP})
_TIMEOUT = re.compile(rb"([0-9]{1,8})([HMSmun])")
_SECONDS = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}


class Call:
    """A call whose request is on its way. `until` is when it is given up."""

    __slots__ = ("_body", "_encoding", "_limits", "_method", "until")

    def __init__(self, method: Method, encoding: bytes, limits: Limits, until: float) -> None:
        self.until = until
        self._method = method
        self._encoding = encoding
        self._limits = limits
        self._body = bytearray()

    @property
    def held(self) -> int:
        """Bytes that are kept for it."""
        return len(self._body)

    def take(self, data: bytes, *, end: bool, now: float) -> Reply | None:
        """Take a part of the body, in `end` the last one. After a Reply the call is over."""
        if now > self.until:
            return refused(_CODE.DEADLINE_EXCEEDED, "the request came after its deadline")
        if self._body or not end:
            self._body += data
            if not end:
                return self._too_much()
            data = bytes(self._body)
        message = self._message(data)
        if isinstance(message, Reply):
            return message
        done = self._method(message)
        return done if isinstance(done, Reply) else answered(done)

    def _too_much(self) -> Reply | None:
        """Refuse a request as soon as it is known to be too large, or to be more than one message."""
        if self.held < PREFIX:
            return None
        length = int.from_bytes(self._body[1:PREFIX], "big")
        return _misfit(length, self.held, self._limits.message_bytes)

    def _message(self, data: bytes) -> bytes | Reply:
        if not data:
            return refused(_CODE.UNIMPLEMENTED, "the call has no request message; send one")
        length = int.from_bytes(data[1:PREFIX], "big")
        misfit = _misfit(length, len(data), self._limits.message_bytes)
        if misfit is not None:
            return misfit
        if len(data) != PREFIX + length:
            return refused(
                _CODE.INVALID_ARGUMENT, f"the request ends within its message, at {len(data)} bytes"
            )
        if data[0] == 0:
            return data[PREFIX:]
        if data[0] != 1 or self._encoding != _GZIP:
            return refused(
                _CODE.INTERNAL, "the message is marked as compressed, and grpc-encoding isn't gzip"
            )
        return _unpacked(data[PREFIX:], self._limits.message_bytes)


def begin(headers: Headers, methods: Mapping[bytes, Method], limits: Limits, now: float) -> Call | Reply:
    """Return the call that headers begin, or the reply that refuses it."""
    said = dict(headers)
    if said.get(b":method") != b"POST":
        return no_grpc(405, "gRPC's calls are POST", (b"allow", b"POST"))
    if not _is_grpc(said.get(b"content-type", b"")):
        return no_grpc(415, "send application/grpc or application/grpc+proto")
    if _size(headers) > limits.header_bytes:
        return refused(_CODE.RESOURCE_EXHAUSTED, f"more than {limits.header_bytes} bytes of headers")
    return _begin(said, methods, limits, now)


def _begin(
    said: Mapping[bytes, bytes], methods: Mapping[bytes, Method], limits: Limits, now: float
) -> Call | Reply:
    method = methods.get(said.get(b":path", b""))
    if method is None:
        return refused(_CODE.UNIMPLEMENTED, "no such method here")
    encoding = said.get(b"grpc-encoding", b"identity")
    if encoding not in _ENCODINGS:
        return refused(_CODE.UNIMPLEMENTED, "grpc-encoding must be identity or gzip")
    seconds = _seconds(said.get(b"grpc-timeout"), limits.call)
    if seconds is None:
        return refused(_CODE.INTERNAL, "grpc-timeout must be up to 8 digits and one of H, M, S, m, u, n")
    return Call(method, encoding, limits, now + seconds)


def _is_grpc(kind: bytes) -> bool:
    return kind in _TYPES or kind.partition(b";")[0].rstrip() in _TYPES


def _size(headers: Headers) -> int:
    """Return the size of headers as HTTP/2 counts it."""
    return sum([len(name) + len(value) for name, value in headers]) + FIELD_BYTES * len(headers)


def _seconds(timeout: bytes | None, most: float) -> float | None:
    """Return how long a request may take to come; None when its timeout can't be read."""
    if timeout is None:
        return most
    found = _TIMEOUT.fullmatch(timeout)
    return None if found is None else min(most, int(found[1]) * _SECONDS[found[2]])


def _misfit(length: int, size: int, most: int) -> Reply | None:
    if length > most:
        return refused(_CODE.RESOURCE_EXHAUSTED, f"the request has {length} bytes; {most} are allowed")
    if size > PREFIX + length:
        return refused(_CODE.INVALID_ARGUMENT, "the call has more than one request message; send one")
    return None


def _unpacked(data: bytes, most: int) -> bytes | Reply:
    unpacker = zlib.decompressobj(wbits=31)
    try:
        message = unpacker.decompress(data, most + 1)
    except zlib.error as error:
        return refused(_CODE.INVALID_ARGUMENT, f"the message isn't gzip: {error}")
    if len(message) > most:
        return refused(_CODE.RESOURCE_EXHAUSTED, f"the request unpacks to more than {most} bytes")
    if not unpacker.eof or unpacker.unused_data:
        return refused(_CODE.INVALID_ARGUMENT, "the message isn't one whole member of gzip")
    return message
