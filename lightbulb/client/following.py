"""Tables from the file that another process keeps: followed by looking at it, without gRPC."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from pathlib import Path

from lightbulb.ads.client.held import NOTHING_HELD, Held
from lightbulb.ads.client.last_known_good import LastKnownGood
from lightbulb.ads.client.session import Update
from lightbulb.tables.feed import AFRESH, TYPES, Feed

LOOK_SECONDS = 0.5
"""How often one that follows looks at the file, and one that leads says in it that it is connected."""

MISSED = 4
"""Looks at which nothing was said, and the one that leads isn't connected."""


def say_connected(state: Path, name: str) -> None:
    """Tell those that follow the file that a Lightbulb is connected."""
    with contextlib.suppress(OSError):  # nothing is kept yet, or no more
        os.utime(LastKnownGood(state, name).path)


class Following:
    """The file of the one that leads, by its folder and name. Make it in the event loop of `look`."""

    def __init__(self, state: Path, name: str) -> None:
        self.feed = Feed()
        self._kept = LastKnownGood(state, name)
        self._held: Held = NOTHING_HELD
        self._seen: tuple[int, int] | None = None
        self._said = time.monotonic()
        self.lost_at: float | None = None
        """Since when the one that leads hasn't said that it is connected; None: it has, just now."""

    async def look(self) -> bool:
        """Take what is new in the file; return whether there are tables."""
        ready = await self._look()
        silent = time.monotonic() - self._said
        self.lost_at = None if silent < MISSED * LOOK_SECONDS else self._said
        return ready

    async def _look(self) -> bool:
        try:
            found = await asyncio.to_thread(os.stat, self._kept.path)
        except OSError:
            return self.feed.ready
        seen = found.st_ino, found.st_mtime_ns
        if seen == self._seen:
            return self.feed.ready
        if self._seen is not None:
            self._said = time.monotonic()
        if self._seen is None or seen[0] != self._seen[0]:
            await self._take(await asyncio.to_thread(self._kept.load))
        self._seen = seen
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
