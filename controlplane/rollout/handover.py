"""An objective on its way from one tenant to another: who has it, and from which generation on. Pure.

Its owner offers it; the other takes it with a generation that is its newest and that objective besides, as
its owner answers it. When that becomes active the objective is the other's, in the same commit. From then on
it is in no generation from before: of the owner before it is hidden, and of the new one, what came earlier is
taken to have it as the generation that it came with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from controlplane.rollout.operations import Refused
from controlplane.rollout.state import Rollout

MAX_FORMER = 8
"""Tenants before its owner that are known of an objective: who takes one of them is still sent it."""

MAX_TRIED = 8
"""Tenants whose generation with it was withdrawn that are known: it leaves within a publish's time."""

MAX_HANDOVERS = 1_000
"""Objectives on offer, or handed over, at once: the store's head has them all."""


class NotOffered(Refused):
    """An objective that is taken, and isn't on offer to that tenant."""


class NotTheirs(Refused):
    """An offer of an objective that the tenant doesn't serve."""


class OfferedToAnother(Refused):
    """An offer of what is on offer to another tenant, or on its way to one."""


class NotEverywhere(Refused):
    """A take while not everybody has what the owner serves."""


class TooManyHandovers(Refused):
    """An offer when as many are known as may be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """One objective that is on offer, or was handed over.

    `owner` has it from its generation `since` on (0: it always had it), into which it came from generation
    `source` of the last of `former`, those who had it before. `published`: the owner has published files with
    it since. It is on offer to `taker` until `until`, by the store's clock; generation `taken` of that one is
    on its way with it (0: none is), as it is in the owner's generation `taken_from`. `until` is 0 when the
    owner has taken it back meanwhile. `tried` are those whose generation with it was withdrawn, of which
    something may be loaded still.
    """

    objective: str
    owner: str
    since: int = 0
    source: int = 0
    former: tuple[str, ...] = ()
    published: bool = False
    taker: str = ""
    until: float = 0.0
    taken: int = 0
    taken_from: int = 0
    tried: tuple[str, ...] = ()

    def offered(self, now: float) -> bool:
        """Say whether it is on offer, or on its way."""
        return bool(self.taker) and (now < self.until or bool(self.taken))

    @property
    def tenants(self) -> tuple[str, ...]:
        """Those who may show something of it, whoever has it last."""
        return (*self.former, self.owner, *((self.taker,) if self.taken else ()))


Handovers = Mapping[str, Handover]
"""By objective, sorted."""

NO_HANDOVERS: Handovers = MappingProxyType({})


def offer(handover: Handover, taker: str, until: float, now: float) -> Handover:
    """Return it on offer to a tenant. Raises OfferedToAnother."""
    if handover.offered(now) and handover.taker != taker:
        state = f"on its way to {handover.taker}" if handover.taken else f"on offer to {handover.taker}"
        raise OfferedToAnother(
            f"objective {handover.objective} is {state}; take that back first: lightbulb tenants offer "
            f"{handover.objective} --tenant {handover.owner} --to {handover.taker} --back",
            generation=handover.taken,
        )
    return replace(handover, taker=taker, until=until)


def take_back(handover: Handover) -> Handover:
    """Return it without its offer; a generation that is on its way with it will be withdrawn."""
    return replace(handover, until=0.0, taker=handover.taker if handover.taken else "")


def settled(handovers: Handovers, tenant: str, rollout: Rollout) -> Handovers:
    """Return the handovers once `tenant` has come to `rollout`; the same while that changes none."""
    changed = {
        name: _settled(each, rollout)
        for name, each in handovers.items()
        if each.taken and each.taker == tenant and each.taken != rollout.target
    }
    return MappingProxyType({**handovers, **changed}) if changed else handovers


def _settled(handover: Handover, rollout: Rollout) -> Handover:
    if rollout.active != handover.taken:  # it was withdrawn
        tried = (*_without(handover.tried, handover.taker), handover.taker)[-MAX_TRIED:]
        offer = replace(handover, taken=0, taken_from=0, tried=tried)
        return offer if handover.until else take_back(offer)
    former = (*_without(handover.former, handover.taker), handover.owner)
    return Handover(
        objective=handover.objective,
        owner=handover.taker,
        since=handover.taken,
        source=handover.taken_from,
        former=former[-MAX_FORMER:],
        tried=_without(handover.tried, handover.taker),
    )


def _without(tenants: tuple[str, ...], tenant: str) -> tuple[str, ...]:
    return tuple(each for each in tenants if each != tenant)


def oldest_whole(handovers: Handovers, tenant: str) -> int:
    """Return the generation from which on a tenant's have all that was handed to it; 0: all of them do."""
    return max((each.since for each in handovers.values() if each.owner == tenant), default=0)
