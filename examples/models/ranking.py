"""Three rankers of the titles that a user could continue to watch."""

from __future__ import annotations

import numpy as np

from examples.models.embeddings import TitleEmbeddings
from examples.models.facts import Histories, Titles, Viewing
from examples.models.titles import Title
from lightbulb.host.comparable import Ranking
from lightbulb.host.errors import BadInput
from lightbulb.host.workflow import Array, Inference, Supplies, Tensors, TensorSpec, Workflow
from lightbulb.model import RequestContext

MAX_TITLES = 500
EMBEDDINGS = "title-embeddings@1"


class ContinueWatching(Workflow):
    """Ranks by how lately a title was watched, and whether it is half done. The model in production."""

    inputs = (TensorSpec(name="titles", datatype="INT64", shape=(-1,), optional=True),)
    outputs = (
        TensorSpec(name="ranked_titles", datatype="INT64", shape=(-1,)),
        TensorSpec(name="scores", datatype="FP32", shape=(-1,)),
        TensorSpec(name="names", datatype="BYTES", shape=(-1,)),
    )
    comparable = Ranking(ids="ranked_titles", scores="scores")
    facts = ("title_catalogue", "viewing_history")

    def __init__(self, supplies: Supplies) -> None:
        """Load what every user shares."""
        super().__init__(supplies)
        titles: Titles = supplies.facts["title_catalogue"]
        self._catalogue = titles()
        self._history: Histories = supplies.facts["viewing_history"]

    def prepare(self, request: Inference) -> list[Title]:
        """Return the titles that were asked for, or else those that the user has begun."""
        if not request.context.user_id:
            raise BadInput("parameter lightbulb_context_user_id is missing: whose titles?")
        request.whole_number("max_titles", MAX_TITLES)
        asked: list[int] = request.inputs["titles"].tolist() if "titles" in request.inputs else []
        if not asked:
            return [viewing.title for viewing in self._history(request.context.user_id)]
        if len(asked) > MAX_TITLES:
            raise BadInput(f"tensor titles has {len(asked)} titles; at most {MAX_TITLES} are ranked")
        unknown = [number for number in asked if number not in self._catalogue]
        if unknown:
            raise BadInput(f"tensor titles: no such titles: {unknown[:10]}")
        return [self._catalogue[number] for number in asked]

    def features(self, request: Inference, candidates: list[Title]) -> Array:
        """Return recency, engagement and rating of each title, each from 0 to 1."""
        seen = {viewing.title.id: viewing for viewing in self._history(request.context.user_id)}
        rows = [_watching(title, seen.get(title.id)) for title in candidates]
        return np.array(rows).reshape(len(candidates), 3)

    def score(self, features: Array) -> Array:
        """Return a weighted sum."""
        return np.asarray(features @ np.array([3.0, 1.0, 0.5]))

    def finish(self, request: Inference, candidates: list[Title], scores: Array) -> Tensors:
        """Return the titles, best first, ties by id; `max_titles` of them if that is set."""
        limit = request.whole_number("max_titles", MAX_TITLES)
        order = np.lexsort((np.array([title.id for title in candidates]), -scores))[:limit]
        ranked = [candidates[index] for index in order]
        return {
            "ranked_titles": np.array([title.id for title in ranked], dtype=np.int64),
            "scores": scores[order].astype(np.float32),
            "names": np.array([title.name.encode() for title in ranked], dtype=object),
        }

    def sample(self) -> Inference:
        """Return a request for some titles of the catalogue: it needs no user that exists."""
        return Inference(
            context=RequestContext(user_id="validation"),
            inputs={"titles": np.array(list(self._catalogue)[:5], dtype=np.int64)},
        )


class GenreAffinity(ContinueWatching):
    """Adds how much the user likes a title's genres. Candidate of cell 2."""

    def features(self, request: Inference, candidates: list[Title]) -> Array:
        """Return the features of production, and the affinity to each title's genres."""
        affinity = _genre_affinity(self._history(request.context.user_id))
        liked = [np.mean([affinity.get(genre, 0.0) for genre in title.genres]) for title in candidates]
        return np.column_stack([super().features(request, candidates), liked])

    def score(self, features: Array) -> Array:
        """Return a weighted sum in which taste counts most."""
        return np.asarray(features @ np.array([1.5, 0.5, 0.5, 6.0]))


class EmbeddingSimilarity(ContinueWatching):
    """Ranks by likeness to what the user has watched most of. Candidate of cell 3."""

    depends_on = (EMBEDDINGS,)

    def __init__(self, supplies: Supplies) -> None:
        """Take the vectors of the model that this one builds on."""
        super().__init__(supplies)
        embeddings = supplies.models[EMBEDDINGS]
        if not isinstance(embeddings, TitleEmbeddings):
            raise TypeError(f"{EMBEDDINGS} is a {type(embeddings).__name__}, not TitleEmbeddings")
        self._embeddings = embeddings

    def features(self, request: Inference, candidates: list[Title]) -> Array:
        """Return recency, and the cosine to the user's taste."""
        history = self._history(request.context.user_id)
        watched = self._embeddings.vectors([viewing.title.id for viewing in history])
        taste = np.array([viewing.progress for viewing in history]) @ watched
        taste = taste / (np.linalg.norm(taste) or 1.0)
        likeness = self._embeddings.vectors([title.id for title in candidates]) @ taste
        return np.column_stack([super().features(request, candidates)[:, 0], likeness])

    def score(self, features: Array) -> Array:
        """Return a weighted sum in which likeness counts most."""
        return np.asarray(features @ np.array([0.5, 4.0]))


def _watching(title: Title, viewing: Viewing | None) -> tuple[float, float, float]:
    """Return recency (halves in ten days), engagement (most at half-way) and rating."""
    if viewing is None:
        return 0.0, 0.0, title.rating / 10
    engagement = 4 * viewing.progress * (1 - viewing.progress)
    return float(np.exp2(-viewing.days_ago / 10)), engagement, title.rating / 10


def _genre_affinity(history: tuple[Viewing, ...]) -> dict[str, float]:
    """Return genre -> share of the user's watching that it makes up."""
    affinity: dict[str, float] = {}
    for viewing in history:
        for genre in viewing.title.genres:
            affinity[genre] = affinity.get(genre, 0.0) + viewing.progress / len(history)
    return affinity
