"""The figures of a report, each as a function of totals. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from types import MappingProxyType

import numpy as np

from controlplane.comparison.bootstrap import Figure
from controlplane.comparison.pairs import Kind
from controlplane.comparison.totals import Array, Mean, Totals, gap_edges, latency_edges

PRIMARY, SHADOW = 0, 1


class Unit(StrEnum):
    """What a figure is counted in."""

    SHARE = "share"
    CORRELATION = "correlation"
    SCORE = "score"
    MILLISECONDS = "ms"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A figure as it is told: its name, what it is, and how it is worked out.

    `apart`: it says how far two sides are apart, so that a noise floor has it too.
    """

    name: str
    unit: Unit
    figure: Figure
    pairs: Figure
    apart: bool = True


def mean_of(which: Mean, totals: Totals) -> Array:
    """Return the mean of what pairs have of something."""
    sums, counts = totals.means[:, which, 0], totals.means[:, which, 1]
    return _ratio(sums, counts)


def count_of(which: Mean, totals: Totals) -> Array:
    """Return how many pairs have it."""
    return np.asarray(totals.means[:, which, 1])


def latency(side: int, share: float, totals: Totals) -> Array:
    """Return a quantile of a side's latencies, in milliseconds."""
    return quantile(totals.latency[:, side], latency_edges(), share) / 1000.0


def gap(share: float, totals: Totals) -> Array:
    """Return a quantile of the differences of scores."""
    return quantile(totals.gaps, gap_edges(), share)


def correlation(totals: Totals) -> Array:
    """Return Pearson's correlation of both sides' scores."""
    count, x, y, xx, yy, xy = np.moveaxis(totals.moments, 1, 0)
    spread = np.maximum(count * xx - x * x, 0.0) * np.maximum(count * yy - y * y, 0.0)
    return _ratio(count * xy - x * y, np.sqrt(spread))


def calibration_error(side: int, totals: Totals) -> Array:
    """Return how far scores are from the outcomes' mean, band by band (expected calibration error)."""
    counts, scores, outcomes = np.moveaxis(totals.labelled[:, side], 2, 0)
    return _ratio(np.abs(scores - outcomes).sum(axis=1), counts.sum(axis=1))


def quantile(counts: Array, edges: Array, share: float) -> Array:
    """Return a quantile of each histogram, evenly spread within its bin."""
    below = counts.cumsum(axis=1)
    wanted = share * below[:, -1]
    at = np.minimum((below < wanted[:, None]).sum(axis=1), counts.shape[1] - 1)
    rows = np.arange(len(counts))
    inside = _ratio(wanted - (below[rows, at] - counts[rows, at]), counts[rows, at])
    return np.asarray(edges[at] + np.clip(inside, 0.0, 1.0) * (edges[at + 1] - edges[at]))


def _ratio(one: Array, other: Array) -> Array:
    return np.where(other > 0, one / np.where(other > 0, other, 1.0), np.nan)


def _mean(name: str, which: Mean, unit: Unit = Unit.SHARE, *, apart: bool = True) -> Told:
    return Told(
        name=name, unit=unit, figure=partial(mean_of, which), pairs=partial(count_of, which), apart=apart
    )


def _latency(name: str, side: int, share: float) -> Told:
    figure = partial(latency, side, share)
    pairs = partial(count_of, Mean.PRIMARY_FAILED)
    return Told(name=name, unit=Unit.MILLISECONDS, figure=figure, pairs=pairs, apart=False)


def _gaps(name: str, share: float) -> Told:
    return Told(name=name, unit=Unit.SCORE, figure=partial(gap, share), pairs=partial(count_of, Mean.GAP))


def _calibration(name: str, side: int) -> Told:
    figure, pairs = partial(calibration_error, side), partial(count_of, Mean.PRIMARY_BRIER)
    return Told(name=name, unit=Unit.SHARE, figure=figure, pairs=pairs, apart=False)


_DIFFERENCES = (
    _mean("score difference, mean", Mean.GAP, Unit.SCORE),
    _gaps("score difference, p50", 0.5),
    _gaps("score difference, p99", 0.99),
    _mean("score drift", Mean.DRIFT, Unit.SCORE),
)

_OF_KIND: Mapping[Kind, tuple[Told, ...]] = MappingProxyType(
    {
        Kind.RANKING: (
            _mean("agreement", Mean.AGREEMENT),
            _mean("agreement@1", Mean.AT_1),
            _mean("agreement@5", Mean.AT_5),
            _mean("agreement@10", Mean.AT_10),
            _mean("agreement@all", Mean.AT_ALL),
            _mean("rank-biased overlap", Mean.OVERLAP),
            _mean("Kendall's tau-b", Mean.TAU, Unit.CORRELATION),
            _mean("Spearman's rho", Mean.RHO, Unit.CORRELATION),
            _mean("other length", Mean.LENGTHS),
            *_DIFFERENCES,
        ),
        Kind.SCORE: (
            _mean("agreement", Mean.AGREEMENT),
            _mean("within tolerance", Mean.WITHIN),
            _mean("other length", Mean.LENGTHS),
            *_DIFFERENCES,
            Told(
                name="correlation",
                unit=Unit.CORRELATION,
                figure=correlation,
                pairs=partial(count_of, Mean.GAP),
            ),
            _mean("Brier score, primary", Mean.PRIMARY_BRIER, apart=False),
            _mean("Brier score, shadow", Mean.SHADOW_BRIER, apart=False),
            _calibration("calibration error, primary", PRIMARY),
            _calibration("calibration error, shadow", SHADOW),
        ),
        Kind.BYTES: (_mean("agreement", Mean.AGREEMENT), _mean("same bytes", Mean.SAME)),
    }
)

_OF_ALL = (
    _mean("errors, primary", Mean.PRIMARY_FAILED, apart=False),
    _mean("errors, shadow", Mean.SHADOW_FAILED, apart=False),
    _latency("latency p50, primary", PRIMARY, 0.5),
    _latency("latency p50, shadow", SHADOW, 0.5),
    _latency("latency p99, primary", PRIMARY, 0.99),
    _latency("latency p99, shadow", SHADOW, 0.99),
)

AGREEMENT = _OF_KIND[Kind.BYTES][0]
"""The figure that the verdict is of."""


def figures_of(kind: Kind) -> tuple[Told, ...]:
    """Return what is told of answers of a kind."""
    return (*_OF_KIND.get(kind, (AGREEMENT,)), *_OF_ALL)
