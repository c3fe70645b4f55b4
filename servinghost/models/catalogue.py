"""Model id -> how to load it. What isn't here, this host refuses by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from servinghost.models.fraud import boosted, logistic
from servinghost.models.ranking import ContinueWatching, EmbeddingSimilarity, GenreAffinity, TitleEmbeddings
from servinghost.workflow import Workflow

Factory = Callable[[], Workflow]

CATALOGUE: Mapping[str, Factory] = MappingProxyType(
    {
        "title-embeddings@1": TitleEmbeddings,
        "netflix-continue-watching-model-default@1": ContinueWatching,
        "netflix-continue-watching-model-cell-2@1": GenreAffinity,
        "netflix-continue-watching-model-cell-3@1": EmbeddingSimilarity,
        "payment-fraud-model@1": logistic,
        "payment-fraud-model@2": boosted,
    }
)
