"""Routing rules by objective, and what no sidecar could serve of them. Pure, and without anything of Envoy's.

A publish asks this before anything is stored, and `xds` before it makes Envoy's routes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from controlplane.model import RoutingRule
from lightbulb.model import KEY_SEPARATOR

_KEY = re.compile(r"[A-Za-z0-9._-]+\|[A-Za-z0-9._-]+\|[A-Za-z0-9._-]+")

Target = tuple[str, str]
"""Routing key and VIP."""


class Inconsistent(ValueError):
    """A plan that a sidecar could not serve: a bad key, one with two VIPs, or a VIP without a cluster."""


def targets_by_objective(
    rules: Iterable[RoutingRule], vips: Iterable[str]
) -> Mapping[str, tuple[Target, ...]]:
    """Return objective -> where each of its keys goes, all sorted.

    Raises Inconsistent with every rule that Envoy would refuse, or would send nowhere: one bad key
    makes it refuse the whole RouteConfiguration, and it doesn't say which.
    """
    by_objective: dict[str, list[Target]] = {}
    for rule in rules:
        by_objective.setdefault(rule.objective, []).append((rule.key, rule.vip))
    targets = {objective: tuple(sorted(by_objective[objective])) for objective in sorted(by_objective)}
    known = frozenset(vips)
    problems = [problem for objective, own in targets.items() for problem in _problems(objective, own, known)]
    if problems:
        raise Inconsistent("; ".join(problems))
    return targets


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
