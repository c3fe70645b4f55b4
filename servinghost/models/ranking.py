"""Three rankers of the titles that a user could continue to watch, and what one of them builds on."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from lightbulb.model import RequestContext
from servinghost.facts import Catalogue, Title, Viewing, title_catalogue, viewing_history
from servinghost.workflow import Array, BadInput, Inference, Tensors, TensorSpec, Workflow

DIMENSIONS = 16
MAX_TITLES = 500

_TITLES = TensorSpec(name="titles", datatype="INT64", shape=(-1,), optional=True)
_RANKED = (
    TensorSpec(name="ranked_titles", datatype="INT64", shape=(-1,)),
    TensorSpec(name="scores", datatype="FP32", shape=(-1,)),
    TensorSpec(name="names", datatype="BYTES", shape=(-1,)),
)


class ContinueWatching(Workflow):
    """Ranks by how lately a title was watched, and how far it is from done. The model in production."""

    inputs = (_TITLES,)
    outputs = _RANKED

    def __init__(self) -> None:
        """Load what every user shares."""
        self._catalogue: Catalogue = title_catalogue()

    def prepare(self, request: Inference) -> list[Title]:
        """Return the titles that were asked for, or else those that the user has begun."""
        if not request.context.user_id:
            raise BadInput("parameter lightbulb_context_user_id is missing: whose titles?")
        asked = request.inputs.get("titles")
        if asked is None or not asked.size:
            return [viewing.title for viewing in viewing_history(request.context.user_id)]
        if asked.size > MAX_TITLES:
            raise BadInput(f"tensor titles: {asked.size} titles, at most {MAX_TITLES}")
        unknown = [int(each) for each in asked if int(each) not in self._catalogue]
        if unknown:
            raise BadInput(f"tensor titles: no such titles: {unknown[:10]}")
        return [self._catalogue[int(each)] for each in asked]

    def features(self, request: Inference, candidates: list[Title]) -> Array:
        """Return recency, unfinishedness and rating of each title."""
        seen = {viewing.title.id: viewing for viewing in viewing_history(request.context.user_id)}
        return np.array([_watching(title, seen.get(title.id)) for title in candidates])

    def score(self, features: Array) -> Array:
        """Return a weighted sum."""
        return np.asarray(features @ np.array([3.0, 1.0, 0.5]))

    def finish(self, request: Inference, candidates: list[Title], scores: Array) -> Tensors:
        """Return the titles in the order of their scores; as many as the rule allows."""
        limit = int(request.parameters.get("max_titles", MAX_TITLES))
        order = np.lexsort((np.array([title.id for title in candidates]), -scores))[: max(limit, 0)]
        ranked = [candidates[index] for index in order]
        return {
            "ranked_titles": np.array([title.id for title in ranked], dtype=np.int64),
            "scores": scores[order].astype(np.float32),
            "names": np.array([title.name.encode() for title in ranked], dtype=object),
        }

    def sample(self) -> Inference:
        """Return a request for a user's own titles."""
        return Inference(context=RequestContext(user_id="validation"), inputs={})


class GenreAffinity(ContinueWatching):
    """Adds how much the user likes a title's genres. Candidate of cell 2."""

    def features(self, request: Inference, candidates: list[Title]) -> Array:
        """Return the features of production, and the affinity to each title's genres."""
        history = viewing_history(request.context.user_id)
        affinity = _genre_affinity(history)
        liked = [np.mean([affinity.get(genre, 0.0) for genre in title.genres]) for title in candidates]
        return np.column_stack([super().features(request, candidates), liked])

    def score(self, features: Array) -> Array:
        """Return a weighted sum in which taste counts most."""
        return np.asarray(features @ np.array([1.5, 0.5, 0.5, 6.0]))


class TitleEmbeddings(Workflow):
    """Low-rank vectors of titles, from their genres and people. Other models build on it."""

    inputs = (_TITLES,)
    outputs = (TensorSpec(name="vectors", datatype="FP32", shape=(-1, DIMENSIONS)),)

    def prepare(self, request: Inference) -> list[int]:
        """Return the rows of the titles."""
        rows, _ = embeddings()
        asked = request.inputs.get("titles", np.array([], dtype=np.int64))
        unknown = [int(each) for each in asked if int(each) not in rows]
        if unknown:
            raise BadInput(f"tensor titles: no such titles: {unknown[:10]}")
        return [rows[int(each)] for each in asked]

    def features(self, request: Inference, candidates: list[int]) -> Array:  # noqa: ARG002 - the workflow's form
        """Return the vectors."""
        return embeddings()[1][candidates]

    def score(self, features: Array) -> Array:
        """Return the vectors: they are what is asked for."""
        return features

    def finish(self, request: Inference, candidates: list[int], scores: Array) -> Tensors:  # noqa: ARG002
        """Return the vectors, a row a title."""
        return {"vectors": scores.reshape(len(candidates), DIMENSIONS).astype(np.float32)}

    def sample(self) -> Inference:
        """Return a request for one title."""
        first = next(iter(title_catalogue()))
        return Inference(context=RequestContext(user_id="validation"), inputs={"titles": np.array([first])})


class EmbeddingSimilarity(ContinueWatching):
    """Ranks by likeness to what the user has finished. Candidate of cell 3; needs title-embeddings."""

    def features(self, request: Inference, candidates: list[Title]) -> Array:
        """Return recency, and the cosine to the user's taste."""
        rows, vectors = embeddings()
        history = viewing_history(request.context.user_id)
        taste = np.average(
            [vectors[rows[viewing.title.id]] for viewing in history],
            axis=0,
            weights=[viewing.progress for viewing in history],
        )
        taste /= np.linalg.norm(taste) or 1.0
        likeness = vectors[[rows[title.id] for title in candidates]] @ taste
        return np.column_stack([super().features(request, candidates)[:, 0], likeness])

    def score(self, features: Array) -> Array:
        """Return a weighted sum in which likeness counts most."""
        return np.asarray(features @ np.array([0.5, 4.0]))


@lru_cache(maxsize=1)
def embeddings() -> tuple[dict[int, int], Array]:
    """Return title id -> row, and unit vectors: a truncated SVD of title x (genres and people)."""
    titles = tuple(title_catalogue().values())
    genres = sorted({genre for title in titles for genre in title.genres})
    decades = sorted({title.year // 10 for title in titles})
    columns = {name: index for index, name in enumerate([*genres, *decades])}
    matrix = np.zeros((len(titles), len(columns)))
    for row, title in enumerate(titles):
        for genre in title.genres:
            matrix[row, columns[genre]] = 1.0
        matrix[row, columns[title.year // 10]] = 0.5
    left, singular, _ = np.linalg.svd(matrix - matrix.mean(axis=0), full_matrices=False)
    vectors = left[:, :DIMENSIONS] * singular[:DIMENSIONS]
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return {title.id: row for row, title in enumerate(titles)}, vectors / np.where(norms == 0, 1.0, norms)


def _watching(title: Title, viewing: Viewing | None) -> tuple[float, float, float]:
    if viewing is None:
        return 0.0, 0.0, title.rating / 10
    return float(np.exp(-viewing.days_ago / 14)), viewing.progress, title.rating / 10


def _genre_affinity(history: tuple[Viewing, ...]) -> dict[str, float]:
    """Return genre -> share of the user's watching that it makes up."""
    affinity: dict[str, float] = {}
    for viewing in history:
        for genre in viewing.title.genres:
            affinity[genre] = affinity.get(genre, 0.0) + viewing.progress / len(history)
    return affinity
