"""Facts: raw observations that the platform supplies to models at serving time.

The titles are real ones (an OMDb extract that the package bokeh-sampledata ships). What users have
watched is made up, and the same for a user in every process: a real platform asks its services.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from hashlib import blake2b
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType

import numpy as np

TITLES = 2_000
HISTORY = 24


class UnknownFact(LookupError):
    """A model needs a fact that this host can't supply."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Title:
    """A film: `rating` is its critics' average, 0 to 10, over so many `reviews`."""

    id: int
    name: str
    year: int
    genres: tuple[str, ...]
    rating: float
    reviews: int
    people: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewing:
    """A title that a user began: `progress` in (0, 1), `days_ago` since the last time."""

    title: Title
    progress: float
    days_ago: float


Catalogue = Mapping[int, Title]

_QUERY = """
    SELECT omdb.ID, Title, Year, Genre, tomatoes.Rating, Reviews, Director, "Cast"
    FROM omdb JOIN tomatoes USING (ID)
    WHERE Genre IS NOT NULL AND tomatoes.Rating IS NOT NULL AND Reviews IS NOT NULL AND Title IS NOT NULL
    ORDER BY Reviews DESC, omdb.ID LIMIT ?
"""


@lru_cache(maxsize=1)
def title_catalogue() -> Catalogue:
    """Return the titles that were reviewed most, by id."""
    package = find_spec("bokeh_sampledata")
    if package is None or package.origin is None:
        raise UnknownFact("title_catalogue: the package bokeh-sampledata is not installed")
    path = Path(package.origin).parent / "_data" / "movies.db"
    with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as database:
        rows = database.execute(_QUERY, (TITLES,)).fetchall()
    return MappingProxyType({row[0]: _title(*row) for row in rows})


def _title(  # noqa: PLR0913, PLR0917 - the columns of a row
    number: int, name: str, year: int, genre: str, rating: float, reviews: int, director: str, cast: str
) -> Title:
    people = [part.strip() for part in f"{director or ''},{cast or ''}".split(",")]
    return Title(
        id=number,
        name=name,
        year=year or date.min.year,
        genres=tuple(part.strip() for part in genre.split(",") if part.strip()),
        rating=rating,
        reviews=reviews,
        people=tuple(person for person in people if person)[:6],
    )


@lru_cache(maxsize=4096)
def viewing_history(user_id: str) -> tuple[Viewing, ...]:
    """Return what a user has begun to watch; two genres that the user likes stand out."""
    titles = tuple(title_catalogue().values())
    seed = int.from_bytes(blake2b(user_id.encode(), digest_size=8).digest(), "big")
    random = np.random.default_rng(seed)
    genres = sorted({genre for title in titles for genre in title.genres})
    liked = set(random.choice(genres, size=2, replace=False).tolist())
    weights = np.array([4.0 if liked & set(title.genres) else 1.0 for title in titles])
    chosen = random.choice(len(titles), size=HISTORY, replace=False, p=weights / weights.sum())
    progress = random.uniform(0.05, 0.95, HISTORY)
    days = random.exponential(20.0, HISTORY)
    return tuple(
        Viewing(title=titles[index], progress=float(part), days_ago=float(ago))
        for index, part, ago in zip(chosen, progress, days, strict=True)
    )


FACTS: Mapping[str, Callable[..., object]] = MappingProxyType(
    {"title_catalogue": title_catalogue, "viewing_history": viewing_history}
)
"""Every fact that this host can supply, by the name that models.yaml uses."""


def check_facts(names: tuple[str, ...]) -> None:
    """Raise UnknownFact that names those which can't be supplied."""
    unknown = sorted(set(names) - FACTS.keys())
    if unknown:
        raise UnknownFact(f"no such fact: {', '.join(unknown)}; this host has {', '.join(sorted(FACTS))}")
