"""The parts of what there is that single consumers take: objectives that they declare, and what these need.

To make one costs what is in it, and one that is as it was is the same object.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from lightbulb.ads.server.snapshot import EMPTY_SNAPSHOT, Resources, Snapshot, named, with_resources
from lightbulb.ads.values import (
    ACTIVE_GENERATION,
    CLUSTER,
    ENDPOINTS,
    OBJECTIVE_CONTROL,
    OBJECTIVE_TABLES,
    ROUTE,
    SCOPED_ROUTE,
    SIDECAR_STATE,
    Takes,
    active_name,
)

MAX_PARTS = 2_000
"""Different parts that are kept; the one that was asked for longest ago is made anew when it is asked for."""


@dataclass(frozen=True, slots=True)
class _Made:
    """A part, and what it was made of."""

    whole: Mapping[str, Resources]
    several: Mapping[str, tuple[str, ...]]
    part: Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Owners:
    """Whose each objective is that there is.

    Of those that go, or went, from one tenant to another there are `several` who show something of it. Who
    takes a tenant takes the objectives in `beside` too, by tenant: those that it had, or is about to have, so
    that its consumers are never without.
    """

    one: Mapping[str, str]
    several: Mapping[str, tuple[str, ...]]
    beside: Mapping[str, tuple[str, ...]]

    def of(self, objective: str) -> tuple[str, ...]:
        """Return the tenants that show an objective; none when there isn't one of that name."""
        several = self.several.get(objective)
        if several is not None:
            return several
        return (self.one[objective],) if objective in self.one else ()

    def tenants(self, takes: Takes) -> frozenset[str]:
        """Return the tenants that show something of what somebody takes, or are taken as such."""
        named = [*takes.objectives, *self._handed(takes)]
        return takes.tenants.union(*map(self.of, named))

    def taken(self, takes: Takes) -> Collection[str]:
        """Return the objectives that a consumer takes, sorted, of those that there are."""
        named = {each for each in takes.objectives if each in self.one}
        if takes.tenants:
            named.update(objective for objective, tenant in self.one.items() if tenant in takes.tenants)
            named.update(self._handed(takes))
        return sorted(named)

    def _handed(self, takes: Takes) -> Iterator[str]:
        for tenant in takes.tenants if self.beside else ():
            yield from (each for each in self.beside.get(tenant, ()) if each in self.one)


NO_OWNERS = Owners(one={}, several={}, beside={})


def by_tenant(shared: Mapping[str, tuple[str, ...]]) -> Mapping[str, tuple[str, ...]]:
    """Return tenant -> objectives, of objective -> tenants."""
    found: dict[str, list[str]] = {}
    for objective, tenants in shared.items():
        for tenant in tenants:
            found.setdefault(tenant, []).append(objective)
    return {tenant: tuple(objectives) for tenant, objectives in found.items()}


class Parts:
    """Of one kind of consumer."""

    def __init__(self) -> None:
        """Have made none yet."""
        self._made: OrderedDict[Takes, _Made] = OrderedDict()

    def of(self, whole: Snapshot, takes: Takes, owners: Owners) -> Snapshot:
        """Return the part of `whole` that a consumer takes."""
        made = self._made.pop(takes, None)
        before = EMPTY_SNAPSHOT if made is None else made.part
        if made is None or made.whole is not whole.by_type or made.several is not owners.several:
            before = _part(before, whole, takes, owners)
        same = before.stamp == whole.stamp and before.only_adds is whole.only_adds
        part = before if same else replace(before, stamp=whole.stamp, only_adds=whole.only_adds)
        self._made[takes] = _Made(whole.by_type, owners.several, part)
        if len(self._made) > MAX_PARTS:
            self._made.popitem(last=False)
        return part


def _part(before: Snapshot, whole: Snapshot, takes: Takes, owners: Owners) -> Snapshot:
    objectives = owners.taken(takes)
    routes = named(whole.of(ROUTE), objectives)
    vips = sorted({vip for route in routes for vip in route.refers})
    actives = sorted({active_name(tenant) for each in objectives for tenant in owners.of(each)})
    own = {
        CLUSTER: named(whole.of(CLUSTER), vips),
        ENDPOINTS: named(whole.of(ENDPOINTS), vips),
        SCOPED_ROUTE: named(whole.of(SCOPED_ROUTE), objectives),
        ROUTE: routes,
        OBJECTIVE_TABLES: named(whole.of(OBJECTIVE_TABLES), objectives),
        OBJECTIVE_CONTROL: named(whole.of(OBJECTIVE_CONTROL), objectives),
        SIDECAR_STATE: list(whole.of(SIDECAR_STATE).values()),
        ACTIVE_GENERATION: named(whole.of(ACTIVE_GENERATION), actives),
    }
    part = before
    for type_url in whole.by_type:
        part = with_resources(part, type_url, own[type_url])
    return part
