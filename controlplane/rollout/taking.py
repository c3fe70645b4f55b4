"""What tenants show of objectives that go from one to another, and whether one may go. Pure.

Until a handover is done the owner's generations say what is answered; afterwards, the new one's. Routes are
shown of both, for as long as either has them: a key means the same whoever has its objective.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass

from controlplane.rollout.failure import Failure, FailureKind
from controlplane.rollout.handover import Handovers
from controlplane.rollout.lanes import Lanes
from controlplane.rollout.state import Generation
from lightbulb.model import ObjectiveTable
from lightbulb.resolution.codec import table_to_bytes


@dataclass(frozen=True, slots=True)
class View:
    """What a tenant's generations have of objectives that were handed over.

    Those in `hidden` none has; of one in `since` the generations before that number have what that one has.
    """

    hidden: frozenset[str] = frozenset()
    since: tuple[tuple[str, int], ...] = ()

    def tables(self, generations: tuple[Generation, ...]) -> Mapping[int, Mapping[str, ObjectiveTable]]:
        """Return generation -> objective -> its table."""
        found = {
            each.number: {
                table.objective: table for table in each.plan.tables if table.objective not in self.hidden
            }
            for each in generations
        }
        for objective, first in self.since:
            came = found.get(first, {}).get(objective)
            for number, own in found.items():
                if number < first:
                    own.pop(objective, None)
                    if came is not None:
                        own[objective] = came
        return found


EVERYTHING = View()


def views(handovers: Handovers) -> Mapping[str, View]:
    """Return the tenants that have, had or take an objective, and what they see of it."""
    hidden: dict[str, set[str]] = {}
    since: dict[str, list[tuple[str, int]]] = {}
    for objective, each in handovers.items():
        for tenant in dict.fromkeys((*each.tenants, *each.tried)):
            if tenant != each.owner:
                hidden.setdefault(tenant, set()).add(objective)
            elif each.since:
                since.setdefault(tenant, []).append((objective, each.since))
    return {
        tenant: View(frozenset(hidden.get(tenant, ())), tuple(since.get(tenant, ())))
        for tenant in hidden.keys() | since.keys()
    }


def shared(handovers: Handovers) -> Mapping[str, tuple[str, ...]]:
    """Return objective -> all who may show something of it, where that are several; the last one counts."""
    return {name: each.tenants for name, each in handovers.items() if len(each.tenants) > 1}


Arrival = tuple[int, int]
"""The generation that something was handed over with, and the other tenant's that it came from."""


def arrivals(handovers: Handovers) -> Mapping[str, frozenset[Arrival]]:
    """Return tenant -> what was handed to it."""
    found: dict[str, set[Arrival]] = {}
    for each in handovers.values():
        if each.since:
            found.setdefault(each.owner, set()).add((each.since, each.source))
    return {tenant: frozenset(own) for tenant, own in found.items()}


def is_answerable(came: Iterable[Arrival], live: Container[int], number: int, routes: Container[int]) -> bool:
    """Say whether a sidecar that routes `routes` takes all that a tenant's generation is answered with.

    What `came` to the tenant later is answered as it came, for as long as that is live. That its sidecar must
    route, be it as the one who had it before.
    """
    return all(number >= since or (source in routes and since in live) for since, source in came)


def obstacle(lanes: Lanes, tenant: str, generations: Mapping[int, Generation]) -> Failure | None:
    """Return why what a tenant is taking can't become its own now; None when nothing is in the way.

    The owner may have changed it meanwhile, or taken its offer back; or not everybody has what it serves.
    """
    target = lanes.rollouts[tenant].target
    for each in lanes.handovers.values():
        if not target or each.taken != target:
            continue
        owner = lanes.rollouts.get(each.owner)
        if owner is None or not owner.active:
            return Failure(kind=FailureKind.OVERTAKEN)
        now = table_of(generations[owner.active], each.objective)
        if not (
            each.until
            and is_everywhere(lanes, each.owner)
            and same_table(now, table_of(generations[target], each.objective))
        ):
            return Failure(kind=FailureKind.OVERTAKEN, by=owner.active)
    return None


def is_everywhere(lanes: Lanes, tenant: str) -> bool:
    """Say whether nobody is answered from anything older than what is active of a tenant."""
    rollout = lanes.rollouts[tenant]
    return bool(rollout.active) and rollout.oldest == rollout.active


def own_tables(handovers: Handovers, generation: Generation) -> tuple[ObjectiveTable, ...]:
    """Return the tables of a generation without those of objectives that are another tenant's."""
    others = {name for name, each in handovers.items() if each.owner != generation.tenant}
    if not others:
        return generation.plan.tables
    return tuple(each for each in generation.plan.tables if each.objective not in others)


def table_of(generation: Generation, objective: str) -> ObjectiveTable | None:
    """Return an objective's table in a generation."""
    tables = generation.plan.tables  # sorted
    place = bisect_left(tables, objective, key=lambda each: each.objective)
    found = tables[place] if place < len(tables) else None
    return found if found is not None and found.objective == objective else None


def same_table(one: ObjectiveTable | None, other: ObjectiveTable | None) -> bool:
    """Say whether two tables have the same bytes: what is equal may still differ, as 1 and 1.0 do."""
    if one is other or one is None or other is None:
        return one is other
    return one == other and table_to_bytes(one) == table_to_bytes(other)
