"""A sidecar as one tree of processes: the relay in this one, and Envoy as its child. Or the relay alone."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket as sockets
import sys
import tempfile
import zlib
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lightbulb.ads.values import EVERYTHING, Takes
from lightbulb.sidecar import parent_death
from lightbulb.sidecar.bootstrap import SidecarSettings
from lightbulb.sidecar.drain import drain
from lightbulb.sidecar.last_resort import end_within
from lightbulb.sidecar.process import SidecarFailed, make_command
from lightbulb.sidecar.relay import CannotRelay, Relay, RelaySettings
from lightbulb.signals import stop_at_signals, until

log = logging.getLogger(__name__)

GRACE_SECONDS = 5.0
"""From SIGTERM to Envoy until SIGKILL."""

END_SECONDS = 20.0
"""From Envoy's end until this process is gone; a goodbye and what is kept take a few."""

MAX_SOCKET_PATH = 107
"""Bytes that the kernel has for the path of a Unix domain socket."""

Address = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """Addresses are (IP address, port), except for the control plane's replicas, which are "host:port".

    `state` is the folder for the last known good configuration; with None nothing is kept.
    """

    node_id: str
    control_planes: tuple[str, ...]
    listen: Address
    admin: Address
    state: Path | None = None
    concurrency: int = 1
    envoy: Path | None = None
    takes: Takes = EVERYTHING
    """What it routes; by default all there is."""
    client: str = ""


async def run(settings: RunSettings) -> int:
    """Run until Envoy ends, or SIGTERM, SIGINT or SIGHUP comes. Return its exit code; 128 + N after signal N.

    If this process is killed, the kernel kills Envoy. Raises SidecarFailed.
    """
    asked = stop_at_signals()
    with _socket(settings) as socket:
        sidecar = SidecarSettings(
            node_id=settings.node_id,
            control_plane=socket,
            listen=settings.listen,
            admin=settings.admin,
            takes=settings.takes,
            client=settings.client,
        )
        command = make_command(sidecar, concurrency=settings.concurrency, binary=settings.envoy)
        relay_settings = RelaySettings(
            node=sidecar.node,
            control_planes=starting_elsewhere(settings.control_planes, settings.node_id),
            socket=socket,
            state=settings.state,
            admin=settings.admin,
        )
        try:
            async with Relay(relay_settings).serving() as relaying:
                return await _run_beside(relaying, asked, command, settings.admin)
        except CannotRelay as error:
            raise SidecarFailed(str(error)) from error


async def run_relay(settings: RelaySettings) -> None:
    """Run a relay alone, for an Envoy that somebody else starts, until SIGTERM, SIGINT or SIGHUP comes.

    Raises SidecarFailed.
    """
    asked = stop_at_signals()
    _check_place(settings.socket)
    try:
        async with Relay(settings).serving() as relaying:
            log.info("Envoy may connect to %s", settings.socket)
            await until(asked, relaying)
            if relaying.done():
                relaying.result()  # a fault of ours: it says what
    except CannotRelay as error:
        raise SidecarFailed(str(error)) from error


def _check_place(path: Path) -> None:
    """Make the folder of a relay's socket; raise SidecarFailed, with the reason, when none can be there."""
    problem = _why_no_socket(path) or _why_not_there(path)
    if problem:
        raise SidecarFailed(f"can't listen on {path}: {problem}; choose another path with --relay-socket")


def _why_not_there(path: Path) -> str:
    """Return what keeps a place from being a relay's; empty when nothing does."""
    if not _made(path.parent):
        return "its folder can't be made or written"
    if path.exists() and not path.is_socket():
        return "something else is there"
    if _is_served(path):  # gRPC would take the socket from the relay that serves there
        return "another relay listens there"
    return ""


def _why_no_socket(path: Path) -> str:
    """Return why no socket can have a path; Envoy and gRPC take it as text."""
    written = os.fsencode(path)
    if len(written) > MAX_SOCKET_PATH:
        return f"a socket's path may have {MAX_SOCKET_PATH} bytes"
    try:
        written.decode()
    except UnicodeDecodeError:
        return "its name isn't UTF-8"
    return ""


def _is_served(path: Path) -> bool:
    with sockets.socket(sockets.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def starting_elsewhere(replicas: tuple[str, ...], node_id: str) -> tuple[str, ...]:
    """Return the replicas in an order that depends on the node id, so that they share the sidecars."""
    first = zlib.crc32(node_id.encode()) % len(replicas)
    return replicas[first:] + replicas[:first]


@contextlib.contextmanager
def _socket(settings: RunSettings) -> Iterator[Path]:
    """Give the path of the relay's socket.

    It is in the folder for state: if this sidecar is killed, the next one replaces its socket there.
    """
    if settings.state is not None:
        path = settings.state.absolute() / "{}:{}.ads".format(*settings.listen)
        if not _why_no_socket(path) and _made(settings.state):
            yield path
            return
    with contextlib.ExitStack() as made:
        try:
            folder = made.enter_context(tempfile.TemporaryDirectory(prefix="lightbulb-"))
        except OSError as error:
            raise SidecarFailed(
                f"no folder for the relay's socket ({error.strerror}); name one that can be written to with"
                " --state-dir, or set TMPDIR"
            ) from error
        yield Path(folder) / "ads"


def _made(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False  # the relay says so when it keeps its state there
    return os.access(folder, os.W_OK)


async def _run_beside(
    relaying: asyncio.Task[None], asked: asyncio.Event, command: Sequence[str], admin: Address
) -> int:
    async with _envoy(command) as envoy:
        ended = asyncio.create_task(envoy.wait())
        await until(asked, relaying, ended)
        if relaying.done():
            relaying.result()  # a fault of ours: it says what
        if not ended.done():
            log.info("draining Envoy")
            await asyncio.to_thread(drain, admin)
    return _exit_code(await ended)


def _exit_code(of_envoy: int) -> int:
    return of_envoy if of_envoy >= 0 else 128 - of_envoy


@contextlib.asynccontextmanager
async def _envoy(command: Sequence[str]) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run Envoy in a process group of its own, so that Ctrl-C reaches only this process, which drains it."""
    command = [sys.executable, "-I", "-S", parent_death.__file__, str(os.getpid()), *command]
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.DEVNULL, process_group=0
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                async with asyncio.timeout(GRACE_SECONDS):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
        end_within(END_SECONDS, _exit_code(process.returncode or 0) or 1)
