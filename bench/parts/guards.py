"""Lets judges judge made-up shifts: how often they are wrong, and how long they take."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.parts.judges import Seconds, judges
from bench.parts.shift_figures import EQUALS, WORSE
from bench.worker import answer

ALPHA = 0.01


def run(*, scenario: str, runs: int, seed: int) -> dict[str, Any]:
    """Return judge -> what it makes of a scenario.

    Of equals: its false alarms in 1,000 runs. Of a candidate that is worse: after how many seconds half, and
    nine of ten, of its alarms have come; one that doesn't come counts as if it came at the end.
    """
    random = np.random.default_rng(seed)
    if scenario in EQUALS:
        figures = EQUALS[scenario](random, runs)
        return {
            name: {"": 1000 * float(np.isfinite(judge(figures)).mean())}
            for name, judge in judges(ALPHA).items()
        }
    worse = WORSE[scenario]
    figures = worse.figures(random, runs)
    return {
        name: _delays(judge(figures), worse.since, worse.seconds) for name, judge in judges(ALPHA).items()
    }


def _delays(alarms: Seconds, since: int, seconds: int) -> dict[str, float]:
    late = np.sort(np.minimum(alarms[alarms > since] - since, seconds))
    if not len(late):
        return {"median": float(seconds), "90 %": float(seconds)}
    return {"median": float(late[len(late) // 2]), "90 %": float(late[len(late) * 9 // 10])}


if __name__ == "__main__":
    answer(run)
