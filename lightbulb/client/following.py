"""Tables from the file that another process keeps: followed by looking at it, without gRPC."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from lightbulb.ads.client.held import NOTHING_HELD, Held
from lightbulb.ads.client.last_known_good import LastKnownGood
from lightbulb.ads.client.session import Update
from lightbulb.tables.feed import AFRESH, TYPES, Feed

LOOK_SECONDS = 0.5
"""How often one that follows looks at the file, and one that leads says that it is connected."""

MISSED = 4
"""Looks at which nothing was said, and the one that leads isn't connected."""


def lock_of(state: Path, name: str) -> Path:
    """Return the file that the process which leads has locked; it touches it while it is connected."""
    return state / f"{name}.lock"


_Stamp = tuple[int, int]


class Following:
    """The file of the one that leads, by its folder and name. Make it in the event loop of `look`."""

    def __init__(self, state: Path, name: str) -> None:
        self.feed = Feed()
        self._kept = LastKnownGood(state, name)
        self._lock = lock_of(state, name)
        self._held: Held = NOTHING_HELD
        self._seen: _Stamp | None = None
        self._touched: _Stamp | None = None
        self._said = time.monotonic()
        self.lost_at: float | None = None
        """Since when the one that leads hasn't said that it is connected; None: it has, just now."""

    async def look(self) -> bool:
        """Take what is new in the file; return whether there are tables."""
        touched, seen = await asyncio.to_thread(lambda: (_stamp(self._lock), _stamp(self._kept.path)))
        if (touched, seen) != (self._touched, self._seen) and self._touched is not None:
            self._said = time.monotonic()
        if seen is not None and seen != self._seen:
            await self._take(await asyncio.to_thread(self._kept.load))
            self._seen = seen
        self._touched = touched
        silent = time.monotonic() - self._said
        self.lost_at = None if silent < MISSED * LOOK_SECONDS else self._said
        return self.feed.ready

    async def _take(self, held: Held) -> None:
        if not held:
            return
        self.feed.open_stream()
        for type_url in TYPES:
            before, now = self._held.get(type_url, {}), held.get(type_url, {})
            afresh = type_url in AFRESH  # what a new stream brings serves with its generation
            added = tuple(each for name, each in now.items() if afresh or before.get(name) != each)
            removed = tuple(name for name in before if name not in now)
            if added or removed:
                await self.feed.apply(Update(type_url=type_url, added=added, removed=removed))
        self._held = held


def _stamp(path: Path) -> _Stamp | None:
    """Return what tells a file from what was there before, its inode and time; None: there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns
