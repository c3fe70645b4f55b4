"""Intervals cover what is true in 95 of 100 runs: pairs of rankers whose agreement is known."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest

from controlplane.comparison.bootstrap import Interval, Sample, interval_of, resample
from controlplane.comparison.figures import AGREEMENT, latency, mean_of
from controlplane.comparison.pairs import measure
from controlplane.comparison.totals import GROUPS, Array, Mean, Measured, Scores, no_totals
from tests.comparison.records import pair, ranking
from tests.depth import is_deep

RUNS = 500 if is_deep() else 20
RESAMPLES = 1000 if is_deep() else 500
PRIMARY = ranking(*range(20))
CANDIDATES = (
    PRIMARY,
    ranking(1, 0, *range(2, 20)),
    ranking(*range(10), *range(100, 110)),
    ranking(*range(200, 215)),
    ranking(),
)
"""How a candidate may answer where the primary gives PRIMARY: the same, swapped, half of it, others, none."""

MEASURED = measure([pair(PRIMARY, each) for each in CANDIDATES], {}).means


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Users, and how many requests each sends on average; `leanings` are each user's own."""

    users: int
    requests: float
    alike: bool = False

    def leanings(self, random: np.random.Generator) -> Array:
        """Return the chance of each answer, by user; on average MEAN of every world."""
        if self.alike:
            return np.tile(MEAN, (self.users, 1))
        return random.dirichlet(MEAN * 6, size=self.users)

    def sample(self, seed: int) -> Sample:
        random = np.random.default_rng(seed)
        owners = np.repeat(np.arange(self.users), random.geometric(1 / self.requests, size=self.users))
        chances = self.leanings(random).cumsum(axis=1)
        answers = (random.random(len(owners))[:, None] > chances[owners]).sum(axis=1).clip(max=len(MEAN) - 1)
        slow = random.normal(0.0, 0.4, size=self.users)[owners]
        took = np.exp(random.normal(MEDIAN_LOG, 0.7, size=(len(owners), 2)) + slow[:, None])
        nothing = np.zeros(0)
        scores = Scores(rows=nothing.astype(int), primary=nothing, shadow=nothing, outcomes=nothing)
        totals = no_totals(GROUPS)
        totals.add(Measured(means=MEASURED[answers], microseconds=took, scores=(scores,)), owners)
        return resample((totals,), seed=seed + 1_000_000, resamples=RESAMPLES)[0]


MEAN = np.array([0.5, 0.2, 0.15, 0.1, 0.05])
MEDIAN_LOG = 8.0

WORLDS = {
    "many users": World(users=400, requests=2.0),
    "few users with many requests": World(users=100, requests=8.0),
    "users who are alike": World(users=200, requests=1.5, alike=True),
}


def true_mean(which: Mean) -> float:
    known = ~np.isnan(MEASURED[:, which])
    return float((MEAN[known] * MEASURED[known, which]).sum() / MEAN[known].sum())


def covers(interval: Interval, value: float) -> bool:
    return interval.low <= value <= interval.high


@pytest.mark.parametrize("world", WORLDS.values(), ids=WORLDS)
def test_intervals_cover_what_is_true(world: World) -> None:
    known = {which: true_mean(which) for which in (Mean.OVERLAP, Mean.AT_10, Mean.TAU)}
    covered = dict.fromkeys((*known, "p50"), 0)
    for seed in range(RUNS):
        sample = world.sample(seed)
        for which, value in known.items():
            share = which is not Mean.TAU
            covered[which] += covers(sample.interval(partial(mean_of, which), share=share), value)
        covered["p50"] += covers(sample.interval(partial(latency, 1, 0.5)), np.exp(MEDIAN_LOG) / 1000)
    least, most = (0.93, 0.97) if is_deep() else (0.8, 1.0)
    assert all(least <= count / RUNS <= most for count in covered.values()), covered


def test_one_users_requests_are_not_independent() -> None:
    """Taken for independent, they would make intervals half as wide as they are."""
    world = WORLDS["few users with many requests"]
    alone, together = [], []
    for seed in range(4):
        together.append(world.sample(seed).interval(AGREEMENT.figure).half)
        alike = World(users=world.users * 10, requests=1.0)
        alone.append(alike.sample(seed).interval(AGREEMENT.figure).half)
    assert np.mean(together) > 1.25 * np.mean(alone)


def test_what_was_never_seen_may_be_there() -> None:
    means = np.full((50, len(Mean)), np.nan)
    means[:, Mean.AGREEMENT] = 1.0
    nothing = np.zeros(0)
    scores = Scores(rows=nothing.astype(int), primary=nothing, shadow=nothing, outcomes=nothing)
    totals = no_totals()
    totals.add(Measured(means=means, microseconds=np.ones((50, 2)), scores=(scores,)), np.arange(50))
    (sample,) = resample((totals,), seed=1)
    assert sample.interval(AGREEMENT.figure, share=True) == Interval(value=1.0, low=1 - 3 / 50, high=1.0)


def test_a_difference_of_figures_is_of_the_same_users() -> None:
    """What moves both alike moves their difference little."""
    sample = WORLDS["few users with many requests"].sample(1)
    one, other = (sample.worked_out(partial(mean_of, which)) for which in (Mean.OVERLAP, Mean.AT_10))
    apart = interval_of(one - other, sample.groups)
    assert apart.value == pytest.approx(one.whole - other.whole)
    assert apart.half < 0.5 * interval_of(one, sample.groups).half


def test_nothing_has_no_interval() -> None:
    (sample,) = resample((no_totals(),), seed=1)
    assert np.isnan(sample.interval(AGREEMENT.figure).value)
