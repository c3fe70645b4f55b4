"""How far two rankings agree, for many pairs of them at once. Pure; an array has a row a pair.

The order of a list counts. Items that stand next to each other with the same score are ties where ranks are
compared (tau, rho). Of an item that is twice in a list the first place counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightbulb.comparison.answers import RankingAnswer

Array = NDArray[Any]

PERSISTENCE = 0.9
"""Of rank-biased overlap: the first ten items have 86 % of the weight."""

DEPTHS = (1, 5, 10)

_Items = tuple[Sequence[int | str], Sequence[float]]

_CELLS = 600_000
"""Items of one list times those of the other, in all pairs that are looked at together."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Agreements:
    """What is measured of each pair; NaN where there is nothing to measure.

    `at`: the share of items in common among the first 1, 5, 10 and all; `overlap`: rank-biased overlap,
    extrapolated; `tau`, `rho`: Kendall's tau-b and Spearman's, of the items in common. `scores`: of the items
    in common, those of one list and the other, by place in the first; NaN elsewhere.
    """

    at: Array
    overlap: Array
    tau: Array
    rho: Array
    scores: tuple[Array, Array]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Lists:
    """Rankings of one side, filled up to one width: ids as numbers, scores, how long each is."""

    ids: Array
    scores: Array
    lengths: Array

    @property
    def there(self) -> Array:
        return np.arange(self.ids.shape[1]) < self.lengths[:, None]

    @property
    def ranks(self) -> Array:
        """The place of each item; ties have the place of their first."""
        places = np.arange(self.ids.shape[1])
        new = np.ones(self.ids.shape, dtype=bool)
        new[:, 1:] = self.scores[:, 1:] != self.scores[:, :-1]  # NaN, which stands for none, is no tie
        return np.maximum.accumulate(np.where(new, places, 0), axis=1)


