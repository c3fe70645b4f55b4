"""Facts: raw observations that the platform supplies to models at serving time.

    title_catalogue() -> Catalogue                    every title, by id
    viewing_history(user_id) -> tuple[Viewing, ...]   what the user has begun

What users have watched is made up, and the same for a user in every process: a real platform asks its
services. The titles are real.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from types import MappingProxyType

import numpy as np

from examples.models.titles import Catalogue, Title, title_catalogue
from lightbulb.host.workflow import Array, Fact

HISTORY = 24
"""Titles in a user's history."""

Titles = Callable[[], Catalogue]
Histories = Callable[[str], "tuple[Viewing, ...]"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewing:
    """A title that a user began: `progress` in (0, 1), `days_ago` since the last time."""

    title: Title
    progress: float
    days_ago: float


@lru_cache(maxsize=4096)
def viewing_history(user_id: str) -> tuple[Viewing, ...]:
    """Return what a user has begun to watch; two genres that the user likes stand out."""
    titles, membership = _membership()
    seed = int.from_bytes(blake2b(user_id.encode(), digest_size=8).digest(), "big")
    random = np.random.default_rng(seed)
    liked = random.choice(membership.shape[1], size=2, replace=False)
    weights = np.where(membership[:, liked].any(axis=1), 4.0, 1.0)
    chosen = random.choice(len(titles), size=HISTORY, replace=False, p=weights / weights.sum())
    progress = random.uniform(0.05, 0.95, HISTORY)
    days = random.exponential(20.0, HISTORY)
    return tuple(
        Viewing(title=titles[index], progress=float(part), days_ago=float(ago))
        for index, part, ago in zip(chosen, progress, days, strict=True)
    )


@lru_cache(maxsize=1)
def _membership() -> tuple[tuple[Title, ...], Array]:
    """Return the titles, and which has which genre: shape [titles, genres]."""
    titles = tuple(title_catalogue().values())
    genres = sorted({genre for title in titles for genre in title.genres})
    return titles, np.array([[genre in title.genres for genre in genres] for title in titles])


FACTS: Mapping[str, Fact] = MappingProxyType(
    {"title_catalogue": title_catalogue, "viewing_history": viewing_history}
)
"""Every fact that this host can supply, by the name that models.yaml uses."""
