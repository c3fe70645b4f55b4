"""What sidecars are shown in a benchmark: objectives, so many keys each, on some VIPs. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from controlplane.lifecycle.shadow import Shadow, Shadowed
from controlplane.lifecycle.views import cluster_of
from controlplane.model import RoutingRule
from controlplane.planning.routing import targets_by_objective
from controlplane.xds import resources
from controlplane.xds.special_routes import SpecialRoute, copying, special_routes
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


def make_world(  # noqa: PLR0913 - what a world may be like
    *,
    objectives: int,
    keys: int,
    vips: Mapping[str, tuple[str, int]],
    moved: tuple[int, int] = (0, 0),
    special: int = 0,
    shadows: Sequence[int] = (),
) -> Snapshot:
    """Return a sidecar's snapshot without its listener: `keys` per objective, `vips` name -> address.

    `moved` says by how many VIPs the first objective's keys have gone on, and those of all the others. The
    first has so many `special` routes, and `shadows` of so many basis points of the key that has none.
    """
    addresses = {vip: ((address, port),) for vip, (address, port) in vips.items()}
    rules = tuple(_rules(objectives, keys, tuple(vips), moved))
    shadowed = _shadowed(shadows)
    copied = {cluster_of(each.id): copying(shadowed, each) for each in shadowed.standing}
    addresses |= dict.fromkeys(copied, next(iter(addresses.values())))
    ways = (*_special(special, keys), *special_routes(None, shadowed))
    clusters = [resources.shadow_cluster(name, each) for name, each in copied.items()]
    snapshot = EMPTY_SNAPSHOT.replace(CLUSTER, [*resources.clusters(vips), *clusters])
    snapshot = snapshot.replace(ENDPOINTS, resources.endpoints(addresses))
    snapshot = snapshot.replace(SCOPED_ROUTE, resources.scopes(rule.objective for rule in rules))
    routes = [
        resources.route(name, targets, ways if name == objective(0) else ())
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


def _shadowed(shares: Sequence[int]) -> Shadowed:
    shadows = tuple(
        Shadow(number=number, key=key(0, number), basis_points=share, entered=0.0)
        for number, share in enumerate(shares)
    )
    return Shadowed(objective=objective(0), primary=key(0, UNSPECIAL), deadline=1.0, shadows=shadows)
