"""Records and pairs for tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from controlplane.comparison.pairs import Pair
from lightbulb.comparison.answers import RankingAnswer, ScoreAnswer
from lightbulb.comparison.record import Record, Side


def record(**changes: Any) -> Record:
    """Return the primary's record of one request."""
    given: dict[str, Any] = {
        "shadows": ("s1",),
        "request": "r-1",
        "side": Side.PRIMARY,
        "at": 1_790_000_000.5,
        "model": "ranker@1",
        "objective": "Ranking",
        "user": "0123456789abcdef",
        "microseconds": 1_500,
        "answer": ranking(1, 2, 3),
    }
    return Record(**{**given, **changes})


def shadows(of: Record, **changes: Any) -> Record:
    """Return the shadow's record of the same request."""
    given: dict[str, Any] = {
        "side": Side.SHADOW,
        "shadows": ("s1",),
        "model": "ranker@2",
        "traffic": "shadow",
        "microseconds": 2_500,
    }
    return replace(of, **{**given, **changes})


def pair(one: Any, other: Any, **changes: Any) -> Pair:
    """Return a pair of two answers."""
    primary = record(answer=one, **changes)
    return Pair(primary=primary, shadow=shadows(primary, answer=other))


def ranking(*ids: int | str, scores: Sequence[float] = ()) -> RankingAnswer:
    return RankingAnswer(ids=ids, scores=tuple(scores), length=len(ids))


def score(*scores: float, tolerance: float = 0.0) -> ScoreAnswer:
    return ScoreAnswer(scores=scores, length=len(scores), tolerance=tolerance)