def compare(primary: Sequence[RankingAnswer], shadow: Sequence[RankingAnswer]) -> Agreements:
    """Measure pairs of rankings; at least one."""
    width = max(1, *(len(each.ids) for each in (*primary, *shadow)))
    step = max(1, _CELLS // (width * width))
    parts = [
        _compare(*_lists(primary[at : at + step], shadow[at : at + step], width))
        for at in range(0, len(primary), step)
    ]
    return Agreements(
        at=np.concatenate([each.at for each in parts]),
        overlap=np.concatenate([each.overlap for each in parts]),
        tau=np.concatenate([each.tau for each in parts]),
        rho=np.concatenate([each.rho for each in parts]),
        scores=(
            np.concatenate([each.scores[0] for each in parts]),
            np.concatenate([each.scores[1] for each in parts]),
        ),
    )


def _lists(
    primary: Sequence[RankingAnswer], shadow: Sequence[RankingAnswer], width: int
) -> tuple[_Lists, _Lists]:
    sides = [[_distinct(each) for each in side] for side in (primary, shadow)]
    numbers = _numbers([item for side in sides for ids, _ in side for item in ids])
    first = sum(len(ids) for ids, _ in sides[0])
    return _filled(sides[0], width, numbers[:first]), _filled(sides[1], width, numbers[first:])


def _distinct(answer: RankingAnswer) -> _Items:
    if len(set(answer.ids)) == len(answer.ids):
        return answer.ids, answer.scores
    kept = list(dict.fromkeys(answer.ids))
    return kept, [answer.scores[answer.ids.index(each)] for each in kept] if answer.scores else ()


def _numbers(items: Sequence[int | str]) -> Array:
    """Return a number for each item, the same for equal ones alone."""
    if set(map(type, items)) <= {int}:
        try:
            return np.array(items, dtype=np.int64)
        except OverflowError:
            pass
    codes: dict[int | str, int] = {}
    return np.array([codes.setdefault(item, len(codes)) for item in items], dtype=np.int64)


def _filled(side: Sequence[_Items], width: int, numbers: Array) -> _Lists:
    lengths = np.array([len(ids) for ids, _ in side])
    there = np.arange(width) < lengths[:, None]
    filled = np.full(there.shape, -1, dtype=np.int64)
    filled[there] = numbers
    scores = np.full(there.shape, np.nan)
    for row, (ids, given) in enumerate(side):
        if given:
            scores[row, : len(ids)] = given
    scores[np.isinf(scores)] = np.nan
    return _Lists(ids=filled, scores=scores, lengths=lengths)


def _compare(one: _Lists, other: _Lists) -> Agreements:
    place = (one.ids[:, :, None] == other.ids[:, None, :]).argmax(axis=2)
    found = one.there & (place < other.lengths[:, None])
    found &= np.take_along_axis(other.ids, place, axis=1) == one.ids
    common = _common(found, place)
    tau, rho = _correlations(found, one.ranks, np.take_along_axis(other.ranks, place, axis=1))
    return Agreements(
        at=_shares(common, one.lengths, other.lengths),
        overlap=overlap(common, one.lengths, other.lengths),
        tau=tau,
        rho=rho,
        scores=(
            np.where(found, one.scores, np.nan),
            np.where(found, np.take_along_axis(other.scores, place, axis=1), np.nan),
        ),
    )


def _common(found: Array, place: Array) -> Array:
    """Return how many items are among the first d of both lists: a column for each d from 0."""
    rows, width = found.shape
    depth = np.where(found, np.maximum(place, np.arange(width)) + 1, width + 1)
    cells = np.arange(rows)[:, None] * (width + 2) + depth
    counts = np.bincount(cells.ravel(), minlength=rows * (width + 2)).reshape(rows, width + 2)
    return counts[:, : width + 1].cumsum(axis=1)


def _shares(common: Array, one: Array, other: Array) -> Array:
    """Return the share in common of the first 1, 5, 10 and all. Two empty lists agree."""
    width = common.shape[1] - 1
    shares = []
    for depth in (*DEPTHS, width):
        most = np.maximum(np.minimum(depth, one), np.minimum(depth, other))
        shares.append(np.where(most == 0, 1.0, common[:, min(depth, width)] / np.maximum(most, 1)))
    return np.stack(shares, axis=1)


def overlap(common: Array, one: Array, other: Array, persistence: float = PERSISTENCE) -> Array:
    """Return extrapolated rank-biased overlap: Webber, Moffat and Zobel 2010, equation 32.

    It is the agreement at each depth, weighted by p**d; beyond the shorter list's end that list is taken to
    go on as it was, and beyond both the agreement is taken to stay. Two empty lists agree.
    """
    depths = np.arange(1, common.shape[1])
    short, long = np.minimum(one, other), np.maximum(one, other)
    at_short = np.take_along_axis(common, short[:, None], axis=1)
    at_long = np.take_along_axis(common, long[:, None], axis=1)
    divisor = np.maximum(short, 1)[:, None]
    seen = common[:, 1:] / depths
    beyond = at_short * np.maximum(depths - short[:, None], 0) / (divisor * depths)
    weights = np.where(depths <= long[:, None], persistence**depths, 0.0)
    known = ((seen + beyond) * weights).sum(axis=1) * (1 - persistence) / persistence
    end = (at_long - at_short)[:, 0] / np.maximum(long, 1) + at_short[:, 0] / divisor[:, 0]
    return np.where(long == 0, 1.0, known + end * persistence**long)


def _correlations(found: Array, one: Array, other: Array) -> tuple[Array, Array]:
    """Return tau-b and rho of the items in common; NaN for fewer than two, or where all of a side are ties.

    Items are in the order of `one`, whose ranks rise; both have the rank of their first for ties.
    """
    width = found.shape[1]
    one, other = one.astype(np.int16), other.astype(np.int16)
    # An item that isn't in common is neither before nor after any other.
    before = _ordered(np.where(found, other, width), np.where(found, other, -1))
    after = _ordered(np.where(found, -other, width), np.where(found, -other, -width - 1))
    apart = np.triu(np.ones((width, width), dtype=bool), 1) & (one[:, :, None] != one[:, None, :])
    agreeing = _count(before & apart) - _count(after & apart)
    pairs = found.sum(axis=1)
    pairs = pairs * (pairs - 1) // 2
    ranks = [_averages(found, side) for side in (one, other)]
    untied = [pairs - tied for _, tied in ranks]
    return _ratio(agreeing, *untied), _correlation(found, *(average for average, _ in ranks))


def _ordered(left: Array, right: Array) -> Array:
    return np.asarray(left[:, :, None] < right[:, None, :])


def _count(cells: Array) -> Array:
    """Return how many of each row's cells are true."""
    bits = np.packbits(cells.reshape(len(cells), -1), axis=1)
    return np.asarray(np.bitwise_count(bits).sum(axis=1, dtype=np.int64))


def _averages(found: Array, ranks: Array) -> tuple[Array, Array]:
    """Return each item's rank among those in common, ties at their average, and how many pairs are ties."""
    rows, width = found.shape
    cells = np.arange(rows)[:, None] * (width + 1) + np.where(found, ranks, width)
    counts = np.bincount(cells.ravel(), minlength=rows * (width + 1)).reshape(rows, width + 1)[:, :width]
    averages = counts.cumsum(axis=1) - (counts - 1) / 2
    tied = (counts * (counts - 1) // 2).sum(axis=1)
    return np.take_along_axis(averages, ranks.astype(np.int64), axis=1), tied


def _correlation(found: Array, one: Array, other: Array) -> Array:
    count = np.maximum(found.sum(axis=1), 1)[:, None]
    middles = []
    for ranks in (one, other):
        known = np.where(found, ranks, 0.0)
        middles.append(np.where(found, ranks - known.sum(axis=1)[:, None] / count, 0.0))
    product, first, second = (
        np.einsum("ij,ij->i", middles[left], middles[right]) for left, right in ((0, 1), (0, 0), (1, 1))
    )
    return _ratio(product, first, second)


def _ratio(product: Array, one: Array, other: Array) -> Array:
    """Return product / sqrt(one * other), and NaN where that is nothing."""
    scale = np.sqrt(np.maximum(one, 0) * np.maximum(other, 0).astype(np.float64))
    return np.where(scale > 0, product / np.where(scale > 0, scale, 1.0), np.nan)
