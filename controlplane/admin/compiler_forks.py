"""Compilers as processes: asked for at the compiler server, of which this process has one, and told apart.

All control planes of a process share the server: it is started with the first compiler, started anew should
anybody have killed it, and ends with this process, however that ends: it reads a socket that nobody else has.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import errno
import os
import signal
import socket
import subprocess
import sys
import threading
from typing import IO

from controlplane.admin.compiler_messages import NUMBER_BYTES

_HANDED_ON = ("TMPDIR", "TEMP", "TMP", "LD_LIBRARY_PATH")
"""What of the environment a compiler sees; not, for example, the password of the store."""

_KILLED = -signal.SIGKILL
"""How a compiler has ended that ended with its server."""

_END_SECONDS = 30.0
"""What the server has to end, or to end a compiler: both take no time but on a machine that is very busy."""


class Forks:
    """The compiler server of this process, for all of its threads and event loops."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._lock = threading.Lock()
        self._server: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def ask(self, request: bytes, descriptors: list[int]) -> None:
        """Ask for a compiler with these descriptors. Raises OSError."""
        with self._lock:
            if self._control is None or self._server is None or self._server.poll() is not None:
                self._end()
                self._start()
            assert self._control is not None
            socket.send_fds(self._control, [request], descriptors)

    def end(self) -> None:
        """End the server with all its compilers, and wait for it."""
        with self._lock:
            self._end()

    def kill(self) -> None:
        """Kill the server, and so all compilers."""
        with self._lock:
            if self._server is not None:
                self._server.kill()

    @property
    def pid(self) -> int | None:
        """The server's process id, if there is one."""
        return None if self._server is None else self._server.pid

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                self._server = subprocess.Popen(
                    [sys.executable, "-P", "-m", "controlplane.admin.compiler_server"],
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    env=_environment(),
                    cwd="/",
                    start_new_session=True,  # a Ctrl-C is for us
                )
            except BaseException:
                ours.close()
                raise
        ours.settimeout(0)  # there is room for hundreds of requests
        self._control = ours

    def _end(self) -> None:
        if self._control is not None:
            self._control.close()
        if self._server is not None:
            try:
                self._server.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                self._server.kill()
                self._server.wait()
        self._control = self._server = None


FORKS = Forks()
"""What all control planes of this process share."""

atexit.register(FORKS.end)


class Fork:
    """One process that the server has forked: its id, what it says, and how it ends."""

    def __init__(
        self, pid: int, life: socket.socket, talk: tuple[asyncio.StreamReader, asyncio.StreamWriter]
    ) -> None:
        """Take what `start` has started."""
        self.pid = pid
        self.reader, self.writer = talk
        self._life = life
        self._code = asyncio.create_task(_number(life))

    @classmethod
    async def start(cls, request: bytes, errors: IO[bytes], seconds: float) -> Fork:
        """Ask the server for a process that writes its errors there. Raises OSError, after `seconds` too."""
        talk, its_talk = socket.socketpair()
        life, its_life = socket.socketpair()
        life.settimeout(0)
        try:
            with its_talk, its_life:
                FORKS.ask(request, [its_talk.fileno(), its_life.fileno(), errors.fileno()])
            pid = await _pid(life, seconds)
            return cls(pid, life, await asyncio.open_connection(sock=talk))
        except BaseException:
            talk.close()
            life.close()  # which ends it, if there is one
            raise

    @property
    def alive(self) -> bool:
        """Whether it hasn't ended."""
        return not self._code.done()

    async def wait(self) -> int:
        """Return its exit code once it has ended, negative if a signal did it."""
        code = await asyncio.shield(self._code)
        return _KILLED if code is None else code

    async def kill(self) -> None:
        """Have it killed, with what it has started, and wait for that."""
        with contextlib.suppress(OSError):
            self._life.shutdown(socket.SHUT_WR)
        if not (await asyncio.wait({self._code}, timeout=_END_SECONDS))[0]:
            FORKS.kill()  # it hangs
        await self.wait()

    async def close(self) -> None:
        """Kill it, and let go of it."""
        await self.kill()
        self._life.close()
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


async def _pid(life: socket.socket, seconds: float) -> int:
    try:
        async with asyncio.timeout(seconds):
            pid = await _number(life)
    except TimeoutError as error:
        raise OSError(errno.ETIMEDOUT, f"the compiler server says nothing for {seconds:g} s") from error
    if pid is None:
        raise OSError(errno.ESRCH, "the compiler server has ended, or may open no more files")
    if pid < 0:
        raise OSError(-pid, os.strerror(-pid))
    return pid


async def _number(life: socket.socket) -> int | None:
    """Return what the server tells next of a life; None when it has ended."""
    try:
        said = await asyncio.get_running_loop().sock_recv(life, NUMBER_BYTES)
    except ConnectionError:
        return None
    return int.from_bytes(said, signed=True) if len(said) == NUMBER_BYTES else None


def _environment() -> dict[str, str]:
    path = os.pathsep.join(each or os.getcwd() for each in sys.path)  # noqa: PTH109 - sys.path has texts
    return {"PYTHONPATH": path} | {name: os.environ[name] for name in _HANDED_ON if name in os.environ}
