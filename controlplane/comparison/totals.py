"""What many pairs add up to, by group of users: all that a report's figures follow from. Pure.

Users are dealt out to GROUPS groups by a hash, and a resample draws groups: one user's requests aren't
independent of each other, and stay together. So what is kept doesn't grow with the pairs.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass, fields
from enum import IntEnum, auto
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

GROUPS = 2048
BANDS = 10
"""Into which probabilities are put, to see whether they are right on average."""

STRIPES = 20
"""Of a histogram of agreement."""

FINE = 1.05
MICROSECONDS = 420
"""Bins of latencies: each is 5 % above the one before, from 1 µs to 13 minutes."""

COARSE = 1.1
LEAST_GAP = 1e-9
GAPS = 340
"""Bins of differences: none, then from 1e-9, each 10 % above the one before, to 1e5."""


class Mean(IntEnum):
    """Of what means are taken; one of a pair that has none of it is NaN."""

    AGREEMENT = 0
    AT_1 = auto()
    AT_5 = auto()
    AT_10 = auto()
    AT_ALL = auto()
    OVERLAP = auto()
    TAU = auto()
    RHO = auto()
    GAP = auto()
    DRIFT = auto()
    WITHIN = auto()
    SAME = auto()
    LENGTHS = auto()
    PRIMARY_FAILED = auto()
    SHADOW_FAILED = auto()
    PRIMARY_BRIER = auto()
    SHADOW_BRIER = auto()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scores:
    """Scores that stand opposite each other, of all pairs in a row: `rows` says of which pair.

    `outcomes` are what was to be foretold, from 0 to 1; NaN where that isn't known.
    """

    rows: Array
    primary: Array
    shadow: Array
    outcomes: Array
    of_rankings: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Measured:
    """What was measured of pairs: `means` [pair, Mean], `microseconds` [pair, side], and their scores."""

    means: Array
    microseconds: Array
    scores: tuple[Scores, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Totals:
    """Sums; the first axis of each array is the group, or the resample.

    `means` [.., Mean, 2]: sum and count. `latency` [.., side, bin] and `gaps` [.., bin]: how many.
    `agreement` [.., stripe]: how many pairs agree so far. `moments` [.., 6]: of scores, n, sums of x, y, x²,
    y², x·y. `curve` [.., band of x, 3]: n, sums of x and y. `labelled` [.., side, band, 3]: n, sums of score
    and outcome. x is the primary's.
    """

    means: Array
    latency: Array
    gaps: Array
    agreement: Array
    moments: Array
    curve: Array
    labelled: Array

    def add(self, measured: Measured, groups: Array) -> None:
        """Add pairs in place, each to its group."""
        known = ~np.isnan(measured.means)
        np.add.at(self.means, groups, np.stack((np.where(known, measured.means, 0.0), known), axis=2))
        bins = latency_bins(measured.microseconds)
        for side in (0, 1):
            np.add.at(self.latency[:, side], (groups, bins[:, side]), 1.0)
        agreement = measured.means[:, Mean.AGREEMENT]
        there = ~np.isnan(agreement)
        stripes = np.minimum((agreement[there] * STRIPES).astype(np.int64), STRIPES - 1)
        np.add.at(self.agreement, (groups[there], stripes), 1.0)
        for scores in measured.scores:
            self._add_scores(scores, groups)

    def _add_scores(self, scores: Scores, groups: Array) -> None:
        owners, one, other = groups[scores.rows], scores.primary, scores.shadow
        np.add.at(self.gaps, (owners, gap_bins(np.abs(other - one))), 1.0)
        if scores.of_rankings:
            return
        sums = np.stack((np.ones(len(one)), one, other, one * one, other * other, one * other), axis=1)
        np.add.at(self.moments, owners, sums)
        likely = probable(one) & probable(other)
        np.add.at(self.curve, (owners[likely], bands(one[likely])), sums[likely, :3])
        labelled = likely & ~np.isnan(scores.outcomes)
        for side, values in enumerate((one[labelled], other[labelled])):
            told = np.stack((np.ones(len(values)), values, scores.outcomes[labelled]), axis=1)
            np.add.at(self.labelled[:, side], (owners[labelled], bands(values)), told)

    def __sub__(self, other: Totals) -> Totals:
        """Return these without others."""
        return Totals(
            **{each.name: getattr(self, each.name) - getattr(other, each.name) for each in fields(self)}
        )

    def of_groups(self, groups: Array) -> Totals:
        """Return those of some groups."""
        return Totals(**{each.name: getattr(self, each.name)[groups] for each in fields(self)})

    def used(self) -> Array:
        """Return which groups have a pair."""
        return np.asarray(self.latency[:, 0].sum(axis=1) > 0)

    def weighted(self, weights: Array) -> Totals:
        """Return what groups come to that are drawn so many times: a row of `weights` is a resample."""
        return Totals(**{each.name: _weighted(weights, getattr(self, each.name)) for each in fields(self)})


def _weighted(weights: Array, values: Array) -> Array:
    flat = values.reshape(len(values), math.prod(values.shape[1:]))
    used = flat.any(axis=0)  # most bins are empty
    result = np.zeros((len(weights), flat.shape[1]))
    result[:, used] = weights @ flat[:, used]
    return result.reshape(len(weights), *values.shape[1:])


def no_totals(groups: int = GROUPS) -> Totals:
    """Return nothing yet."""
    return Totals(
        means=np.zeros((groups, len(Mean), 2)),
        latency=np.zeros((groups, 2, MICROSECONDS)),
        gaps=np.zeros((groups, GAPS)),
        agreement=np.zeros((groups, STRIPES)),
        moments=np.zeros((groups, 6)),
        curve=np.zeros((groups, BANDS, 3)),
        labelled=np.zeros((groups, 2, BANDS, 3)),
    )


def group_of(user: str) -> int:
    """Return the group of a user, the same in each run."""
    return zlib.crc32(user.encode()) % GROUPS


def latency_bins(microseconds: Array) -> Array:
    """Return the bins of latencies."""
    bins = np.log(np.maximum(microseconds, 1)) / np.log(FINE)
    return np.asarray(np.minimum(bins.astype(np.int64), MICROSECONDS - 1))


def latency_edges() -> Array:
    """Return where each bin of latencies begins, in microseconds, and where the last one ends."""
    return np.asarray(FINE ** np.arange(MICROSECONDS + 1))


def gap_bins(gaps: Array) -> Array:
    """Return the bins of differences."""
    bins = np.log(np.maximum(gaps, LEAST_GAP) / LEAST_GAP) / np.log(COARSE)
    return np.where(gaps < LEAST_GAP, 0, np.minimum(bins.astype(np.int64) + 1, GAPS - 1))


def gap_edges() -> Array:
    """Return where each bin of differences begins, and where the last one ends."""
    # What is as good as none is none.
    return np.asarray(np.concatenate(([0.0, 0.0], LEAST_GAP * COARSE ** np.arange(1, GAPS))))


def bands(probabilities: Array) -> Array:
    """Return the bands of probabilities."""
    return np.minimum((probabilities * BANDS).astype(np.int64), BANDS - 1)


def probable(values: Array) -> Array:
    """Say which may be probabilities."""
    return np.asarray((values >= 0) & (values <= 1))
