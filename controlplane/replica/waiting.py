"""Waiting for a store that can't be reached yet: for as long as it takes, saying once what is waited for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TypeVar

from controlplane.store.contract import Unreachable
from lightbulb.signals import until

log = logging.getLogger(__name__)

RETRY_SECONDS = 0.5
"""Between attempts to reach a store that doesn't answer."""

T = TypeVar("T")


class StoppedWaiting(Exception):
    """Whoever waited was told to stop before the store could be reached."""


async def when_reachable(work: Callable[[], T], stop: asyncio.Event | None = None) -> T:
    """Return what blocking `work` returns once it doesn't raise Unreachable.

    Raises StoppedWaiting when `stop` is set before, and whatever else `work` raises. An attempt under way is
    waited for: its thread can't be ended, and nobody may close the store under it.
    """
    problem = ""
    while stop is None or not stop.is_set():
        try:
            return await asyncio.to_thread(work)
        except Unreachable as error:
            if str(error) != problem:
                log.warning("waiting for the store: %s", error)
            problem = str(error)
        await until(stop, seconds=RETRY_SECONDS)
    raise StoppedWaiting
