"""How many files and connections a process may have open: as many as it can, and said before they run out."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import resource
from pathlib import Path

log = logging.getLogger(__name__)

MOST = 1 << 20
"""A limit beyond that is left as it is; some programs make a table as long as the limit."""

NEAR = 0.8
CHECK_SECONDS = 10.0

_OPEN = next((path for path in map(Path, ("/proc/self/fd", "/dev/fd")) if path.is_dir()), None)


def raise_limit() -> None:
    """Let this process, and what it starts, open as many files as it is allowed to allow itself."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST if hard == resource.RLIM_INFINITY else min(hard, MOST)
    if soft != resource.RLIM_INFINITY and soft < most:
        with contextlib.suppress(OSError, ValueError):  # a system may allow less than it says
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


async def watch(seconds: float = CHECK_SECONDS) -> None:
    """Log a warning whenever the limit comes near, until cancelled."""
    warned = False
    while True:
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        used = _used()
        near = limit != resource.RLIM_INFINITY and used >= NEAR * limit
        if near and not warned:
            text = "%d of %d files and connections are open; raise the limit (ulimit -n) before they run out"
            log.warning(text, used, limit)
        warned = near
        await asyncio.sleep(seconds)


def _used() -> int:
    """Return how many are open; as many as any limit when not even that can be looked at."""
    if _OPEN is None:
        return 0
    try:
        return sum(1 for _ in _OPEN.iterdir())
    except OSError:
        return MOST
