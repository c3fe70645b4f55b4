"""Who judges a shift, the control plane's evidence and others beside it: each says when its alarm comes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from bench.parts.shift_figures import Figures
from controlplane.lifecycle.evidence import ODDS, begin, observe
from controlplane.lifecycle.figures import Arms, Counts, Interval
from controlplane.lifecycle.guards import Guards, parse_guards

Seconds = NDArray[np.float64]
"""When each run's alarm came, in seconds; infinite: never."""

INTERVALS = (5, 10, 30)
"""Of the bet, in seconds; 10 is usual."""

Judge = Callable[[Figures], Seconds]


def bet(figures: Figures, *, guard: str, alpha: float, interval: int) -> Seconds:
    """Return what the evidence of the control plane says, looked at after each interval."""
    guards = parse_guards([guard], alpha=alpha, interval=interval)
    summed = figures.summed(interval)
    tables = (summed.candidate, summed.candidate_bad, summed.control, summed.control_bad)
    return np.array(
        [
            _one_run(guards, zip(*(table[run].tolist() for table in tables), strict=True))
            for run in range(len(tables[0]))
        ]
    )


def _one_run(guards: Guards, intervals: zip[tuple[int, int, int, int]]) -> float:
    evidence, needed = begin(guards, 1), -math.log(guards.alpha_of_each)
    for number, (candidate, candidate_bad, control, control_bad) in enumerate(intervals, start=1):
        arms = Arms(
            candidate=Counts(requests=candidate, bad=candidate_bad),
            control=Counts(requests=control, bad=control_bad),
        )
        evidence = observe(guards, evidence, Interval(arms=arms, reporting=1, live=1), step=0)
        if evidence.bets[0].wealth.log_peak >= needed:
            return number * guards.interval
    return math.inf


def event_by_event(figures: Figures, *, alpha: float) -> Seconds:
    """Return what a mixture of likelihood ratios says in which each error counts by itself."""
    expected = figures.candidate / np.maximum(figures.candidate + figures.control, 1)
    bad = figures.candidate_bad + figures.control_bad
    logs = [
        np.cumsum(figures.candidate_bad * math.log(odds) - bad * np.log1p((odds - 1) * expected), axis=1)
        for odds in ODDS
    ]
    return _first(np.logaddexp.reduce(logs) - math.log(len(ODDS)) >= -math.log(alpha))


def confidence_sequence(figures: Figures, *, alpha: float) -> Seconds:
    """Return what an asymptotic confidence sequence says of the difference of the two error rates.

    One-sided, of requests that are weighted by the inverse of the chance that they were the candidate's.
    """
    requests = figures.candidate + figures.control
    chance = np.clip(figures.candidate.sum(axis=0) / np.maximum(requests.sum(axis=0), 1), 1e-6, 1 - 1e-6)
    count = np.maximum(np.cumsum(requests, axis=1), 1).astype(float)
    total = np.cumsum(figures.candidate_bad / chance - figures.control_bad / (1 - chance), axis=1)
    squares = np.cumsum(figures.candidate_bad / chance**2 + figures.control_bad / (1 - chance) ** 2, axis=1)
    mean = total / count
    deviation = np.sqrt(np.maximum(squares / count - mean**2, 0))
    most = count[:, -1:] / 10  # narrowest after a tenth of the run
    tuning = (-2 * math.log(alpha) + math.log(-2 * math.log(alpha)) + 1) / most
    scaled = count * tuning + 1
    width = deviation * np.sqrt(2 * scaled / (count**2 * tuning) * np.log1p(np.sqrt(scaled) / (2 * alpha)))
    return _first((mean - width > 0) & (deviation > 0))


def peeking_z_test(figures: Figures, *, alpha: float) -> Seconds:
    """Return what a one-sided test of two rates says that is looked at every second."""
    candidate, bad = np.cumsum(figures.candidate, axis=1), np.cumsum(figures.candidate_bad, axis=1)
    control, control_bad = np.cumsum(figures.control, axis=1), np.cumsum(figures.control_bad, axis=1)
    pooled = (bad + control_bad) / np.maximum(candidate + control, 1)
    spread = np.sqrt(pooled * (1 - pooled) * (1 / np.maximum(candidate, 1) + 1 / np.maximum(control, 1)))
    difference = bad / np.maximum(candidate, 1) - control_bad / np.maximum(control, 1)
    return _first((difference > NormalDist().inv_cdf(1 - alpha) * spread) & (spread > 0))


def _first(alarms: NDArray[np.bool_]) -> Seconds:
    return np.where(alarms.any(axis=1), alarms.argmax(axis=1) + 1.0, math.inf)


def judges(alpha: float) -> Mapping[str, Judge]:
    """Return all of them, for a candidate that should be no worse than its control."""
    bets = {
        f"bet, {seconds} s": partial(bet, guard="errors:1x", alpha=alpha, interval=seconds)
        for seconds in INTERVALS
    }
    return bets | {
        "event by event": partial(event_by_event, alpha=alpha),
        "confidence sequence": partial(confidence_sequence, alpha=alpha),
        "z-test, peeking": partial(peeking_z_test, alpha=alpha),
    }
