"""Waiting for what comes about elsewhere: a test that waits in vain fails, and says what it waited for."""

import asyncio
import time
from collections.abc import Callable

SECONDS = 60.0
"""So long anything may take that is waited for; hardly any of it is ever needed."""

PAUSE = 0.005


def until(what: str, condition: Callable[[], object], seconds: float = SECONDS) -> None:
    """Return when `condition` holds; fail, saying what was waited for, when it doesn't in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds:g} s for {what}"
        time.sleep(PAUSE)


async def eventually(what: str, condition: Callable[[], object], seconds: float = SECONDS) -> None:
    """Do as `until` does, and let the event loop go on meanwhile."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds:g} s for {what}"
        await asyncio.sleep(PAUSE)
