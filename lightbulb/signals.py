"""How a process of ours is told to stop, and how it waits for that."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any


def ending_signals() -> tuple[signal.Signals, ...]:
    """Return the signals that end a process: SIGTERM, SIGINT, and SIGHUP, as of a terminal that is closed.

    Under `nohup`, which has SIGHUP ignored, it stays ignored.
    """
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        return signal.SIGTERM, signal.SIGINT
    return signal.SIGTERM, signal.SIGINT, signal.SIGHUP


def stop_at_signals() -> asyncio.Event:
    """Return an event that those signals set, for the event loop that this is called in."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in ending_signals():
        loop.add_signal_handler(number, stop.set)
    return stop


@contextlib.contextmanager
def exiting_at_signals() -> Iterator[None]:
    """Leave the block as at an error when such a signal comes, so that whatever it holds is cleaned up.

    SIGINT is a KeyboardInterrupt anyhow.
    """

    def leave(number: int, _frame: FrameType | None) -> None:
        sys.exit(128 + number)

    numbers = [number for number in ending_signals() if number is not signal.SIGINT]
    before = {number: signal.signal(number, leave) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


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
