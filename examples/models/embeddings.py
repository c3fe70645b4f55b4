"""Vectors of titles, low-rank, from their genres, decades and people. Other models build on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from examples.models.facts import Titles
from examples.models.titles import Catalogue, Title
from lightbulb.host.errors import BadInput
from lightbulb.host.workflow import Array, Inference, Supplies, Tensors, TensorSpec, Workflow
from lightbulb.model import RequestContext

DIMENSIONS = 32
MAX_TITLES = 10_000
"""Titles in one request: an id is 8 bytes, its vector some hundreds."""

MIN_APPEARANCES = 5
"""People in fewer titles than these tell little."""

_WEIGHTS = {"genre": 1.0, "decade": 0.5, "person": 0.7}


class TitleEmbeddings(Workflow):
    """Gives the unit vector of each title: a truncated SVD of title x (genres, decades, people)."""

    inputs = (TensorSpec(name="titles", datatype="INT64", shape=(-1,)),)
    outputs = (TensorSpec(name="vectors", datatype="FP32", shape=(-1, DIMENSIONS)),)
    facts = ("title_catalogue",)

    def __init__(self, supplies: Supplies) -> None:
        """Compute the vectors of all titles."""
        super().__init__(supplies)
        titles: Titles = supplies.facts["title_catalogue"]
        catalogue = titles()
        self._rows = {number: row for row, number in enumerate(catalogue)}
        self._vectors = _vectors(catalogue)

    def vectors(self, titles: list[int]) -> Array:
        """Return a unit vector a title, shape [titles, DIMENSIONS]; raises KeyError for an unknown one."""
        return self._vectors[[self._rows[number] for number in titles]]

    def prepare(self, request: Inference) -> list[int]:
        """Return the ids of the titles."""
        asked: list[int] = request.inputs["titles"].tolist()
        if len(asked) > MAX_TITLES:
            raise BadInput(f"tensor titles has {len(asked)} titles; at most {MAX_TITLES} are looked up")
        unknown = [number for number in asked if number not in self._rows]
        if unknown:
            raise BadInput(f"tensor titles: no such titles: {unknown[:10]}")
        return asked

    def features(self, request: Inference, candidates: list[int]) -> Array:  # noqa: ARG002 - the workflow's form
        """Return the vectors."""
        return self.vectors(candidates)

    def score(self, features: Array) -> Array:
        """Return the vectors: they are what is asked for."""
        return features

    def finish(self, request: Inference, candidates: list[int], scores: Array) -> Tensors:
        """Return the vectors, a row a title."""
        del request
        return {"vectors": scores.reshape(len(candidates), DIMENSIONS).astype(np.float32)}

    def sample(self) -> Inference:
        """Return a request for the first titles."""
        return Inference(
            context=RequestContext(user_id="validation"),
            inputs={"titles": np.array(list(self._rows)[:3], dtype=np.int64)},
        )


def _vectors(catalogue: Catalogue) -> Array:
    appearances = Counter(person for title in catalogue.values() for person in title.people)
    known = {person for person, count in appearances.items() if count >= MIN_APPEARANCES}
    columns: dict[tuple[str, str], int] = {}
    cells = [
        (row, columns.setdefault(trait, len(columns)), _WEIGHTS[trait[0]])
        for row, title in enumerate(catalogue.values())
        for trait in _traits(title, known)
    ]
    matrix = np.zeros((len(catalogue), len(columns)))
    for row, column, weight in cells:
        matrix[row, column] = weight
    matrix -= matrix.mean(axis=0)
    # The right singular vectors are the eigenvectors of the small square: much cheaper than an SVD.
    _, axes = np.linalg.eigh(matrix.T @ matrix)
    vectors = matrix @ axes[:, -DIMENSIONS:]
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12))


def _traits(title: Title, people: set[str]) -> Iterator[tuple[str, str]]:
    for genre in title.genres:
        yield "genre", genre
    yield "decade", str(title.year // 10)
    for person in title.people:
        if person in people:
            yield "person", person
