"""A real Redis server for tests: started, waited for, paused, killed, and started again on what it kept."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import Self

from controlplane.cli.processes import free_ports
from controlplane.cli.redis import find_redis
from tests.waiting import until

SECONDS = 60.0

DURABLE = ("--appendonly", "yes", "--appendfsync", "always")
"""Options of a server that keeps every commit that it acknowledged."""


CLUSTERED, BUS = "--cluster-enabled", 10_000
"""Option of a server that listens on a second port too, for its cluster: so many after its first."""


def _cluster_port() -> int:
    """Return a port that is free like the second one, which is of the free ones that are this suite's."""
    while True:
        port = free_ports(1)[0] - BUS
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port


class RedisServer:
    """A Redis server that runs from `start` to `stop`, as a context manager too.

    It listens on a Unix socket, and with `tcp` or CLUSTERED on a free port of 127.0.0.1 too. Its files are in
    `folder`.
    A Sentinel needs a `configuration`, which it writes to.
    By default it keeps nothing over a restart; `options` are those of its command line, such as DURABLE.
    """

    def __init__(
        self, folder: Path, *options: str, tcp: bool = False, configuration: Path | None = None
    ) -> None:
        self.folder = folder
        self.port = _cluster_port() if CLUSTERED in options else free_ports(1)[0] if tcp else 0
        self._sockets = Path(tempfile.mkdtemp(prefix="redis-"))  # short: a socket's path has 107 bytes
        self.socket = self._sockets / "socket"
        self._options = options
        self._configuration = () if configuration is None else (str(configuration),)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """What a store is opened with; names database 0."""
        return f"redis://127.0.0.1:{self.port}/0" if self.port else f"unix://{self.socket}"

    def database(self, number: int) -> str:
        """Return the URL of a database; there are 16."""
        return f"redis://127.0.0.1:{self.port}/{number}" if self.port else f"{self.url}?db={number}"

    @property
    def pid(self) -> int:
        assert self._process is not None, "the server doesn't run"
        return self._process.pid

    def start(self) -> None:
        """Start it, and wait until it answers: that is after it has read what it kept."""
        self.folder.mkdir(parents=True, exist_ok=True)
        listen = ("--port", str(self.port), "--bind", "127.0.0.1")
        files = ("--dir", str(self.folder), "--save", "", "--unixsocket", str(self.socket))
        with (self.folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(
                [find_redis(), *self._configuration, *listen, *files, *self._options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        until(f"Redis to answer:\n{self._tail()}", self._answers)

    def stop(self) -> None:
        """End it, whatever state it is in, and remove its socket; it can't be started again."""
        self.kill()
        shutil.rmtree(self._sockets, ignore_errors=True)

    def kill(self) -> None:
        """Kill it with -9, and wait for its end."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(SECONDS)
            self._process = None

    def restart(self) -> None:
        """Kill it with -9, and start it on what it kept."""
        self.kill()
        self.start()

    def pause(self) -> None:
        """Stop it in its tracks: it takes connections, and doesn't answer."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused one go on."""
        os.kill(self.pid, signal.SIGCONT)

    def call(self, *command: str | bytes, database: int = 0) -> bytes:
        """Send one command, and return its answer as it came, in RESP, up to 64 KiB of it."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(SECONDS)
            connection.connect(str(self.socket))
            for each in (("SELECT", str(database)), command):
                connection.sendall(_request(each))
                answer = connection.recv(65536)
        return answer.rstrip()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"Redis ended:\n{self._tail()}"
        with contextlib.suppress(OSError):
            return self.call("PING").startswith(b"+PONG")
        return False

    def _tail(self) -> str:
        return (self.folder / "redis.log").read_text(errors="replace")[-2000:]


def _request(command: tuple[str | bytes, ...]) -> bytes:
    words = [word.encode() if isinstance(word, str) else word for word in command]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)
