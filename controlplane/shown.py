"""What is shown now, as the snapshots that streams are served from.

Only what changed is rebuilt, and what didn't is the same object: a stream sees at once that there is
nothing for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from types import MappingProxyType

from controlplane.rollout.registry import Address
from controlplane.rollout.views import Layout
from controlplane.xds import resources
from controlplane.xds.listener import listener
from controlplane.xds.nodes import HostNode, Identity, LightbulbNode, SidecarNode
from controlplane.xds.snapshot import EMPTY_SNAPSHOT, Fence, Resources, Snapshot
from lightbulb.ads.values import (
    ACTIVE_GENERATION,
    CLUSTER,
    ENDPOINTS,
    LISTENER,
    LISTENER_NAME,
    MODEL_ASSIGNMENT,
    OBJECTIVE_TABLES,
    ROUTE,
    SCOPED_ROUTE,
    SIDECAR_STATE,
    Resource,
)
from lightbulb.model import ObjectiveTables, SidecarState

MAX_LISTENERS = 20_000

EVERYBODY = frozenset({"sidecar", "lightbulb", "host"})
NOBODY: frozenset[str] = frozenset()

Addresses = Mapping[str, tuple[Address, ...]]
States = Mapping[str, SidecarState]


class Views:
    """What each consumer should have. None, for one that there is nothing to show to yet."""

    def __init__(self) -> None:
        """Show nothing yet."""
        self._layout: Layout | None = None
        self._addresses: Addresses = {}
        self._states: States = {}
        self._sidecar = EMPTY_SNAPSHOT
        self._lightbulb = EMPTY_SNAPSHOT
        self._hosts: Mapping[str, Snapshot] = {}
        self._no_models = EMPTY_SNAPSHOT
        self._tables: Mapping[str, tuple[ObjectiveTables, Resource]] = {}
        self._with_listener = lru_cache(maxsize=MAX_LISTENERS)(self._add_listener)

    def show(self, layout: Layout, addresses: Addresses, states: States) -> frozenset[str]:
        """Take what is to be seen from now on; return the kinds of consumers for whom anything is new.

        Raises resources.Inconsistent, and shows on what was shown before.
        """
        before = self._layout
        if layout is before and (addresses, states) == (self._addresses, self._states):
            return NOBODY
        sidecar, lightbulb = self._sidecar, self._lightbulb
        if before is None or (layout.rules, layout.vips) != (before.rules, before.vips):
            self._show_routes(layout)
        self._sidecar = _replace(self._sidecar, ENDPOINTS, resources.endpoints(addresses))
        if layout is not before:
            self._show_layout(layout)
        if states != self._states or not self._lightbulb.by_type.keys() >= {SIDECAR_STATE}:
            self._lightbulb = _replace(self._lightbulb, SIDECAR_STATE, resources.sidecar_states(states))
        if self._sidecar is not sidecar:
            self._with_listener.cache_clear()
        self._layout, self._addresses, self._states = layout, addresses, states
        if layout is not before:
            return EVERYBODY
        changed = {"sidecar": self._sidecar is not sidecar, "lightbulb": self._lightbulb is not lightbulb}
        return frozenset(kind for kind, is_new in changed.items() if is_new)

    def of(self, consumer: Identity) -> Snapshot | None:
        """Return what a consumer should have."""
        layout = self._layout
        if layout is None:
            return None
        match consumer:
            case HostNode(shard=shard):
                # A shard that the fleet doesn't have is a shard without models.
                return self._hosts.get(shard, self._no_models)
            case LightbulbNode():
                return self._lightbulb if layout.tables else None
            case SidecarNode(address=address, port=port):
                return self._with_listener(address, port) if layout.rules else None

    def _show_routes(self, layout: Layout) -> None:
        """Build routes before anything is changed: they may be inconsistent."""
        vips = sorted(layout.vips)
        routes = resources.routes(layout.rules, vips)
        snapshot = _replace(self._sidecar, CLUSTER, resources.clusters(vips))
        snapshot = _replace(snapshot, SCOPED_ROUTE, resources.scopes(rule.objective for rule in layout.rules))
        self._sidecar = _replace(snapshot, ROUTE, routes)

    def _show_layout(self, layout: Layout) -> None:
        fence = Fence(layout.store, layout.version)
        self._sidecar = _fenced(self._sidecar, fence)
        self._no_models = _fenced(self._no_models, fence)
        self._hosts = {
            shard: _fenced(
                _replace(
                    self._hosts.get(shard, EMPTY_SNAPSHOT), MODEL_ASSIGNMENT, resources.assignments(models)
                ),
                fence,
            )
            for shard, models in layout.models.items()
        }
        snapshot = _replace(self._lightbulb, OBJECTIVE_TABLES, self._table_resources(layout))
        if layout.active is not None:
            snapshot = _replace(snapshot, ACTIVE_GENERATION, (resources.generation(layout.active),))
        self._lightbulb = _fenced(snapshot, fence)

    def _table_resources(self, layout: Layout) -> tuple[Resource, ...]:
        """Return the tables' resources; those of objectives that didn't change are the same objects."""
        known = self._tables
        self._tables = {
            tables.objective: held
            if (held := known.get(tables.objective)) is not None and _same(held[0], tables)
            else (tables, resources.objective_tables(tables))
            for tables in layout.tables
        }
        return tuple(resource for _, resource in self._tables.values())

    def _add_listener(self, address: str, port: int) -> Snapshot:
        by_type = {**self._sidecar.by_type, LISTENER: _listener(address, port)}
        return replace(self._sidecar, by_type=MappingProxyType(by_type))


def _same(one: ObjectiveTables, other: ObjectiveTables) -> bool:
    """Compare by the tables' identity: comparing all of every objective would cost more than sending one."""
    return len(one.tables) == len(other.tables) and all(
        left.since == right.since and left.table is right.table
        for left, right in zip(one.tables, other.tables, strict=True)
    )


@lru_cache(maxsize=MAX_LISTENERS)
def _listener(address: str, port: int) -> Resources:
    return MappingProxyType({LISTENER_NAME: listener(address, port)})


def _fenced(snapshot: Snapshot, fence: Fence) -> Snapshot:
    return snapshot if snapshot.fence == fence else replace(snapshot, fence=fence)


def _replace(snapshot: Snapshot, type_url: str, values: Iterable[Resource]) -> Snapshot:
    """Return `snapshot` with the resources of a type replaced; itself when they are as they were."""
    values = tuple(values)
    held = snapshot.by_type.get(type_url)
    if (
        held is not None
        and len(held) == len(values)
        and all(
            (other := held.get(each.name)) is not None and other.version == each.version for each in values
        )
    ):
        return snapshot
    return snapshot.replace(type_url, values)
