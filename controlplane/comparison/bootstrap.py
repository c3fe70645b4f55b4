"""How sure a figure is: a bootstrap over groups of users. Pure; the seed is an argument."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from controlplane.comparison.totals import Array, Totals

LEVEL = 0.95
RESAMPLES = 2000
FEW = 30
"""Groups of users below which an interval isn't to be relied on."""

WIDER = 1.1
"""At most by so much an interval is made wider: where a few users send most requests, leaving out one of them
changes more than drawing them does."""

NEVER_SEEN = 3.0
"""What was seen of none of n may be of 3 / n, or of less (the rule of three, for 95 %)."""

Figure = Callable[[Totals], Array]
"""Makes one figure of totals: a number for each resample; NaN where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A figure, and where it lies with 95 %."""

    value: float
    low: float
    high: float

    @property
    def half(self) -> float:
        """Half its width."""
        return (self.high - self.low) / 2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sample:
    """Totals as they are (`whole`, one row), of each resample of `groups` groups, of all but each group."""

    whole: Totals
    drawn: Totals
    spared: Totals
    groups: int

    def worked_out(self, figure: Figure) -> Drawn:
        """Return a figure of all of these."""
        return Drawn(whole=figure(self.whole)[0], drawn=figure(self.drawn), spared=figure(self.spared))

    def interval(self, figure: Figure, *, share: bool = False) -> Interval:
        """Return a figure's interval; a `share` is from 0 to 1."""
        return interval_of(self.worked_out(figure), self.groups, share=share)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Drawn:
    """A figure as it is, of each resample, and of all but each group."""

    whole: float
    drawn: Array
    spared: Array

    def __sub__(self, other: Drawn) -> Drawn:
        """Return the difference of two figures of the same resamples."""
        return Drawn(
            whole=self.whole - other.whole,
            drawn=self.drawn - other.drawn,
            spared=self.spared - other.spared,
        )


def resample(totals: tuple[Totals, ...], *, seed: int, resamples: int = RESAMPLES) -> tuple[Sample, ...]:
    """Draw groups again and again, with replacement: the same ones of all `totals`, as users are the same.

    So their figures can be compared resample by resample.
    """
    used = np.flatnonzero(np.logical_or.reduce([each.used() for each in totals]))
    count = len(used)
    kept = [each.of_groups(used) for each in totals]
    weights = np.zeros((resamples, count))
    if count:
        weights += np.random.default_rng(seed).multinomial(count, np.full(count, 1.0 / count), size=resamples)
    ones = np.ones((1, count))
    wholes = [each.weighted(ones) for each in kept]
    return tuple(
        Sample(whole=whole, drawn=each.weighted(weights), spared=whole - each, groups=count)
        for each, whole in zip(kept, wholes, strict=True)
    )


def interval_of(figure: Drawn, groups: int, *, share: bool = False) -> Interval:
    """Return where a figure lies; NaN where there is none.

    That is the bias-corrected and accelerated bootstrap (Efron 1987): figures of few users are skewed, and an
    interval that takes them for symmetrical misses what is true too often.
    """
    value = float(figure.whole)
    drawn = np.sort(figure.drawn[~np.isnan(figure.drawn)])
    if math.isnan(value) or not len(drawn):
        return Interval(value=math.nan, low=math.nan, high=math.nan)
    low, high = (float(each) for each in np.quantile(drawn, _places(value, drawn, figure.spared, groups)))
    if share and low == high:
        unseen = NEVER_SEEN / groups
        low, high = (low - unseen if value > 0 else low), (high + unseen if value < 1 else high)
    low, high = min(low, value), max(high, value)
    if share:
        low, high = max(low, 0.0), min(high, 1.0)
    return Interval(value=value, low=low, high=high)


def _places(value: float, drawn: Array, spared: Array, groups: int) -> tuple[float, float]:
    """Return at which shares of the sorted resamples the interval ends."""
    normal = NormalDist()
    below = (np.searchsorted(drawn, value, "left") + np.searchsorted(drawn, value, "right")) / 2 / len(drawn)
    least = 1.0 / (len(drawn) + 1)
    bias = normal.inv_cdf(min(max(float(below), least), 1 - least))
    pulls = np.nanmean(spared) - spared[~np.isnan(spared)] if np.isfinite(spared).any() else np.zeros(1)
    spread = float((pulls**2).sum())
    acceleration = float((pulls**3).sum()) / (6 * spread**1.5) if spread > 0 else 0.0
    deviation = float(np.std(drawn))
    wider = math.sqrt(spread) / deviation if deviation > 0 else 1.0
    reach = _reach(groups) * min(max(wider, 1.0), WIDER)
    ends = (bias - reach, bias + reach)
    low, high = (normal.cdf(bias + end / max(1 - acceleration * end, least)) for end in ends)
    return low, high


def _reach(groups: int) -> float:
    """Return how many standard deviations an interval reaches: a little more than 1.96.

    A resample of few groups varies less than the groups do, by sqrt(1 - 1/n), and how much they vary isn't
    known either, for which Student's t stands.
    """
    degrees = max(groups - 1, 1)
    z = NormalDist().inv_cdf((1 + LEVEL) / 2)
    t = z + (z**3 + z) / (4 * degrees) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * degrees**2)
    return t * math.sqrt((degrees + 1) / degrees)
