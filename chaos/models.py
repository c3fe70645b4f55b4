"""The example models, without training: a fraud model's stand-in takes the same requests.

Loading scikit-learn takes longer than all else that a host does at its start, and what a fraud model answers
matters to nobody here.
"""

from __future__ import annotations

from types import MappingProxyType

import numpy as np

from examples.models.catalogue import CATALOGUE as EXAMPLES
from examples.models.facts import FACTS
from examples.models.fraud import COLUMNS, LogisticFraudClassifier
from lightbulb.host.workflow import Array, Catalogue, Inference, Supplies, Workflow
from lightbulb.model import RequestContext

__all__ = ["CATALOGUE", "FACTS"]


class UntrainedFraudClassifier(LogisticFraudClassifier):
    """Gives each row a probability that means nothing."""

    def __init__(self, supplies: Supplies) -> None:
        Workflow.__init__(self, supplies)

    def score(self, features: Array) -> Array:
        return (1 + np.tanh(features.mean(axis=1))) / 2

    def sample(self) -> Inference:
        return Inference(
            context=RequestContext(user_id="validation"), inputs={"transaction": np.zeros((1, COLUMNS))}
        )


CATALOGUE: Catalogue = MappingProxyType(
    {
        name: UntrainedFraudClassifier if name.startswith("payment-fraud-model@") else workflow
        for name, workflow in EXAMPLES.items()
    }
)
