"""What a model is here: a workflow from a request to an answer, not only a scoring function.

    inputs + context -> prepare -> features (from facts) -> score -> finish -> outputs

A model states the facts that it needs; the host supplies them. `validate` runs the whole workflow once
on a sample at load time: that is what a host's ACK of an assignment stands for.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightbulb.model import EMPTY, RequestContext, Value

Array = NDArray[Any]
Tensors = Mapping[str, Array]


class BadInput(ValueError):
    """A request that a model can't work with; the message names the tensor or parameter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorSpec:
    """A tensor of the Open Inference Protocol; -1 in `shape` is a dimension of any size."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Inference:
    """One request: who asks, the input tensors, and the parameters that the model's rule set."""

    context: RequestContext
    inputs: Tensors
    parameters: Mapping[str, Value] = field(default_factory=lambda: EMPTY)


class Workflow(ABC):
    """A loaded model. Its steps are pure given what it was built with; it may be used by many threads."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    @abstractmethod
    def prepare(self, request: Inference) -> Any:
        """Return the candidates to score (pre-processing); raises BadInput."""

    @abstractmethod
    def features(self, request: Inference, candidates: Any) -> Array:
        """Return one row of features a candidate, from facts."""

    @abstractmethod
    def score(self, features: Array) -> Array:
        """Return one score a row: the trained or computed part."""

    @abstractmethod
    def finish(self, request: Inference, candidates: Any, scores: Array) -> Tensors:
        """Return the output tensors (post-processing)."""

    @abstractmethod
    def sample(self) -> Inference:
        """Return a request that the model must be able to answer."""

    def run(self, request: Inference) -> Tensors:
        """Return the outputs for a request; raises BadInput."""
        candidates = self.prepare(request)
        return self.finish(request, candidates, self.score(self.features(request, candidates)))

    def validate(self) -> None:
        """Raise ValueError when the model can't answer its own sample as it declares."""
        outputs = self.run(self.sample())
        for spec in self.outputs:
            values = outputs.get(spec.name)
            if values is None or values.ndim != len(spec.shape):
                raise ValueError(f"output {spec.name} is missing or has another shape than {spec.shape}")
            if values.dtype.kind == "f" and not np.isfinite(values).all():
                raise ValueError(f"output {spec.name} is not finite")
