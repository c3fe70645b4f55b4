"""Tables in a client's process, kept up to date by a thread of their own, so that no event loop is held up.

Of all processes that share a folder one leads: it follows a Lightbulb, and keeps on disk what came. The
others follow that file; when the one that leads has ended, another does. A process that was forked from one
in which gRPC ran can't use it, so it never leads.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import IO, Protocol

from lightbulb.ads.values import SIDECAR, Takes
from lightbulb.client.following import LOOK_SECONDS, Following, lock_of
from lightbulb.signals import until
from lightbulb.tables.live import LiveTables
from lightbulb.tables.values import EMPTY_TABLES, Tables

log = logging.getLogger(__name__)

STOP_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TablesSettings:
    """Where tables come from, and what they are for.

    `target` is "host:port" of Lightbulbs' tables, several with commas between; `state` a folder, or None.
    """

    target: str
    client: str
    sidecar: str
    takes: Takes
    state: Path | None

    @property
    def name(self) -> str:
        """The node id, and the name of the file, which those share that take the same."""
        taken = repr((sorted(self.takes.objectives), sorted(self.takes.tenants), self.sidecar))
        return f"{self.client or 'client'}@{socket.gethostname()}-{sha256(taken.encode()).hexdigest()[:8]}"


class Holder(Protocol):
    """Has tables, the newest that there are."""

    @property
    def tables(self) -> Tables:
        """What is answered from."""


class Source(Protocol):
    """Where tables are found, and since when nothing has kept them up to date; None: something does."""

    @property
    def feed(self) -> Holder:
        """What holds them."""

    @property
    def lost_at(self) -> float | None:
        """By the monotonic clock."""


class Given:
    """Tables that nothing keeps up to date."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.feed = self
        self.lost_at: float | None = time.monotonic()


class TablesThread:
    """Runs from `start` until `stop`. `source` and `ready` may be asked from any thread."""

    def __init__(self, settings: TablesSettings, *, may_lead: bool = True) -> None:
        self._settings = settings
        self._may_lead = may_lead
        self.ready = threading.Event()
        self.source: Source = Given(EMPTY_TABLES)
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="lightbulb-tables", daemon=True)
        self.leads = False

    def start(self, tables: Tables = EMPTY_TABLES) -> None:
        """Begin; `tables` is what there is until something comes."""
        if tables.generations:
            self._use(Given(tables))
        self._thread.start()

    def stop(self) -> None:
        """End the thread, and return once it has ended."""
        with contextlib.suppress(RuntimeError):  # it has ended by itself
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(STOP_SECONDS)
        if self._thread.is_alive():
            log.warning("the thread that keeps tables up to date didn't end within %g s", STOP_SECONDS)

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._keep())
        except Exception:
            log.exception("tables aren't kept up to date any more; what came is answered from")

    async def _keep(self) -> None:
        if self._settings.state is None:
            await self._lead(None)
            return
        with _lock(self._settings.state, self._settings.name) as lock:
            if lock is None:
                await self._lead(None)
                return
            following = Following(self._settings.state, self._settings.name)
            while not self._stop.is_set():
                if self._may_lead and _taken(lock):
                    await self._lead(lock)
                    return
                if await following.look():
                    self._use(following)
                await until(self._stop, seconds=LOOK_SECONDS)

    def _use(self, source: Source) -> None:
        self.source = source
        self.ready.set()

    async def _lead(self, lock: IO[bytes] | None) -> None:
        """Follow a Lightbulb; with a lock, for the processes that share the folder too."""
        if not self._may_lead:
            await self._stop.wait()
            return
        settings = self._settings
        live = LiveTables(
            control_plane=settings.target,
            node_id=settings.name,
            state=None if lock is None else settings.state,
            takes=settings.takes,
            kind="client",
            metadata={SIDECAR: settings.sidecar} if settings.sidecar else {},
        )
        self.leads = True
        await live.start()
        first = asyncio.create_task(live.feed.wait_ready())
        try:
            while not self._stop.is_set():
                if live.feed.ready:
                    self._use(live)
                if live.running.done():
                    live.running.result()
                if lock is not None and live.lost_at is None:
                    with contextlib.suppress(OSError):  # of a disk that can't be written to any more
                        os.utime(lock.fileno())
                await until(self._stop, *(() if live.feed.ready else (first,)), seconds=LOOK_SECONDS)
        finally:
            first.cancel()
            await live.stop()


@contextlib.contextmanager
def _lock(state: Path, name: str) -> Iterator[IO[bytes] | None]:
    """Give the file whose lock is of the one that leads; None, with a word why, where there can't be one."""
    with contextlib.ExitStack() as opened:
        try:
            state.mkdir(parents=True, exist_ok=True)
            lock = opened.enter_context(lock_of(state, name).open("ab"))
        except OSError as error:
            log.warning("%s can't be written (%s): tables are kept in memory alone", state, error.strerror)
            lock = None
        yield lock


def _taken(lock: IO[bytes]) -> bool:
    try:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
