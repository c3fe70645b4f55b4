"""How far a host is with what it loads, as it says on its stream of assignments. Pure.

It is a request of its own type, which names no resource: a server that doesn't know it answers nothing, and
goes on as if it hadn't come. Both ends bound it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass

from lightbulb.ads.messages import DeltaRequest
from lightbulb.ads.values import LOAD_PROGRESS

MAX_LOADS = 10
"""Loads that are told of at once; more than a host has under way."""

MAX_TEXT = 200
"""Characters of what a load says that it is at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelLoad:
    """A load that is under way, for so many `seconds`.

    `fraction`, from 0 to 1, and `text` are what the model's own code says; None and empty: it says nothing.
    """

    model: str
    seconds: float
    fraction: float | None = None
    text: str = ""


def progress_request(loads: Iterable[ModelLoad]) -> DeltaRequest:
    """Return the request that tells of loads; of none: all have ended."""
    told = {
        each.model: json.dumps([each.seconds, each.fraction, each.text[:MAX_TEXT]])
        for each in tuple(loads)[:MAX_LOADS]
    }
    return DeltaRequest(type_url=LOAD_PROGRESS, initial_versions=told)


def loads_of(request: DeltaRequest) -> tuple[ModelLoad, ...]:
    """Return the loads that a request tells of, by model; what can't be read is left out."""
    told = sorted(request.initial_versions.items())[:MAX_LOADS]
    return tuple(load for model, text in told if (load := _load(model, text)) is not None)


def _load(model: str, told: str) -> ModelLoad | None:
    try:
        seconds, fraction, text = json.loads(told)
    except (ValueError, TypeError, RecursionError):
        return None
    if not _is_number(seconds) or not isinstance(text, str) or not (fraction is None or _is_number(fraction)):
        return None
    return ModelLoad(
        model=model,
        seconds=max(0.0, seconds),
        fraction=None if fraction is None else min(1.0, max(0.0, fraction)),
        text=text[:MAX_TEXT],
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
