"""Which schedules a shift can have, be it an operator's or a rule's. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from controlplane.lifecycle.state import MAX_EVERY, MAX_STEPS, percent
from lightbulb.model import BASIS_POINTS


def schedule_faults(steps: tuple[int, ...], every: float) -> Iterator[tuple[str, str, str]]:
    """Yield what is wrong with a schedule: of what, the fault, and what to do."""
    if not 1 <= len(steps) <= MAX_STEPS:
        yield "steps", f"a shift has 1 to {MAX_STEPS} steps, not {len(steps)}", "give so many"
    beyond = [percent(each) for each in steps if each > BASIS_POINTS]
    if beyond:
        yield "steps", f"{', '.join(beyond)}: a share is of 0 to 100 %", "take one in between"
    if any(later <= earlier for earlier, later in pairwise(steps)):
        told = ", ".join(map(percent, steps))
        yield (
            "steps",
            f"{told}: each step must be more than the one before",
            "to give users back, abort the shift",
        )
    if every and len(steps) < 2:
        yield "every", "there is no step to take every so often", "give a schedule of several"
    if every and not 1.0 <= every <= MAX_EVERY:
        yield "every", f"a step lasts 1 second to {MAX_EVERY / 86_400:g} days", "take a time in between"
