"""Routing rules by objective, and what no sidecar could serve of them. Pure, and without anything of Envoy's.

A publish asks this before anything is stored, and `xds` before it makes Envoy's routes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from controlplane.model import RoutingRule
from lightbulb.model import KEY_SEPARATOR

_KEY = re.compile(r"[A-Za-z0-9._-]+\|[A-Za-z0-9._-]+\|[A-Za-z0-9._-]+")

Target = tuple[str, str]
"""Routing key and VIP."""


class Inconsistent(ValueError):
    """A plan that a sidecar could not serve: a bad key, one with two VIPs, or a VIP without a cluster."""


@dataclass(frozen=True, slots=True)
class Routing:
    """Rules by objective, and where each of its keys goes; `of` all rules, which lead to some of `vips`."""

    of: Iterable[RoutingRule]
    vips: frozenset[str]
    rules: Mapping[str, Sequence[RoutingRule]]
    targets: Mapping[str, tuple[Target, ...]]


NO_ROUTING = Routing((), frozenset(), {}, {})


def routing(rules: Iterable[RoutingRule], vips: Iterable[str], before: Routing = NO_ROUTING) -> Routing:
    """Return rules by objective, all sorted. What is as it was `before` isn't looked at again.

    Raises as `targets_by_objective`.
    """
    known = frozenset(vips)
    if not before.vips <= known:
        before = NO_ROUTING
    elif before.of is rules:
        return before
    by_objective: dict[str, list[RoutingRule]] = {}
    for rule in rules:
        by_objective.setdefault(rule.objective, []).append(rule)
    targets: dict[str, tuple[Target, ...]] = {}
    problems: list[str] = []
    for objective in sorted(by_objective):
        own = by_objective[objective]
        if own == before.rules.get(objective):
            targets[objective] = before.targets[objective]
        else:
            targets[objective] = tuple(sorted((rule.key, rule.vip) for rule in own))
            problems += _problems(objective, targets[objective], known)
    if problems:
        raise Inconsistent("; ".join(problems))
    return Routing(rules, known, by_objective, targets)


def targets_by_objective(
    rules: Iterable[RoutingRule], vips: Iterable[str]
) -> Mapping[str, tuple[Target, ...]]:
    """Return objective -> where each of its keys goes, all sorted.

    Raises Inconsistent with every rule that Envoy would refuse, or would send nowhere: one bad key
    makes it refuse the whole RouteConfiguration, and it doesn't say which.
    """
    return routing(rules, vips).targets


def check_routes(rules: Sequence[RoutingRule], vips: Iterable[str]) -> None:
    """Raise Inconsistent where `targets_by_objective` does."""
    known = frozenset(vips)
    once = len({rule.key for rule in rules}) == len(rules)
    if not (once and {rule.vip for rule in rules} <= known and all(map(_is_well_named, rules))):
        targets_by_objective(rules, known)


def _is_well_named(rule: RoutingRule) -> bool:
    key = rule.key
    return _KEY.fullmatch(key) is not None and key.startswith(rule.objective + KEY_SEPARATOR)


def _problems(objective: str, targets: tuple[Target, ...], vips: frozenset[str]) -> Iterable[str]:
    seen: dict[str, str] = {}
    for key, vip in targets:
        if not _is_well_named(RoutingRule(objective=objective, key=key, vip=vip)):
            yield f"{key!r} is not a routing key of {objective}"
        if seen.setdefault(key, vip) != vip:
            yield f"{key} goes to both {seen[key]} and {vip}"
        if vip not in vips:
            yield f"{key}: no cluster for VIP {vip!r}"
