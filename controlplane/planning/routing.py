"""Routing rules by objective, and what no sidecar could serve of them. Pure, and without anything of Envoy's.

A publish asks this before anything is stored, and `xds` before it makes Envoy's routes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

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


def _problems(objective: str, targets: tuple[Target, ...], vips: frozenset[str]) -> Iterable[str]:
    seen: dict[str, str] = {}
    for key, vip in targets:
        if not _KEY.fullmatch(key) or key.partition(KEY_SEPARATOR)[0] != objective:
            yield f"{key!r} is not a routing key of {objective}"
        if seen.setdefault(key, vip) != vip:
            yield f"{key} goes to both {seen[key]} and {vip}"
        if vip not in vips:
            yield f"{key}: no cluster for VIP {vip!r}"
