"""The parts of what there is that single consumers take: objectives that they declare, and what these need.

To make one costs what is in it, and one that is as it was is the same object.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from lightbulb.ads.server.snapshot import EMPTY_SNAPSHOT, NO_RESOURCES, Resources, Snapshot
from lightbulb.ads.values import (
    ACTIVE_GENERATION,
    CLUSTER,
    ENDPOINTS,
    OBJECTIVE_TABLES,
    ROUTE,
    SCOPED_ROUTE,
    SIDECAR_STATE,
    Resource,
    Takes,
    active_name,
)

MAX_PARTS = 2_000
"""Different parts that are kept; the one that was asked for longest ago is made anew when it is asked for."""


@dataclass(frozen=True, slots=True)
class _Made:
    """A part, and what it was made of."""

    whole: Mapping[str, Resources]
    part: Snapshot


class Parts:
    """Of one kind of consumer. `owners` is objective -> tenant, of all there is."""

    def __init__(self) -> None:
        """Have made none yet."""
        self._made: OrderedDict[Takes, _Made] = OrderedDict()

    def of(self, whole: Snapshot, takes: Takes, owners: Mapping[str, str]) -> Snapshot:
        """Return the part of `whole` that a consumer takes."""
        made = self._made.pop(takes, None)
        before = EMPTY_SNAPSHOT if made is None else made.part
        if made is None or made.whole is not whole.by_type:
            before = _part(before, whole, takes, owners)
        same = before.stamp == whole.stamp and before.only_adds is whole.only_adds
        part = before if same else replace(before, stamp=whole.stamp, only_adds=whole.only_adds)
        self._made[takes] = _Made(whole.by_type, part)
        if len(self._made) > MAX_PARTS:
            self._made.popitem(last=False)
        return part


def taken(takes: Takes, owners: Mapping[str, str]) -> Collection[str]:
    """Return the objectives that a consumer takes, sorted, of those that there are."""
    named = {each for each in takes.objectives if each in owners}
    if takes.tenants:
        named.update(objective for objective, tenant in owners.items() if tenant in takes.tenants)
    return sorted(named)


def _part(before: Snapshot, whole: Snapshot, takes: Takes, owners: Mapping[str, str]) -> Snapshot:
    objectives = taken(takes, owners)
    routes = _named(whole.of(ROUTE), objectives)
    vips = sorted({vip for route in routes for vip in route.refers})
    actives = sorted({active_name(owners[each]) for each in objectives})
    own = {
        CLUSTER: _named(whole.of(CLUSTER), vips),
        ENDPOINTS: _named(whole.of(ENDPOINTS), vips),
        SCOPED_ROUTE: _named(whole.of(SCOPED_ROUTE), objectives),
        ROUTE: routes,
        OBJECTIVE_TABLES: _named(whole.of(OBJECTIVE_TABLES), objectives),
        SIDECAR_STATE: list(whole.of(SIDECAR_STATE).values()),
        ACTIVE_GENERATION: _named(whole.of(ACTIVE_GENERATION), actives),
    }
    part = before
    for type_url in whole.by_type:
        part = _replaced(part, type_url, own[type_url])
    return part


def _named(resources: Resources, names: Iterable[str]) -> list[Resource]:
    return [resources[name] for name in names if name in resources]


def _replaced(part: Snapshot, type_url: str, resources: list[Resource]) -> Snapshot:
    """Return a part with other resources of a type; itself when they are as they were."""
    held = part.by_type.get(type_url, NO_RESOURCES)
    same = len(held) == len(resources) and all(held.get(each.name) is each for each in resources)
    return part if same and type_url in part.by_type else part.replace(type_url, resources)
