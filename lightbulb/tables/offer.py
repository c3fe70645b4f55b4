"""The part of what a Lightbulb holds that a client takes, which resolves in its own process. Pure.

A part is made anew when something has changed that is in it; what is as it was is the same object.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, replace

from lightbulb.ads.client.held import Held
from lightbulb.ads.server.snapshot import (
    EMPTY_SNAPSHOT,
    NO_RESOURCES,
    Snapshot,
    named,
    with_resources,
)
from lightbulb.ads.values import (
    ACTIVE_GENERATION,
    OBJECTIVE_CONTROL,
    OBJECTIVE_TABLES,
    SIDECAR_STATE,
    CommitStamp,
    Takes,
    active_name,
)
from lightbulb.tables.values import Tables

MAX_PARTS = 2_000
"""Parts that are kept; the one that was asked for longest ago is made anew when it is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a Lightbulb answers from: `held` came, is in use as `tables`, and is as new as `stamp`."""

    held: Held
    tables: Tables
    stamp: CommitStamp


@dataclass(frozen=True, slots=True)
class Asker:
    """What a client takes, and the sidecar that its requests go through; empty: it doesn't say."""

    takes: Takes
    sidecar: str


class Parts:
    """The parts of one Lightbulb's clients."""

    def __init__(self) -> None:
        """Have made none yet."""
        self._made: OrderedDict[Asker, tuple[Offer, Snapshot]] = OrderedDict()

    def of(self, offer: Offer, asker: Asker) -> Snapshot:
        """Return what a client is to have."""
        before, part = self._made.pop(asker, (None, EMPTY_SNAPSHOT))
        if before is not offer:
            part = _part(offer, asker, part)
        self._made[asker] = offer, part
        if len(self._made) > MAX_PARTS:
            self._made.popitem(last=False)
        return part


def _part(offer: Offer, asker: Asker, before: Snapshot) -> Snapshot:
    held, objectives = offer.held, _taken(offer, asker.takes)
    own = {
        OBJECTIVE_TABLES: objectives,
        OBJECTIVE_CONTROL: objectives,
        SIDECAR_STATE: (asker.sidecar,),
        ACTIVE_GENERATION: _generations(offer, objectives),
    }
    part = before
    for type_url, names in own.items():
        part = with_resources(part, type_url, named(held.get(type_url, NO_RESOURCES), names))
    return part if part.stamp == offer.stamp else replace(part, stamp=offer.stamp)


def _taken(offer: Offer, takes: Takes) -> Iterable[str]:
    objectives = offer.tables.objectives
    if not takes:
        return objectives
    return [
        name
        for name, timeline in objectives.items()
        if name in takes.objectives or timeline.tenant in takes.tenants
    ]


def _generations(offer: Offer, names: Iterable[str]) -> Iterable[str]:
    """Return what says which generation is active, for the tenants of objectives; of none: for all.

    A client of an objective that isn't there yet is told that it isn't, and not that nothing is.
    """
    tenants = {offer.tables.objectives[name].tenant for name in names} or offer.tables.generations
    return [active_name(tenant) for tenant in tenants]
