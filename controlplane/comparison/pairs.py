"""Pairs of records: what kind of answers they are, what is measured of them. Pure.

The agreement of a pair is one number from 0 to 1: of rankings their rank-biased overlap, of scores the share
that is within the tolerance, of other answers whether they are the same. A shadow that fails where the
primary answers, or answers in another form, agrees 0; with a primary that failed nobody can agree.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

import numpy as np

from controlplane.comparison.rankings import compare
from controlplane.comparison.totals import Array, Mean, Measured, Scores, probable
from controlplane.lifecycle.figures import Counts
from lightbulb.comparison.answers import Answer, BytesAnswer, RankingAnswer, ScoreAnswer
from lightbulb.comparison.record import OK, Record

Outcomes = Mapping[str, Sequence[float]]
"""Request id -> what was to be foretold, one for each score; from 0 to 1."""


class Kind(StrEnum):
    """What the answers of a pair are."""

    RANKING = "ranking"
    SCORE = "score"
    BYTES = "bytes"
    MIXED = "mixed"
    """Of one kind here, of another there."""
    FAILED = "failed"
    """The shadow failed, the primary didn't."""
    NOTHING = "nothing"
    """The primary failed, or there is no answer to compare."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """What both sides made of one request."""

    primary: Record
    shadow: Record

    @property
    def kind(self) -> Kind:
        """What there is to compare."""
        one, other = self.primary.answer, self.shadow.answer
        if self.primary.status != OK or one is None:
            return Kind.NOTHING
        if self.shadow.status != OK:
            return Kind.FAILED
        if other is None:
            return Kind.NOTHING
        return _KINDS[type(one)] if type(one) is type(other) else Kind.MIXED


_KINDS: Mapping[type[Answer], Kind] = MappingProxyType(
    {RankingAnswer: Kind.RANKING, ScoreAnswer: Kind.SCORE, BytesAnswer: Kind.BYTES}
)


def measure(pairs: Sequence[Pair], outcomes: Outcomes) -> Measured:
    """Measure pairs."""
    means = np.full((len(pairs), len(Mean)), np.nan)
    kinds = [each.kind for each in pairs]
    means[:, Mean.PRIMARY_FAILED] = [each.primary.status != OK for each in pairs]
    means[:, Mean.SHADOW_FAILED] = [each.shadow.status != OK for each in pairs]
    parts = [
        _rankings(means, pairs, _of(kinds, Kind.RANKING)),
        _scores(means, pairs, _of(kinds, Kind.SCORE), outcomes),
    ]
    for row in _of(kinds, Kind.BYTES):
        one, other = pairs[row].primary.answer, pairs[row].shadow.answer
        assert isinstance(one, BytesAnswer)
        assert isinstance(other, BytesAnswer)
        means[row, Mean.SAME] = (one.digest, one.size) == (other.digest, other.size)
        means[row, Mean.AGREEMENT] = means[row, Mean.SAME]
    for row in (*_of(kinds, Kind.FAILED), *_of(kinds, Kind.MIXED)):
        means[row, Mean.AGREEMENT] = 0.0
    took = [(each.primary.microseconds, each.shadow.microseconds) for each in pairs]
    return Measured(means=means, microseconds=np.array(took, dtype=np.float64), scores=tuple(parts))


def agreements(pairs: Sequence[Pair]) -> Array:
    """Return the agreement of each pair; NaN where the primary gave nothing to agree with."""
    return np.asarray(measure(pairs, {}).means[:, Mean.AGREEMENT])


def counts_of(pairs: Sequence[Pair]) -> Counts:
    """Return what a guard of agreement counts of an interval's pairs."""
    known = agreements(pairs)
    known = known[~np.isnan(known)]
    return Counts(compared=len(known), disagreed=float((1.0 - known).sum()))


def _of(kinds: Iterable[Kind], kind: Kind) -> list[int]:
    return [row for row, each in enumerate(kinds) if each is kind]


