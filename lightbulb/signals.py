"""How a process of ours is told to stop, and how it waits for that."""

from __future__ import annotations

import asyncio
import signal
from typing import Any


def stop_at_signals() -> asyncio.Event:
    """Return an event that SIGTERM or SIGINT sets, for the event loop that this is called in."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


async def until(stop: asyncio.Event | None, *ends: asyncio.Task[Any], seconds: float | None = None) -> None:
    """Return once `stop` is set, one of `ends` has ended, or `seconds` have passed.

    What a task ended with is its owner's to look at.
    """
    stopping = [] if stop is None else [asyncio.create_task(stop.wait())]
    try:
        if stopping or ends:
            await asyncio.wait({*stopping, *ends}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        elif seconds is not None:
            await asyncio.sleep(seconds)
    finally:
        for task in stopping:
            task.cancel()
