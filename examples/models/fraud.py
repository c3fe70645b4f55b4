"""Trained classifiers over rows of 30 measurements, of the kind that fraud detection works on.

The data is scikit-learn's bundled breast-cancer set, standing in for transactions: real, labelled,
30 numeric columns, one class rare enough to matter. Training is deterministic and takes well under a
second; loading scikit-learn takes one or two, so it is loaded with the first of these models.
"""

from __future__ import annotations

from abc import abstractmethod
from functools import lru_cache
from typing import Any

import numpy as np

from lightbulb.host.comparable import Score
from lightbulb.host.errors import BadInput
from lightbulb.host.workflow import Array, Inference, Supplies, Tensors, TensorSpec, Workflow
from lightbulb.model import RequestContext

COLUMNS = 30
SEED = 7
MAX_VALUE = 1e12
"""No measurement is larger; estimators overflow far above."""


@lru_cache(maxsize=1)
def transactions() -> tuple[Array, Array, Array, Array]:
    """Return training rows, held-out rows, and their labels (1.0: fraudulent)."""
    from sklearn.datasets import load_breast_cancer  # noqa: PLC0415 - heavy
    from sklearn.model_selection import train_test_split  # noqa: PLC0415

    data = load_breast_cancer()
    rows, held_out, labels, held_out_labels = train_test_split(
        data.data, 1.0 - data.target, test_size=0.3, random_state=SEED, stratify=data.target
    )
    return rows, held_out, labels, held_out_labels


class FraudClassifier(Workflow):
    """Gives the probability of each transaction being fraudulent; trains on construction."""

    inputs = (TensorSpec(name="transaction", datatype="FP64", shape=(-1, COLUMNS)),)
    outputs = (TensorSpec(name="fraud_probability", datatype="FP64", shape=(-1,)),)
    comparable = Score(output="fraud_probability", tolerance=0.05)

    def __init__(self, supplies: Supplies) -> None:
        """Train on the transactions."""
        super().__init__(supplies)
        rows, _, labels, _ = transactions()
        self._estimator = self.make_estimator().fit(rows, labels)

    @staticmethod
    @abstractmethod
    def make_estimator() -> Any:
        """Return an untrained scikit-learn classifier."""

    def prepare(self, request: Inference) -> Array:
        """Return the transactions as rows."""
        rows = request.inputs["transaction"]
        if not (np.abs(rows) <= MAX_VALUE).all():  # NaN compares false
            raise BadInput(f"tensor transaction has a value that is no number within ±{MAX_VALUE:g}")
        return rows

    def features(self, request: Inference, candidates: Array) -> Array:
        """Return the rows: they are the features."""
        del request
        return candidates

    def score(self, features: Array) -> Array:
        """Return the probability of class 1."""
        if not len(features):
            return np.zeros(0)
        return np.asarray(self._estimator.predict_proba(features)[:, 1])

    def finish(self, request: Inference, candidates: Array, scores: Array) -> Tensors:  # noqa: ARG002 - the workflow's form
        """Return the probabilities."""
        return {"fraud_probability": scores.astype(np.float64)}

    def sample(self) -> Inference:
        """Return a request for three held-out transactions."""
        return Inference(
            context=RequestContext(user_id="validation"), inputs={"transaction": transactions()[1][:3]}
        )


class LogisticFraudClassifier(FraudClassifier):
    """Version 1: a scaled logistic regression."""

    @staticmethod
    def make_estimator() -> Any:
        """Return a logistic regression on standardised columns."""
        from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - heavy
        from sklearn.pipeline import make_pipeline  # noqa: PLC0415
        from sklearn.preprocessing import StandardScaler  # noqa: PLC0415

        return make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))


class BoostedFraudClassifier(FraudClassifier):
    """Version 2: gradient-boosted trees."""

    @staticmethod
    def make_estimator() -> Any:
        """Return a small gradient boosting."""
        from sklearn.ensemble import GradientBoostingClassifier  # noqa: PLC0415 - heavy

        return GradientBoostingClassifier(n_estimators=40, random_state=SEED)
