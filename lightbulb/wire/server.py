"""Serves unary calls from one thread with an event loop of its own: it moves bytes, and has a clock."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
import time
from collections.abc import Mapping
from typing import cast

from lightbulb.rpc.listen import cannot_listen
from lightbulb.wire.call import Method
from lightbulb.wire.limits import Limits
from lightbulb.wire.session import Broken, Held, Session

log = logging.getLogger(__name__)

BACKLOG = 1024
READ_BYTES = 64 * 1024
"""Read of one connection before the next one's turn."""

LOOK_SECONDS = 0.5
"""How often what is late is looked for."""

FAREWELL_SECONDS = 1.0
"""How long a peer that was told to go may leave its end open."""

START_SECONDS = 60.0


class Turn:
    """One turn of the event loop: whoever is read late in it has waited since it began."""

    def __init__(self) -> None:
        self._began: float | None = None

    def begin(self, loop: asyncio.AbstractEventLoop) -> float:
        """Note that something came; return the time."""
        now = time.monotonic()
        if self._began is None:
            self._began = now
            loop.call_soon(self._end)  # after all that can be read by now
        return now

    def age(self) -> float:
        """Return for how long, at least, what is read now has waited."""
        return 0.0 if self._began is None else time.monotonic() - self._began

    def _end(self) -> None:
        self._began = None


class WireServer:
    """Call `listen`, then `start`, then `stop`, as often as once each."""

    def __init__(self, methods: Mapping[str, Method], limits: Limits, turn: Turn) -> None:
        """`methods` is "/package.Service/Method" -> what answers it, in the server's thread."""
        self.limits = limits
        self.held = Held()
        self.turn = turn
        self.buffer = memoryview(bytearray(READ_BYTES))  # for all: each read is taken before the next
        self.connections: set[_Connection] = set()
        self._methods = {name.encode(): method for name, method in methods.items()}
        self._socket: socket.socket | None = None
        self._thread = threading.Thread(target=self._run, name="lightbulb-native", daemon=True)
        self._started = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Future[float] | None = None

    def listen(self, address: str) -> int:
        """Bind to "host:port" and return the port. Raises CannotListen."""
        host, _, port = address.rpartition(":")
        host = host.strip("[]")
        try:
            family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
            both = family == socket.AF_INET6 and host == "::" and socket.has_dualstack_ipv6()
            self._socket = socket.create_server(
                (host, int(port)), family=family, backlog=BACKLOG, dualstack_ipv6=both
            )
        except OSError as error:
            raise cannot_listen(address, error) from error
        return cast(int, self._socket.getsockname()[1])

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()
        if not self._started.wait(START_SECONDS):
            raise TimeoutError("the native transport's thread didn't start")

    async def stop(self, grace: float) -> None:
        """Refuse new connections, and end those that are there in order, within `grace` seconds."""
        if self._loop is None or self._stopping is None:
            if self._socket is not None:
                self._socket.close()
            return
        with contextlib.suppress(RuntimeError):  # it has ended
            self._loop.call_soon_threadsafe(self._stopping.set_result, grace)
        await asyncio.to_thread(self._thread.join)

    def session(self, now: float) -> Session:
        """Return the session of a new connection."""
        return Session(self._methods, self.limits, self.held, now)

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = self._loop.create_future()
        assert self._socket is not None  # `listen` was called
        listener = await self._loop.create_server(
            lambda: _Connection(self), sock=self._socket, backlog=BACKLOG
        )
        self._started.set()
        while not self._stopping.done():
            await asyncio.wait({self._stopping}, timeout=LOOK_SECONDS)
            self._look()
        listener.close()
        await self._drain(self._stopping.result())

    def _look(self) -> None:
        now = time.monotonic()
        for connection in tuple(self.connections):
            connection.look(now)

    async def _drain(self, grace: float) -> None:
        end = time.monotonic() + grace
        while self.connections and (left := end - time.monotonic()) > 0:
            for connection in tuple(self.connections):
                connection.leave()  # again and again: one that was just accepted comes late
            ended = [connection.ended for connection in self.connections]
            await asyncio.wait(ended, timeout=min(left, LOOK_SECONDS), return_when=asyncio.ALL_COMPLETED)
            self._look()
        for connection in tuple(self.connections):
            connection.abort()
        await asyncio.sleep(0)  # so that they are closed


class _Connection(asyncio.BufferedProtocol):
    """Moves the bytes of one connection."""

    def __init__(self, server: WireServer) -> None:
        self._server = server
        self._loop = asyncio.get_running_loop()
        self._session = server.session(self._loop.time())
        self._paused: float | None = None
        self._farewell: asyncio.TimerHandle | None = None
        self.ended: asyncio.Future[None] = self._loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if len(self._server.connections) >= self._server.limits.connections:
            self._transport.abort()
            return
        self._server.connections.add(self)
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's name
        self._session.close()
        self._server.connections.discard(self)
        if self._farewell is not None:
            self._farewell.cancel()
        if not self.ended.done():
            self.ended.set_result(None)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's name
        return self._server.buffer

    def buffer_updated(self, nbytes: int) -> None:
        now = self._server.turn.begin(self._loop)
        try:
            self._session.receive(self._server.buffer[:nbytes], now)
        except Broken as error:
            log.debug("closing a connection: %s", error)
            self.abort()
            return
        self._flush()

    def pause_writing(self) -> None:
        self._paused = time.monotonic()
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._paused = None
        self._transport.resume_reading()
        self._flush()

    def look(self, now: float) -> None:
        """Do what is due by now."""
        stuck = self._paused is not None and now - self._paused >= self._server.limits.stuck
        try:
            gone = stuck or not self._session.look(now)
            if not gone:
                self._flush()
        except Broken:
            gone = True
        except Exception:  # it ends one connection, and not the thread
            log.exception("closing a connection, by a fault of ours")
            gone = True
        if gone:
            self.abort()

    def leave(self) -> None:
        """Have the peer go, without losing a call."""
        try:
            self._session.leave()
        except Broken:
            self.abort()
            return
        self._flush()

    def abort(self) -> None:
        """Close it now."""
        self._transport.abort()

    def _flush(self) -> None:
        if self._transport.is_closing():
            return
        try:
            while self._paused is None and (data := self._session.to_send()):
                self._transport.write(data)
        except Broken:
            self.abort()
            return
        if self._session.finished and self._farewell is None:
            self._farewell = self._loop.call_later(FAREWELL_SECONDS, self.abort)
            self._transport.write_eof()  # closing at once might lose what the peer hasn't read yet
