"""How often a guard is wrong, and how soon it is right: a thousand made-up shifts each.

Five in a hundred may be false alarms here, so that a bet that is a little unfair is seen. Seeds are fixed:
each run gives the same. docs/guards.md has the table of `python -m bench guards`, which looks closer.
"""

import math

import numpy as np
import pytest

from bench.parts.judges import bet, event_by_event, peeking_z_test
from bench.parts.shift_figures import EQUALS, WORSE, Figures, independent
from controlplane.lifecycle.bins import Latencies
from controlplane.lifecycle.evidence import begin, observe
from controlplane.lifecycle.figures import Arms, Counts, Interval
from controlplane.lifecycle.guards import parse_guards

ALPHA = 0.05
RUNS = 1_000
WITHIN = [name for name in EQUALS if "spread" not in name]
SPREAD = "failures repeated 3 times, spread over 10 s"


def false_alarms(figures: Figures, guard: str = "errors:1x", interval: int = 10) -> float:
    return float(np.isfinite(bet(figures, guard=guard, alpha=ALPHA, interval=interval)).mean())


def equals(scenario: str, runs: int = RUNS) -> Figures:
    return EQUALS[scenario](np.random.default_rng(11), runs)


@pytest.mark.parametrize("scenario", WITHIN)
def test_equals_raise_no_more_alarms_than_are_allowed_and_a_peeking_test_does(scenario: str) -> None:
    figures = equals(scenario)
    assert false_alarms(figures) <= ALPHA
    assert np.isfinite(peeking_z_test(figures, alpha=ALPHA)).mean() > 2 * ALPHA  # it isn't too easy


def test_an_interval_must_be_longer_than_failures_are_repeated_for() -> None:
    figures = equals(SPREAD)
    assert false_alarms(figures, interval=30) <= ALPHA
    assert false_alarms(equals(SPREAD, 200), interval=2) > 2 * ALPHA
    assert np.isfinite(event_by_event(figures, alpha=ALPHA)).mean() > 2 * ALPHA


@pytest.mark.parametrize(("rate", "share"), [(0.5, 1.0), (25.0, 1.0)], ids=["5", "250"])
def test_who_is_at_a_bound_raises_no_more_alarms_than_are_allowed(rate: float, share: float) -> None:
    random = np.random.default_rng(12)
    figures = independent(random, RUNS, rate=rate, share=share, candidate=0.01, control=0.0)
    assert false_alarms(figures, "errors:1%") <= ALPHA


def test_who_is_at_its_margin_raises_no_more_alarms_than_are_allowed() -> None:
    random = np.random.default_rng(13)
    figures = independent(random, RUNS, rate=1000, share=0.25, candidate=0.00125, control=0.001)
    assert false_alarms(figures, "errors:1.25x") <= ALPHA


def slow(random: np.random.Generator, *, candidate: float, control: float, intervals: int = 30) -> Figures:
    """Return how many of the requests of each interval take longer than what was learnt to be slow."""
    return independent(
        random, RUNS, rate=1000, share=0.3, candidate=candidate, control=control, seconds=intervals
    )


def latency_alarms(figures: Figures) -> float:
    """Return how often p99:1.2x fires, after 5,000 requests of a control whose p99 is at 98 ms."""
    guards, alarms = parse_guards(["p99:1.2x"], alpha=ALPHA), 0
    usual = Arms(control=Counts(latencies=Latencies.of([(1_000, 4_950), (98_000, 50)])))
    learnt = observe(guards, begin(guards, 1), Interval(arms=usual, reporting=1, live=1), step=0)
    tables = (figures.candidate, figures.candidate_bad, figures.control, figures.control_bad)
    for run in range(RUNS):
        evidence = learnt
        for a, b, c, d in zip(*(table[run].tolist() for table in tables), strict=True):
            arms = Arms(
                candidate=Counts(latencies=Latencies(((1_000, a - b), (500_000, b)))),
                control=Counts(latencies=Latencies(((1_000, c - d), (500_000, d)))),
            )
            evidence = observe(guards, evidence, Interval(arms=arms, reporting=1, live=1), step=0)
        alarms += evidence.bets[0].wealth.log_peak >= -math.log(ALPHA)
    return alarms / RUNS


@pytest.mark.parametrize(
    ("candidate", "control"), [(0.01, 0.004), (0.05, 0.05)], ids=["within its margin", "both slower"]
)
def test_latencies_raise_no_more_alarms_than_are_allowed(candidate: float, control: float) -> None:
    assert latency_alarms(slow(np.random.default_rng(14), candidate=candidate, control=control)) <= ALPHA


@pytest.mark.parametrize(
    ("scenario", "most"),
    [
        ("errors 0.1 → 1 %: 1,000/s, share 5 %", 70),
        ("errors 0.1 → 1 %: 1,000/s, share 50 %", 130),
        ("errors 0.1 → 1 %: 100/s, share 5 %", 330),
        ("slow 1 → 6.5 %: 100/s, share 5 %", 120),
    ],
)
def test_nine_of_ten_worse_candidates_are_found_out_as_soon_as_the_table_says(
    scenario: str, most: int
) -> None:
    figures = WORSE[scenario].figures(np.random.default_rng(15), 100)
    assert np.quantile(bet(figures, guard="errors:1x", alpha=0.01, interval=10), 0.9) <= most
