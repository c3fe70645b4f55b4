"""What an answer comes to when it is compared with another model's. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

MAX_ITEMS = 200
"""Items of a ranking, or scores of an answer, that are recorded at most."""

EXCERPT = 200
"""Characters of an answer of another kind that are recorded, for a person to look at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RankingAnswer:
    """Items, the best first; `scores` has one for each, or none at all. There were `length` of them."""

    ids: tuple[int | str, ...]
    scores: tuple[float, ...] = ()
    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreAnswer:
    """Scores in the order of what was asked about. There were `length` of them.

    Two that differ by at most `tolerance` are said to agree.
    """

    scores: tuple[float, ...]
    length: int
    tolerance: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BytesAnswer:
    """An answer of any other kind: another one is the same, or it isn't. `digest` is of its `size` bytes."""

    digest: str
    size: int
    excerpt: str = ""


Answer: TypeAlias = RankingAnswer | ScoreAnswer | BytesAnswer
