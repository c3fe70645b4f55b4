"""What a model's answers mean when another model's are held against them, and how they are read. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import blake2b
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lightbulb.comparison.answers import EXCERPT, MAX_ITEMS, Answer, BytesAnswer, RankingAnswer, ScoreAnswer

ID_CHARACTERS = 64
"""Of an item's name that are recorded."""

_FIRST = 8
"""Elements of an output that are in an excerpt."""

_Array = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """The output `ids` has items, the best first; `scores`, if named, a score for each. `k` are compared.

    Ids are whole numbers, or texts (BYTES).
    """

    ids: str
    scores: str = ""
    k: int = 50

    def __post_init__(self) -> None:
        if not 1 <= self.k <= MAX_ITEMS:
            raise ValueError(f"k is {self.k}, not from 1 to {MAX_ITEMS}")

    @property
    def outputs(self) -> Mapping[str, str]:
        """What it takes to compare: output -> kinds that it may be of (numpy's)."""
        return {self.ids: "iuO", **({self.scores: "fiu"} if self.scores else {})}

    def read(self, outputs: Mapping[str, _Array]) -> Answer:
        """Return what an answer comes to."""
        ids = outputs[self.ids]
        first = ids.ravel()[: self.k].tolist()
        if ids.dtype.hasobject:
            first = [each.decode("utf-8", "replace")[:ID_CHARACTERS] for each in first]
        scores = tuple(outputs[self.scores].ravel()[: self.k].tolist()) if self.scores else ()
        if len(scores) != len(first):
            scores = ()
        return RankingAnswer(ids=tuple(first), scores=scores, length=ids.size)


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Each element of an output is a score. Two agree that differ by at most `tolerance`."""

    output: str
    tolerance: float = 0.0

    def __post_init__(self) -> None:
        if not self.tolerance >= 0:
            raise ValueError(f"tolerance is {self.tolerance}, not 0 or more")

    @property
    def outputs(self) -> Mapping[str, str]:
        """What it takes to compare: output -> kinds that it may be of (numpy's)."""
        return {self.output: "fiu"}

    def read(self, outputs: Mapping[str, _Array]) -> Answer:
        """Return what an answer comes to."""
        values = outputs[self.output]
        scores = tuple(values.ravel()[:MAX_ITEMS].tolist())
        return ScoreAnswer(scores=scores, length=values.size, tolerance=self.tolerance)


Comparable: TypeAlias = Ranking | Score


def declared_as(comparable: Comparable | None) -> Mapping[str, str | int | float]:
    """Return what a model declares, as a record says it."""
    return {} if comparable is None else asdict(comparable)


def as_declared(declared: Mapping[str, str | int | float]) -> Comparable | None:
    """Return what a record says that a model declares. Raises TypeError and ValueError."""
    if not declared:
        return None
    fields: Mapping[str, Any] = declared
    return Ranking(**fields) if "ids" in declared else Score(**fields)


def read_answer(comparable: Comparable | None, outputs: Mapping[str, _Array]) -> Answer:
    """Return what an answer comes to; of a model that declares nothing, whether it is the same."""
    return comparable.read(outputs) if comparable is not None else _as_bytes(outputs)


def _as_bytes(outputs: Mapping[str, _Array]) -> BytesAnswer:
    digest, size, parts = blake2b(digest_size=16), 0, []
    for name, values in sorted(outputs.items()):
        digest.update(f"{name} {values.dtype.str} {values.shape} ".encode())
        if values.dtype.hasobject:
            for each in values.ravel():
                digest.update(len(each).to_bytes(8, "little") + each)
                size += len(each)
        else:
            digest.update(np.ascontiguousarray(values).data)
            size += values.nbytes
        parts.append(f"{name}={values.ravel()[:_FIRST].tolist()}")
    return BytesAnswer(digest=digest.hexdigest(), size=size, excerpt=" ".join(parts)[:EXCERPT])
