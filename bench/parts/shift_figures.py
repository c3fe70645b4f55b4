"""Made-up figures of a shift, a second at a time and many runs at once: what a guard may have to judge."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Table = NDArray[np.int64]
"""A row a run, a column a second."""

SECONDS = 600
BURSTS, BURST_SECONDS = 4, 5
"""So many times in a run, and for so long, fifty times as many requests fail."""
RAMP = (0.01, 0.05, 0.25, 0.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Requests of each arm, and those of them that fail."""

    candidate: Table
    candidate_bad: Table
    control: Table
    control_bad: Table

    def summed(self, seconds: int) -> Figures:
        """Return these by intervals; what doesn't fill one is left out."""

        def sums(table: Table) -> Table:
            whole = table.shape[1] // seconds * seconds
            return table[:, :whole].reshape(len(table), -1, seconds).sum(axis=2)

        return self._with(sums)

    def _with(self, change: Callable[[Table], Table]) -> Figures:
        return Figures(
            candidate=change(self.candidate),
            candidate_bad=change(self.candidate_bad),
            control=change(self.control),
            control_bad=change(self.control_bad),
        )


Probability = float | NDArray[np.float64]
"""One for all, or one for each second, or for each run and second."""


def independent(  # noqa: PLR0913 - what a shift may be like
    random: np.random.Generator,
    runs: int,
    *,
    rate: float,
    share: Probability,
    candidate: Probability,
    control: Probability,
    seconds: int = SECONDS,
) -> Figures:
    """Return figures of requests that fail each by itself: `rate` a second, a `share` of them for one."""
    requests = random.poisson(rate, (runs, seconds))
    of_candidate = random.binomial(requests, share)
    of_control = requests - of_candidate
    return Figures(
        candidate=of_candidate,
        candidate_bad=random.binomial(of_candidate, candidate),
        control=of_control,
        control_bad=random.binomial(of_control, control),
    )


def bursts(random: np.random.Generator, runs: int, share: Probability) -> Figures:
    """Return figures with bursts of errors that hit both arms, at 1,000 requests a second."""
    failing = np.full((runs, SECONDS), 0.001)
    for begin in random.integers(0, SECONDS - BURST_SECONDS, (BURSTS, runs)):
        for second in range(BURST_SECONDS):
            failing[np.arange(runs), begin + second] = 0.05
    return independent(random, runs, rate=1000, share=share, candidate=failing, control=failing)


def ramp(random: np.random.Generator, runs: int) -> Figures:
    """Return figures with such bursts while the candidate's share rises, in the middle of an interval."""
    share = np.repeat(RAMP, SECONDS // len(RAMP))
    return bursts(random, runs, np.roll(share, 5))


def repeated(random: np.random.Generator, figures: Figures, *, times: int, within: int) -> Figures:
    """Return figures in which each request that fails is repeated, and fails each time.

    The repetitions are spread over the `within` seconds that follow; 0: all of them come at once.
    """

    def more(bad: Table) -> Table:
        if not within:
            return bad * times
        later = np.zeros_like(bad)
        left = bad * times
        for second in range(within):
            now = random.binomial(left, 1 / (within - second))
            left = left - now
            later[:, second:] += now[:, : bad.shape[1] - second]
        return later

    of_candidate, of_control = more(figures.candidate_bad), more(figures.control_bad)
    return Figures(
        candidate=figures.candidate + of_candidate,
        candidate_bad=figures.candidate_bad + of_candidate,
        control=figures.control + of_control,
        control_bad=figures.control_bad + of_control,
    )


def _usual(random: np.random.Generator, runs: int) -> Figures:
    return independent(random, runs, rate=1000, share=0.05, candidate=0.001, control=0.001)


EQUALS: Mapping[str, Callable[[np.random.Generator, int], Figures]] = {
    "1,000/s, 5 % share, 0.1 % fail": _usual,
    "1,000/s, 50 % share, 1 % fail": lambda random, runs: independent(
        random, runs, rate=1000, share=0.5, candidate=0.01, control=0.01
    ),
    "2/s, 10 % share, 2 % fail": lambda random, runs: independent(
        random, runs, rate=2, share=0.1, candidate=0.02, control=0.02
    ),
    "bursts in both arms, 50 times as many": lambda random, runs: bursts(random, runs, 0.05),
    "bursts, and a ramp 1, 5, 25, 50 %": ramp,
    "failures repeated 3 times, at once": lambda random, runs: repeated(
        random, _usual(random, runs), times=3, within=0
    ),
    "failures repeated 10 times, at once": lambda random, runs: repeated(
        random, _usual(random, runs), times=10, within=0
    ),
    "failures repeated 3 times, spread over 10 s": lambda random, runs: repeated(
        random, _usual(random, runs), times=3, within=10
    ),
}
"""Shifts between two models that are equally good: whoever raises an alarm is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failing:
    """A candidate that is worse than its control, from second `since` on."""

    rate: float
    share: float
    candidate: float
    control: float = 0.001
    since: int = 0
    seconds: int = SECONDS

    def figures(self, random: np.random.Generator, runs: int) -> Figures:
        """Return its figures."""
        failing = np.full(self.since + self.seconds, self.candidate)
        failing[: self.since] = self.control
        return independent(
            random,
            runs,
            rate=self.rate,
            share=self.share,
            candidate=failing,
            control=self.control,
            seconds=len(failing),
        )


WORSE: Mapping[str, Failing] = {
    "errors 0.1 → 1 %: 1,000/s, share 1 %": Failing(rate=1000, share=0.01, candidate=0.01),
    "errors 0.1 → 1 %: 1,000/s, share 5 %": Failing(rate=1000, share=0.05, candidate=0.01),
    "errors 0.1 → 1 %: 1,000/s, share 25 %": Failing(rate=1000, share=0.25, candidate=0.01),
    "errors 0.1 → 1 %: 1,000/s, share 50 %": Failing(rate=1000, share=0.5, candidate=0.01),
    "errors 0.1 → 1 %: 1,000/s, share 75 %": Failing(rate=1000, share=0.75, candidate=0.01, seconds=1200),
    "errors 0.1 → 1 %: 100/s, share 5 %": Failing(rate=100, share=0.05, candidate=0.01, seconds=1200),
    "errors 0.1 → 1 % after a good hour: 1,000/s, share 5 %": Failing(
        rate=1000, share=0.05, candidate=0.01, since=3600
    ),
    "slow 1 → 6.5 %: 1,000/s, share 5 %": Failing(rate=1000, share=0.05, candidate=0.065, control=0.01),
    "slow 1 → 6.5 %: 100/s, share 5 %": Failing(rate=100, share=0.05, candidate=0.065, control=0.01),
}
"""Candidates that are found out, and how soon is the question."""
