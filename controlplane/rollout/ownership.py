"""Whose a resource is: which tenants' rollouts wait for a consumer to acknowledge it. Pure, but for a memory.

An objective's routes and tables are its tenant's, and so are the clusters of its shadows. A VIP and a model
are those of all whose keys lead there, or who have it loaded. What nobody is known to own, say a listener, is
everybody's matter.

What a tenant shows that is as it was isn't looked at again, so that news of one costs what that one has.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from operator import is_

from controlplane.lifecycle.views import cluster_of
from controlplane.rollout.desired_state import DesiredState
from lightbulb.ads.values import (
    ACTIVE_GENERATION,
    CLUSTER,
    ENDPOINTS,
    MODEL_ASSIGNMENT,
    OBJECTIVE_CONTROL,
    OBJECTIVE_TABLES,
    ROUTE,
    SCOPED_ROUTE,
    active_name,
)

MAX_FORMER = 100_000
"""Names of a kind that are shown no more, and whose owner is remembered; then all of them are forgotten."""

NOBODY: frozenset[str] = frozenset()


@dataclass(slots=True)
class _Kind:
    """Names of one kind: tenant -> its own, and whose those were last that are nobody's now."""

    shown: dict[str, frozenset[str]] = field(default_factory=dict)
    former: dict[str, frozenset[str]] = field(default_factory=dict)
    found: dict[str, frozenset[str]] = field(default_factory=dict)
    """What was asked since something changed."""

    def learn(self, changed: Mapping[str, frozenset[str]]) -> None:
        """Take what some tenants show from now on."""
        lost: dict[str, frozenset[str]] = {}
        for tenant, names in changed.items():
            for name in self.shown.get(tenant, NOBODY) - names:
                lost[name] = lost.get(name, NOBODY) | {tenant}
            self.shown[tenant] = names
        if len(self.former) + len(lost) > MAX_FORMER:
            self.former.clear()
        self.former.update(lost)
        self.found.clear()

    def of(self, name: str) -> frozenset[str]:
        """Return whose a name is, or else was; nobody's when that isn't known."""
        found = self.found.get(name)
        if found is None:
            now = frozenset(tenant for tenant, names in self.shown.items() if name in names)
            found = self.found[name] = now or self.former.get(name, NOBODY)
        return found


class Ownership:
    """Knows it of what is shown, and of what was until lately: a consumer may still have to let go of it."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._shown: DesiredState | None = None
        self._parts: dict[str, tuple[object, ...]] = {}
        self._copied: Mapping[str, frozenset[str]] = {}
        self._objectives, self._vips, self._models, self._actives = (_Kind() for _ in range(4))
        self._by_type: Mapping[str, _Kind] = {
            **dict.fromkeys((OBJECTIVE_TABLES, OBJECTIVE_CONTROL, SCOPED_ROUTE, ROUTE), self._objectives),
            **dict.fromkeys((CLUSTER, ENDPOINTS), self._vips),
            MODEL_ASSIGNMENT: self._models,
            ACTIVE_GENERATION: self._actives,
        }
        self.tenants: tuple[str, ...] = ()
        """Those of which something is shown, sorted."""

    def show(self, desired: DesiredState) -> None:
        """Take what is shown from now on."""
        if desired is self._shown:
            return
        self._shown = desired
        self.tenants = tuple(desired.routed)
        if len(self.tenants) < 2:
            return
        before, self._copied = self._copied, _shadow_clusters(desired)
        changed = [tenant for tenant in {*self._parts, *self.tenants} if self._is_new(desired, tenant)]
        copied = {*before, *self._copied}
        changed += [
            tenant
            for tenant in sorted(copied.difference(changed))
            if before.get(tenant) != self._copied.get(tenant)
        ]
        if not changed:
            return
        self._objectives.learn({tenant: desired.objectives_of(tenant) for tenant in changed})
        self._vips.learn(
            {
                tenant: self._copied.get(tenant, NOBODY).union(
                    rule.vip for rule in desired.rules.get(tenant, ())
                )
                for tenant in changed
            }
        )
        self._models.learn({tenant: _models(desired, tenant) for tenant in changed})
        self._actives.learn(
            {
                tenant: frozenset({active_name(tenant)} if tenant in desired.routed else ())
                for tenant in changed
            }
        )

    def of(self, type_url: str, name: str) -> Collection[str]:
        """Return the tenants that a resource is of."""
        kind = self._by_type.get(type_url)
        return (kind.of(name) if kind is not None else NOBODY) or self.tenants

    def _is_new(self, desired: DesiredState, tenant: str) -> bool:
        """Say whether a tenant's part is another object than it was, and take it."""
        part = desired.rules.get(tenant), desired.tables.get(tenant), desired.loaded.get(tenant)
        before = self._parts.get(tenant)
        if before is not None and all(map(is_, before, part)):
            return False
        self._parts[tenant] = part
        return True


def _shadow_clusters(desired: DesiredState) -> Mapping[str, frozenset[str]]:
    """Return tenant -> the clusters of its shadows."""
    found: dict[str, frozenset[str]] = {}
    for each in desired.shadows.values():
        own = (cluster_of(shadow.id) for shadow in each.shadows)
        found[each.tenant] = found.get(each.tenant, NOBODY).union(own)
    return found


def _models(desired: DesiredState, tenant: str) -> frozenset[str]:
    placed = desired.loaded.get(tenant, {})
    return frozenset(model.id for models in placed.values() for model in models)
