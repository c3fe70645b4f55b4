"""Whose a resource is: which tenants' rollouts wait for a consumer to acknowledge it. Pure, but for a memory.

An objective's routes and tables are its tenant's. A VIP and a model are those of all whose keys lead there,
or who have it loaded. What nobody is known to own, say a listener, is everybody's matter.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from controlplane.rollout.desired_state import DesiredState
from lightbulb.ads.values import (
    ACTIVE_GENERATION,
    CLUSTER,
    ENDPOINTS,
    MODEL_ASSIGNMENT,
    OBJECTIVE_TABLES,
    ROUTE,
    SCOPED_ROUTE,
    active_name,
)
from lightbulb.model import ModelAssignment

MAX_FORMER = 100_000
"""Names that are shown no more, and whose owner is remembered; then all of them are forgotten."""

Owners = Mapping[str, frozenset[str]]
"""Name of a resource -> the tenants that it is of."""


class Ownership:
    """Knows it of what is shown, and of what was until lately: a consumer may still have to let go of it."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._shown: DesiredState | None = None
        self._by_type: Final[dict[str, dict[str, frozenset[str]]]] = {}
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
        objectives, vips, models = _owners(desired)
        for type_url in (OBJECTIVE_TABLES, SCOPED_ROUTE, ROUTE):
            self._learn(type_url, objectives)
        for type_url in (CLUSTER, ENDPOINTS):
            self._learn(type_url, vips)
        self._learn(MODEL_ASSIGNMENT, models)
        self._learn(ACTIVE_GENERATION, {active_name(each): frozenset({each}) for each in self.tenants})

    def of(self, type_url: str, name: str) -> Collection[str]:
        """Return the tenants that a resource is of."""
        return self._by_type.get(type_url, {}).get(name) or self.tenants

    def _learn(self, type_url: str, owners: Owners) -> None:
        known = self._by_type.setdefault(type_url, {})
        if len(known) > len(owners) + MAX_FORMER:
            known.clear()
        known.update(owners)


def _owners(desired: DesiredState) -> tuple[Owners, Owners, Owners]:
    """Return whose each objective, VIP and model is."""
    objectives: dict[str, frozenset[str]] = {}
    vips: dict[str, frozenset[str]] = {}
    for tenant, rules in desired.rules.items():
        own = frozenset({tenant})
        objectives.update({rule.objective: own for rule in rules})
        _join(vips, {rule.vip for rule in rules}, own)
    for tenant, tables in desired.tables.items():
        objectives.update({each.objective: frozenset({tenant}) for each in tables})
    models: dict[str, frozenset[str]] = {}
    for tenant, placed in desired.loaded.items():
        _join(models, _ids(placed), frozenset({tenant}))
    return objectives, vips, models


def _join(owners: dict[str, frozenset[str]], names: Collection[str], own: frozenset[str]) -> None:
    for name in names:
        owners[name] = owners.get(name, frozenset()) | own


def _ids(placed: Mapping[str, tuple[ModelAssignment, ...]]) -> Collection[str]:
    return {model.id for models in placed.values() for model in models}
