"""One connection of HTTP/2, bytes in and bytes out. The one file that knows ngh2. No sockets, no clock."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, ParamSpec, TypeVar

import grpc
import ngh2
from ngh2 import ErrorCode, Setting

from lightbulb.wire.call import Call, Method, begin
from lightbulb.wire.limits import Limits
from lightbulb.wire.reply import Reply, refused

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

_ALIVE = b"alive?\0\0"
_LEAVING = b"leaving\0"
_CHUNK = 64 * 1024
_FULL = "too many requests and answers are on their way; retry later"
_HARDER = 4
"""Headers up to so many times what is allowed are refused in one call; beyond, the connection ends."""


class Broken(Exception):
    """What the peer sent isn't HTTP/2, or is far beyond the limits: close the connection."""


def _breaks(method: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Have a method raise Broken for whatever ngh2 doesn't bear."""

    @functools.wraps(method)
    def call(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        try:
            return method(*args, **kwargs)
        except ngh2.NGH2Error as error:
            raise Broken(str(error)) from error

    return call


class Held:
    """Bytes of requests that have come in part, and of answers not yet taken, of a whole server."""

    def __init__(self) -> None:
        self.bytes = 0


class _Answered(NamedTuple):
    """An answer that its caller hasn't taken yet."""

    until: float
    size: int


class Session:
    """The server's end of a connection. `now` is monotonic seconds."""

    def __init__(self, methods: Mapping[bytes, Method], limits: Limits, held: Held, now: float) -> None:
        self._methods = methods
        self._limits = limits
        self._held = held
        self._calls: dict[int, Call] = {}
        self._answered: dict[int, _Answered] = {}
        self._since = self._heard = self._called = self._now = now
        self._greeted = self._leaving = False
        self._pinged: float | None = None
        headers = limits.header_bytes * _HARDER
        self._http = ngh2.Connection(
            ngh2.Role.SERVER,
            ngh2.Configuration(max_inbound_header_list_size=headers, max_inbound_header_count=headers // 64),
        )
        self._http.initiate_connection(
            {
                Setting.MAX_CONCURRENT_STREAMS: limits.streams,
                Setting.MAX_HEADER_LIST_SIZE: limits.header_bytes,
                Setting.INITIAL_WINDOW_SIZE: _CHUNK,
            }
        )

    @property
    def finished(self) -> bool:
        """Whether nothing comes any more: when all is sent the connection can be closed."""
        return not (self._http.want_read or self._http.want_write)

    @_breaks
    def receive(self, data: memoryview | bytes, now: float) -> None:
        """Take what the peer sent, and answer it. Raises Broken."""
        if self.finished:
            return  # the peer hasn't heard of it yet
        self._heard = self._now = now
        self._pinged = None
        self._http.receive_data(data)
        self._follow()

    @_breaks
    def to_send(self) -> bytes:
        """Return what is to be sent next, up to 64 KiB; empty: nothing now. Raises Broken."""
        data: bytes = self._http.data_to_send(_CHUNK)
        if not data:
            self._follow()  # answers that have been taken
        return data

    @_breaks
    def look(self, now: float) -> bool:
        """Do what is due by now; return False when the peer is gone, or was never one. Raises Broken."""
        self._now = now
        if not self._greeted:
            return now - self._since < self._limits.greeting
        self._follow()
        if self._http.want_read:
            self._end_late(now)
            self._ping(now)
        if not self._calls and not self._answered and now - self._called >= self._limits.idle:
            self.leave()
        return self._pinged is None or now - self._pinged < self._limits.ping_timeout

    @_breaks
    def leave(self) -> None:
        """Take no more calls, without losing one. Raises Broken.

        The peer is told so first. Once it has answered a ping, all calls that it made before are here, and
        it is told that these are the last.
        """
        if not self._leaving and self._http.want_read:
            self._leaving = True
            self._http.send_shutdown_notice()
            self._http.ping(_LEAVING)

    def close(self) -> None:
        """Let go of what is held for calls that won't end."""
        for stream in (*self._calls, *self._answered):
            self._drop(stream)

    def _follow(self) -> None:
        for event in self._http.events():
            handler = _HANDLERS.get(type(event))
            if handler is not None:
                handler(self, event)

    def _request(self, event: Any) -> None:
        self._called = self._now
        call = begin(event.headers, self._methods, self._limits, self._now)
        if isinstance(call, Reply):
            self._reply(event.stream_id, call)
            return
        self._calls[event.stream_id] = call
        if event.end_stream:
            self._take(event.stream_id, b"", end=True)

    def _data(self, event: Any) -> None:
        self._take(event.stream_id, event.data, end=event.end_stream)

    def _trailers(self, event: Any) -> None:
        self._take(event.stream_id, b"", end=True)

    def _take(self, stream: int, data: bytes, *, end: bool) -> None:
        call = self._calls.get(stream)
        if call is None:
            return  # it has been answered
        before = call.held
        reply = call.take(data, end=end, now=self._now)
        self._held.bytes += call.held - before
        if reply is None and self._held.bytes > self._limits.held_bytes:
            reply = refused(grpc.StatusCode.RESOURCE_EXHAUSTED, _FULL)
        if reply is not None:
            self._drop(stream)
            self._reply(stream, reply)

    def _reply(self, stream: int, reply: Reply) -> None:
        if self._held.bytes + len(reply.body) > self._limits.held_bytes:
            reply = refused(grpc.StatusCode.RESOURCE_EXHAUSTED, _FULL)
        headers, body, trailers = reply
        self._answered[stream] = _Answered(self._now + self._limits.call, len(body))
        self._held.bytes += len(body)
        try:
            if not body:
                self._http.send_response(stream, headers, end_stream=True)
                return
            self._http.send_response(stream, headers)
            self._http.send_data(stream, body, end_stream=not trailers)
            if trailers:
                self._http.send_trailers(stream, trailers)
        except ngh2.StreamProtocolError:  # the caller has left meanwhile
            self._drop(stream)

    def _closed(self, event: Any) -> None:
        self._drop(event.stream_id)

    def _drop(self, stream: int) -> None:
        call = self._calls.pop(stream, None)
        if call is not None:
            self._held.bytes -= call.held
        answered = self._answered.pop(stream, None)
        if answered is not None:
            self._held.bytes -= answered.size

    def _greeting(self, _event: Any) -> None:
        self._greeted = True

    def _pong(self, event: Any) -> None:
        if event.opaque_data == _LEAVING:
            self._http.send_goaway(ErrorCode.NO_ERROR)

    def _ping(self, now: float) -> None:
        if self._pinged is None and now - self._heard >= self._limits.ping_every:
            self._http.ping(_ALIVE)
            self._pinged = now

    def _end_late(self, now: float) -> None:
        late = [stream for stream, call in self._calls.items() if now > call.until]
        for stream in late:
            self._drop(stream)
            self._reply(stream, refused(grpc.StatusCode.DEADLINE_EXCEEDED, "the request didn't come in time"))
        for stream in [stream for stream, answered in self._answered.items() if now > answered.until]:
            self._drop(stream)
            self._http.reset_stream(stream, ErrorCode.CANCEL)


_HANDLERS: Mapping[type, Callable[[Session, Any], None]] = {
    ngh2.RequestReceived: Session._request,  # noqa: SLF001 - its own
    ngh2.DataReceived: Session._data,  # noqa: SLF001
    ngh2.TrailersReceived: Session._trailers,  # noqa: SLF001
    ngh2.StreamClosed: Session._closed,  # noqa: SLF001
    ngh2.SettingsReceived: Session._greeting,  # noqa: SLF001
    ngh2.PingAcknowledged: Session._pong,  # noqa: SLF001
}
