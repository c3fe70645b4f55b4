"""A trained classifier over rows of 30 measurements, of the kind that fraud detection works on.

The data is scikit-learn's bundled breast-cancer set, standing in for transactions: real, labelled,
30 numeric columns, one class rare enough to matter. Training takes milliseconds and is deterministic.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from lightbulb.model import RequestContext
from servinghost.workflow import Array, BadInput, Inference, Tensors, TensorSpec, Workflow

COLUMNS = 30
SEED = 7


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

    def __init__(self, estimator: Any) -> None:
        """Train `estimator`, a scikit-learn classifier."""
        rows, _, labels, _ = transactions()
        self._estimator = estimator.fit(rows, labels)

    def prepare(self, request: Inference) -> Array:
        """Return the transactions as rows."""
        rows = request.inputs.get("transaction")
        if rows is None:
            raise BadInput(f"tensor transaction is missing: FP64 of shape [-1, {COLUMNS}]")
        if not np.isfinite(rows).all():
            raise BadInput("tensor transaction: not all values are finite")
        return rows

    def features(self, request: Inference, candidates: Array) -> Array:  # noqa: ARG002 - the workflow's form
        """Return the rows: they are the features."""
        return candidates

    def score(self, features: Array) -> Array:
        """Return the probability of class 1."""
        if not len(features):
            return np.zeros(0)
        return np.asarray(self._estimator.predict_proba(features)[:, 1])

    def finish(self, request: Inference, candidates: Array, scores: Array) -> Tensors:  # noqa: ARG002
        """Return the probabilities."""
        return {"fraud_probability": scores.astype(np.float64)}

    def sample(self) -> Inference:
        """Return a request for three held-out transactions."""
        return Inference(
            context=RequestContext(user_id="validation"), inputs={"transaction": transactions()[1][:3]}
        )


def logistic() -> FraudClassifier:
    """Return version 1: a scaled logistic regression."""
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415
    from sklearn.preprocessing import StandardScaler  # noqa: PLC0415

    return FraudClassifier(make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)))


def boosted() -> FraudClassifier:
    """Return version 2: gradient-boosted trees."""
    from sklearn.ensemble import GradientBoostingClassifier  # noqa: PLC0415

    return FraudClassifier(GradientBoostingClassifier(n_estimators=40, random_state=SEED))
