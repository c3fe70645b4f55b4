"""How far the answers of two models agree, as somebody tells who compares them. Pure.

Whoever compares tells all that it has counted since its epoch began, again and again, and to any replica: of
what one teller told of two models the newest counts. So nothing is counted twice, whoever hears it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from controlplane.lifecycle.counters import Sum
from controlplane.lifecycle.figures import Arms, Counts

MAX_TELLERS = 16
MAX_MODELS = 1_000
"""Pairs of models that one teller may tell of."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Models:
    """The models, as "ranker@1", whose answers to an objective's requests are compared."""

    objective: str
    primary: str
    candidate: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """All that one teller has counted since its epoch began, by models."""

    epoch: int
    counts: Mapping[Models, Counts] = field(default_factory=lambda: MappingProxyType({}))


AllCompared = Mapping[str, Compared]
"""By the name of who told it."""

NOTHING_COMPARED: AllCompared = MappingProxyType({})


class TooMuchCompared(Exception):
    """One teller more than are remembered, or more models of one; the text says what to do."""


def heard(before: AllCompared, teller: str, told: Compared) -> AllCompared:
    """Return what is known once a teller told something. Raises TooMuchCompared."""
    known = before.get(teller)
    if known is None and len(before) >= MAX_TELLERS:
        raise TooMuchCompared(
            f"{MAX_TELLERS} others told already what they compared; tell by one of their names"
        )
    newest = told if known is None else _newer(known, told)
    if len(newest.counts) > MAX_MODELS:
        raise TooMuchCompared(
            f"{teller!r} told of {MAX_MODELS:,} pairs of models already; begin a later epoch, or tell by "
            "another name"
        )
    return MappingProxyType({**before, teller: newest})


def _newer(one: Compared, other: Compared) -> Compared:
    """Return what came of both: a later epoch counts alone, and of one epoch the most that was counted."""
    if one.epoch != other.epoch:
        return max(one, other, key=lambda each: each.epoch)
    counts = dict(one.counts)
    for models, now in other.counts.items():
        if models not in counts or _goes_on(counts[models], now):
            counts[models] = now
    return Compared(epoch=one.epoch, counts=MappingProxyType(counts))


def _goes_on(before: Counts, now: Counts) -> bool:
    """Say whether more was counted, and nothing forgotten: each pair disagrees by 0 to 1."""
    return 0.0 <= now.disagreed - before.disagreed <= now.compared - before.compared


def sums_of(models: Models, told: Iterable[AllCompared]) -> tuple[Sum, ...]:
    """Return what each teller compared of two models, whichever replicas it told."""
    found: dict[str, Compared] = {}
    for each in told:
        for teller, compared in each.items():
            known, alone = found.get(teller), _alone(compared, models)
            found[teller] = alone if known is None else _newer(known, alone)
    return tuple(
        Sum(sender=f"compared by {teller}", epoch=each.epoch, arms=Arms(candidate=each.counts[models]))
        for teller, each in sorted(found.items())
        if models in each.counts
    )


def _alone(compared: Compared, models: Models) -> Compared:
    """Return the same of two models alone."""
    counts = compared.counts.get(models)
    return Compared(epoch=compared.epoch, counts={} if counts is None else {models: counts})
