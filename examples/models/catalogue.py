"""Model id -> what loads it. What isn't here, this host refuses by name."""

from __future__ import annotations

from types import MappingProxyType

from examples.models.embeddings import TitleEmbeddings
from examples.models.fraud import BoostedFraudClassifier, LogisticFraudClassifier
from examples.models.ranking import EMBEDDINGS, ContinueWatching, EmbeddingSimilarity, GenreAffinity
from lightbulb.host.workflow import Catalogue

CATALOGUE: Catalogue = MappingProxyType(
    {
        EMBEDDINGS: TitleEmbeddings,
        "netflix-continue-watching-model-default@1": ContinueWatching,
        "netflix-continue-watching-model-cell-2@1": GenreAffinity,
        "netflix-continue-watching-model-cell-3@1": EmbeddingSimilarity,
        "payment-fraud-model@1": LogisticFraudClassifier,
        "payment-fraud-model@2": BoostedFraudClassifier,
    }
)