def _rankings(means: Array, pairs: Sequence[Pair], rows: list[int]) -> Scores:
    if not rows:
        return _no_scores(of_rankings=True)
    one = [each for row in rows if isinstance(each := pairs[row].primary.answer, RankingAnswer)]
    other = [each for row in rows if isinstance(each := pairs[row].shadow.answer, RankingAnswer)]
    found = compare(one, other)
    for column, mean in enumerate((Mean.AT_1, Mean.AT_5, Mean.AT_10, Mean.AT_ALL)):
        means[rows, mean] = found.at[:, column]
    means[rows, Mean.OVERLAP] = found.overlap
    means[rows, Mean.AGREEMENT] = found.overlap
    means[rows, Mean.TAU] = found.tau
    means[rows, Mean.RHO] = found.rho
    means[rows, Mean.LENGTHS] = [left.length != right.length for left, right in zip(one, other, strict=True)]
    known = ~np.isnan(found.scores[1] - found.scores[0])
    owners = np.array(rows)[np.nonzero(known)[0]]
    left, right = (side[known] for side in found.scores)
    _gaps(means, owners, right - left)
    return Scores(
        rows=owners, primary=left, shadow=right, outcomes=np.full(len(left), np.nan), of_rankings=True
    )


def _scores(means: Array, pairs: Sequence[Pair], rows: list[int], outcomes: Outcomes) -> Scores:
    owners: list[int] = []
    values: list[tuple[float, float, float]] = []
    for row in rows:
        pair = pairs[row]
        one, other = pair.primary.answer, pair.shadow.answer
        assert isinstance(one, ScoreAnswer)
        assert isinstance(other, ScoreAnswer)
        means[row, Mean.LENGTHS] = one.length != other.length
        if one.length != other.length or len(one.scores) != len(other.scores):
            means[row, (Mean.AGREEMENT, Mean.WITHIN)] = 0.0
            continue
        if not one.scores:
            means[row, (Mean.AGREEMENT, Mean.WITHIN)] = 1.0
            continue
        pairs_of_scores = list(zip(one.scores, other.scores, strict=True))
        within = sum(_within(left, right, one.tolerance) for left, right in pairs_of_scores)
        means[row, (Mean.AGREEMENT, Mean.WITHIN)] = within / len(pairs_of_scores)
        told = outcomes.get(pair.primary.request, ())
        labels = told if len(told) == one.length else (math.nan,) * len(one.scores)
        for (left, right), label in zip(pairs_of_scores, labels, strict=False):
            if math.isfinite(left) and math.isfinite(right):
                owners.append(row)
                values.append((left, right, label))
    array = np.array(values, dtype=np.float64).reshape(len(values), 3)
    scores = Scores(
        rows=np.array(owners, dtype=np.int64), primary=array[:, 0], shadow=array[:, 1], outcomes=array[:, 2]
    )
    _gaps(means, scores.rows, scores.shadow - scores.primary)
    _briers(means, scores)
    return scores


def _within(one: float, other: float, tolerance: float) -> bool:
    """Say whether two scores agree; what is no number agrees with another that isn't."""
    if math.isfinite(one) and math.isfinite(other):
        return abs(one - other) <= tolerance
    return not math.isfinite(one) and not math.isfinite(other)


def _gaps(means: Array, owners: Array, apart: Array) -> None:
    _put_means(means, Mean.GAP, owners, np.abs(apart))
    _put_means(means, Mean.DRIFT, owners, apart)


def _briers(means: Array, scores: Scores) -> None:
    labelled = ~np.isnan(scores.outcomes) & probable(scores.primary) & probable(scores.shadow)
    for mean, values in ((Mean.PRIMARY_BRIER, scores.primary), (Mean.SHADOW_BRIER, scores.shadow)):
        errors = (values[labelled] - scores.outcomes[labelled]) ** 2
        _put_means(means, mean, scores.rows[labelled], errors)


def _put_means(means: Array, column: Mean, owners: Array, values: Array) -> None:
    """Put the mean of each owner's values in its row."""
    counts = np.bincount(owners, minlength=len(means))
    sums = np.bincount(owners, weights=values, minlength=len(means))
    there = counts > 0
    means[there, column] = sums[there] / counts[there]


def _no_scores(*, of_rankings: bool) -> Scores:
    nothing = np.zeros(0)
    return Scores(
        rows=nothing.astype(np.int64),
        primary=nothing,
        shadow=nothing,
        outcomes=nothing,
        of_rankings=of_rankings,
    )
