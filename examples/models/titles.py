"""Titles: real ones, of the OMDb extract that the package bokeh-sampledata ships."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType

TITLES = 2_000
"""How many are kept in memory, those reviewed most."""

PEOPLE = 6
"""Directors and actors of a title that are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Title:
    """A film: `rating` is its critics' average, 0 to 10, over so many `reviews`; it has a genre at least."""

    id: int
    name: str
    year: int
    genres: tuple[str, ...]
    rating: float
    reviews: int
    people: tuple[str, ...]


Catalogue = Mapping[int, Title]

_QUERY = """
    SELECT omdb.ID, Title, Year, Genre, tomatoes.Rating, Reviews, Director, "Cast"
    FROM omdb JOIN tomatoes USING (ID)
    WHERE trim(Genre) <> '' AND trim(Title) <> '' AND tomatoes.Rating IS NOT NULL AND Reviews IS NOT NULL
    ORDER BY Reviews DESC, omdb.ID LIMIT ?
"""


@lru_cache(maxsize=1)
def title_catalogue() -> Catalogue:
    """Return the titles by id. Raises FileNotFoundError when the package isn't installed."""
    package = find_spec("bokeh_sampledata")
    if package is None or package.origin is None:
        raise FileNotFoundError("the package bokeh-sampledata, which has the titles, is not installed")
    path = Path(package.origin).parent / "_data" / "movies.db"
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)) as database:
        rows = database.execute(_QUERY, (TITLES,)).fetchall()
    return MappingProxyType({row[0]: _title(*row) for row in rows})


def _title(  # noqa: PLR0913, PLR0917 - the columns of a row
    number: int, name: str, year: int, genre: str, rating: float, reviews: int, director: str, cast: str
) -> Title:
    return Title(
        id=number,
        name=name,
        year=year,
        genres=_parts(genre),
        rating=rating,
        reviews=reviews,
        people=_parts(f"{director or ''},{cast or ''}")[:PEOPLE],
    )


def _parts(text: str) -> tuple[str, ...]:
    """Return the distinct parts of a comma-separated list, in order."""
    return tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
