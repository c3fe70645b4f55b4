"""What sidecars are shown in a benchmark: objectives, so many keys each, on some VIPs. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from controlplane.model import RoutingRule
from controlplane.planning.routing import targets_by_objective
from controlplane.xds import resources
from controlplane.xds.special_routes import SpecialRoute
from lightbulb.ads.server.snapshot import EMPTY_SNAPSHOT, Snapshot
from lightbulb.ads.values import CLUSTER, ENDPOINTS, ROUTE, SCOPED_ROUTE
from lightbulb.model import routing_key

UNSPECIAL = 5
"""The number of a key of the first objective that has no special route."""

WIDTH = 6
"""Digits, so that every name is as long as every other."""


def objective(number: int) -> str:
    return f"Objective{number:0{WIDTH}}"


def key(objective_number: int, number: int) -> str:
    return routing_key(objective(objective_number), f"model-{number:0{WIDTH}}", "1")


def _rules(
    objectives: int, keys: int, vips: tuple[str, ...], moved: tuple[int, int]
) -> Iterator[RoutingRule]:
    first, others = moved
    for one in range(objectives):
        shift = others if one else first
        for number in range(keys):
            vip = vips[(number + shift) % len(vips)]
            yield RoutingRule(objective=objective(one), key=key(one, number), vip=vip)


def make_world(
    *,
    objectives: int,
    keys: int,
    vips: Mapping[str, tuple[str, int]],
    moved: tuple[int, int] = (0, 0),
    special: int = 0,
) -> Snapshot:
    """Return a sidecar's snapshot without its listener: `keys` per objective, `vips` name -> address.

    `moved` says by how many VIPs the first objective's keys have gone on, and those of all the others. The
    first has so many `special` routes.
    """
    addresses = {vip: ((address, port),) for vip, (address, port) in vips.items()}
    rules = tuple(_rules(objectives, keys, tuple(vips), moved))
    snapshot = EMPTY_SNAPSHOT.replace(CLUSTER, resources.clusters(vips))
    snapshot = snapshot.replace(ENDPOINTS, resources.endpoints(addresses))
    snapshot = snapshot.replace(SCOPED_ROUTE, resources.scopes(rule.objective for rule in rules))
    routes = [
        resources.route(name, targets, _special(special, keys) if name == objective(0) else ())
        for name, targets in targets_by_objective(rules, vips).items()
    ]
    return snapshot.replace(ROUTE, routes)


def special_name(number: int) -> str:
    return f"special-{number}"


def _special(count: int, keys: int) -> tuple[SpecialRoute, ...]:
    """Return special routes, each of an arm of its own, of any key but one."""
    others = [number for number in range(keys) if number != UNSPECIAL]
    return tuple(
        SpecialRoute(
            name=special_name(number), key=key(0, others[number % len(others)]), arm=special_name(number)
        )
        for number in range(count)
    )
