"""Stand-ins: models that answer in place of any model, so that a workspace can be tried without its own.

A stand-in takes whatever tensors it is sent, and answers with scores that follow from its model's id, from
who asks and from these tensors: the same for the same, another for another. Each answer says in its
parameter `lightbulb_stand_in` that it is one, and the host's log says it of each model.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import NoReturn, TypeVar

import numpy as np

from lightbulb.host.workflow import Array, Catalogue, Fact, Inference, Supplies, Tensors, TensorSpec, Workflow
from lightbulb.model import RequestContext

log = logging.getLogger(__name__)

T = TypeVar("T")

SCORES = 10
"""How many scores a request gets; one of tensors gets as many as the first of them has rows, up to this."""


class StandIn(Workflow):
    """Scores from 0 to 1 that mean nothing."""

    inputs = None
    outputs = (TensorSpec(name="scores", datatype="FP64", shape=(-1,)),)
    is_stand_in = True

    def __init__(self, supplies: Supplies) -> None:
        """Say what it is."""
        super().__init__(supplies)
        self._model = supplies.model
        log.warning(
            "a stand-in answers in place of %s; name the module of real models with --models", self._model
        )

    def prepare(self, request: Inference) -> int:
        """Return how many scores to give."""
        first = next(iter(request.inputs.values()), None)
        return SCORES if first is None or not first.ndim else min(SCORES, len(first))

    def features(self, request: Inference, candidates: int) -> Array:
        """Return random bytes, of which the request and the model are the seed."""
        digest = blake2b(f"{self._model}\n{request.context.user_id}".encode(), digest_size=8)
        for name, values in sorted(request.inputs.items()):
            digest.update(f"{name} {values.dtype} {values.shape}".encode())
            parts = values.ravel() if values.dtype.hasobject else (values.tobytes(),)
            for part in parts:
                digest.update(len(part).to_bytes(8, "little") + part)
        return np.random.default_rng(int.from_bytes(digest.digest(), "big")).random(candidates)

    def score(self, features: Array) -> Array:
        """Return the features: they are the scores."""
        return features

    def finish(self, request: Inference, candidates: int, scores: Array) -> Tensors:  # noqa: ARG002 - the workflow's form
        """Return the scores."""
        return {"scores": scores}

    def sample(self) -> Inference:
        """Return a request without tensors."""
        return Inference(context=RequestContext(user_id="validation"), inputs={})


class _Always(Mapping[str, T]):
    """Has one value under every name, and lists none."""

    def __init__(self, value: T) -> None:
        self._value = value

    def __getitem__(self, key: str) -> T:
        return self._value

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def _no_fact(*_: object) -> NoReturn:
    raise LookupError("a stand-in's host supplies no facts")


CATALOGUE: Catalogue = _Always(StandIn)
FACTS: Mapping[str, Fact] = _Always(_no_fact)
