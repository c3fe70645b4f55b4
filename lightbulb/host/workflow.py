"""What a model is here: a workflow from a request to an answer, not only a scoring function.

    inputs + context -> prepare -> features (from facts) -> score -> finish -> outputs

A model declares its tensors, the facts that it needs and the models that it builds on; the host hands
it exactly these. `validate` runs the whole workflow once on a sample at load time: that is what a
host's ACK of an assignment stands for.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from lightbulb.host.comparable import Comparable
from lightbulb.host.errors import BadInput
from lightbulb.host.traffic import Traffic
from lightbulb.model import EMPTY, RequestContext, Value

Array = NDArray[Any]
Tensors = Mapping[str, Array]

Fact = Callable[..., Any]
"""Supplies one fact: what it takes and returns is the fact's own contract (see examples/models/facts.py)."""

DTYPES: Mapping[str, np.dtype[Any]] = MappingProxyType(
    {
        "BOOL": np.dtype("?"),
        "INT8": np.dtype("<i1"),
        "INT16": np.dtype("<i2"),
        "INT32": np.dtype("<i4"),
        "INT64": np.dtype("<i8"),
        "UINT8": np.dtype("<u1"),
        "UINT16": np.dtype("<u2"),
        "UINT32": np.dtype("<u4"),
        "UINT64": np.dtype("<u8"),
        "FP16": np.dtype("<f2"),
        "BF16": np.dtype("<f4"),
        "FP32": np.dtype("<f4"),
        "FP64": np.dtype("<f8"),
        "BYTES": np.dtype("O"),
    }
)
"""The protocol's datatypes that models may use, as numpy's; elements of BYTES are `bytes`.

numpy has no BF16: a model gets FP32, and what it gives is rounded."""


class BadOutput(ValueError):
    """A model that doesn't answer as it declares."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorSpec:
    """A tensor of the Open Inference Protocol; -1 in `shape` is a dimension of any size."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    optional: bool = False

    def __post_init__(self) -> None:
        if self.datatype not in DTYPES:
            raise ValueError(f"tensor {self.name}: datatype {self.datatype} is none of {', '.join(DTYPES)}")

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Say whether a tensor of this shape is one of these."""
        return len(shape) == len(self.shape) and all(
            size >= 0 and wanted in {-1, size} for size, wanted in zip(shape, self.shape, strict=True)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Inference:
    """One request: who asks, the input tensors (read-only), and the parameters that the rule set.

    `traffic` is what it is for. A workflow that writes anything, a fact or a log of its own, does so for a
    user's request alone: of a shadow, nobody gets the answer.
    """

    context: RequestContext
    inputs: Tensors
    parameters: Mapping[str, Value] = field(default_factory=lambda: EMPTY)
    traffic: Traffic = Traffic.LIVE

    @property
    def shadow(self) -> bool:
        """Whether it is a copy, whose answer nobody gets."""
        return self.traffic is Traffic.SHADOW

    def whole_number(self, name: str, default: int) -> int:
        """Return a parameter that counts something; raises BadInput unless it is a number from 1."""
        value = self.parameters.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 1 or value % 1:
            raise BadInput(
                f"parameter {name} is {value!r}, not a whole number from 1", path=f"parameter {name}"
            )
        return int(value)


class LoadProgress:
    """How far a load is, as the model's own code tells it from its thread; others read it at any time."""

    def __init__(self) -> None:
        """Nothing is told yet."""
        self.told: tuple[float | None, str] = None, ""
        """The fraction, from 0 to 1, and what it is at."""

    def tell(self, fraction: float | None = None, text: str = "") -> None:
        """Say how far the load is, from 0 to 1, and what it is at. Cheap: call it as often as you like."""
        self.told = None if fraction is None else min(1.0, max(0.0, float(fraction))), str(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Supplies:
    """What a host hands a model: its facts by name, and the models that it builds on by "name@version".

    `model` is its own "name@version". A model that loads for long tells `progress` how far it is.
    """

    facts: Mapping[str, Fact]
    models: Mapping[str, Workflow]
    model: str = ""
    progress: LoadProgress = field(default_factory=LoadProgress, compare=False)


class Workflow(ABC):
    """A loaded model. Construction does the heavy work; afterwards many threads use it at once."""

    inputs: ClassVar[tuple[TensorSpec, ...] | None]
    """None: tensors of any name, datatype and shape."""
    outputs: ClassVar[tuple[TensorSpec, ...]]
    is_stand_in: ClassVar[bool] = False
    """It answers in place of a real model, and each of its answers says so."""
    comparable: ClassVar[Comparable | None] = None
    """What its answers mean when a shadow's are held against them; None: they are the same, or not."""
    facts: ClassVar[tuple[str, ...]] = ()
    """Names of the facts that it needs; its entry in models.yaml lists them too."""
    depends_on: ClassVar[tuple[str, ...]] = ()
    """The "name@version" of each model that it calls; its entry in models.yaml lists them too."""

    def __init__(self, supplies: Supplies) -> None:  # noqa: B027 - a model may need nothing
        """Load: read, train, precompute. May raise anything; the host refuses the model by name then."""

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
        """Return the outputs for a request; raises BadInput, and BadOutput for a fault of the model."""
        candidates = self.prepare(request)
        outputs = self.finish(request, candidates, self.score(self.features(request, candidates)))
        for spec in self.outputs:
            _check(spec, outputs.get(spec.name))
        return outputs

    def validate(self) -> None:
        """Raise when the model can't answer its own sample as it declares."""
        self.run(self.sample())

    def check_comparable(self) -> None:
        """Raise BadOutput when what it declares to be comparable isn't."""
        kinds = {spec.name: DTYPES[spec.datatype].kind for spec in self.outputs}
        for name, wanted in (self.comparable.outputs if self.comparable is not None else {}).items():
            if name not in kinds:
                raise BadOutput(f"comparable names output {name}; this model gives {', '.join(kinds)}")
            if kinds[name] not in wanted:
                raise BadOutput(f"comparable takes output {name} for what it isn't: it is {kinds[name]!r}")


def _check(spec: TensorSpec, values: Array | None) -> None:
    if values is None:
        raise BadOutput(f"output {spec.name} is missing")
    if values.dtype != DTYPES[spec.datatype]:
        raise BadOutput(f"output {spec.name} is {values.dtype}, not {spec.datatype}")
    if not spec.fits(values.shape):
        raise BadOutput(f"output {spec.name} has shape {list(values.shape)}, not {list(spec.shape)}")
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise BadOutput(f"output {spec.name} is not finite")
    if spec.datatype == "BYTES" and not all(isinstance(element, bytes) for element in values.flat):
        raise BadOutput(f"output {spec.name} has an element that isn't bytes")


Catalogue = Mapping[str, type[Workflow]]
"""Model id ("name@version") -> what loads it. What isn't here, a host refuses by name."""
