"""How slow this machine is now: what the harness waits for, or excuses, takes so many times as long."""

from __future__ import annotations

import subprocess
import sys
import time

CHILDREN = 4
IDLE_SECONDS = 0.6
"""How long the measurement takes on two cores with nothing else to do."""

MARGIN = 1.5
"""For what others begin to do on this machine after the measurement."""

SLOWEST = 6.0
"""On a machine that is slower still a run would take hours; it may fail there."""


def measured_pace() -> float:
    """Start processes as the harness does, all at once, and return what `pace_of` makes of it."""
    began = time.monotonic()
    command = [sys.executable, "-c", "import chaos.host"]
    children = [subprocess.Popen(command) for _ in range(CHILDREN)]
    for child in children:
        child.wait()
    return pace_of(time.monotonic() - began)


def pace_of(seconds: float) -> float:
    """Return how many times as long as usual things take: from 1 to SLOWEST."""
    return min(SLOWEST, max(1.0, MARGIN * seconds / IDLE_SECONDS))
