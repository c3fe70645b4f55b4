"""What is shown now, as the snapshots that streams are served from.

Only what changed is rebuilt, and what didn't is the same object: a stream sees at once that there is
nothing for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
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
from lightbulb.model import ModelAssignment, ObjectiveTables, SidecarState

MAX_LISTENERS = 20_000

Addresses = Mapping[str, tuple[Address, ...]]
States = Mapping[str, SidecarState]


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """For whom something is new: all consumers of some kinds, and the hosts of some shards."""

    kinds: frozenset[str] = frozenset()
    shards: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.kinds or self.shards)

    def includes(self, kind: str, shard: str) -> bool:
        """Say whether there is something new for a consumer of a kind; `shard` is a host's."""
        return kind in self.kinds or (kind == "host" and shard in self.shards)


EVERYBODY = Audience(kinds=frozenset({"sidecar", "lightbulb", "host"}))
NOBODY = Audience()


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
        self._types_with_listener = lru_cache(maxsize=MAX_LISTENERS)(self._add_listener)
        self._with_listener = lru_cache(maxsize=MAX_LISTENERS)(self._add_fence)

    def show(self, layout: Layout, addresses: Addresses, states: States) -> Audience:
        """Take what is to be seen from now on; return for whom there is something new.

        Raises resources.Inconsistent, and shows on what was shown before.
        """
        before = self._layout
        if layout is before and (addresses, states) == (self._addresses, self._states):
            return NOBODY
        sidecar, lightbulb, hosts = self._sidecar, self._lightbulb, self._hosts
        if before is None or layout.rules is not before.rules or layout.vips != before.vips:
            self._show_routes(layout)
        if before is None or addresses != self._addresses:
            self._sidecar = _replace(self._sidecar, ENDPOINTS, resources.endpoints(addresses))
        if before is None or states != self._states:
            self._lightbulb = _replace(self._lightbulb, SIDECAR_STATE, resources.sidecar_states(states))
        if layout is not before:
            self._show_layout(layout, before)
        if self._sidecar.by_type is not sidecar.by_type:
            self._types_with_listener.cache_clear()
        if self._sidecar is not sidecar:
            self._with_listener.cache_clear()
        self._layout, self._addresses, self._states = layout, addresses, states
        if before is None:
            return EVERYBODY
        # Which generations a sidecar routes is news of it even if they need no other routes.
        news = {
            "sidecar": self._sidecar.by_type is not sidecar.by_type or layout.routed != before.routed,
            "lightbulb": self._lightbulb.by_type is not lightbulb.by_type,
        }
        return Audience(
            kinds=frozenset(kind for kind, is_new in news.items() if is_new),
            shards=_changed(hosts, self._hosts),
        )

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

    def _show_layout(self, layout: Layout, before: Layout | None) -> None:
        fence = Fence(layout.store, layout.version)
        self._sidecar = _fenced(self._sidecar, fence)
        self._no_models = _fenced(self._no_models, fence)
        shown = before.models if before is not None else {}
        self._hosts = {
            shard: _fenced(
                self._hosts[shard] if shown.get(shard) is models else self._host(shard, models), fence
            )
            for shard, models in layout.models.items()
        }
        snapshot = self._lightbulb
        if before is None or layout.tables is not before.tables:
            snapshot = _replace(snapshot, OBJECTIVE_TABLES, self._table_resources(layout))
        if layout.active is not None:
            snapshot = _replace(snapshot, ACTIVE_GENERATION, (resources.generation(layout.active),))
        self._lightbulb = _fenced(snapshot, fence)

    def _host(self, shard: str, models: Iterable[ModelAssignment]) -> Snapshot:
        held = self._hosts.get(shard, EMPTY_SNAPSHOT)
        return _replace(held, MODEL_ASSIGNMENT, resources.assignments(models))

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

    def _add_listener(self, address: str, port: int) -> Mapping[str, Resources]:
        return MappingProxyType({**self._sidecar.by_type, LISTENER: _listener(address, port)})

    def _add_fence(self, address: str, port: int) -> Snapshot:
        return Snapshot(self._types_with_listener(address, port), self._sidecar.fence)


def _changed(old: Mapping[str, Snapshot], new: Mapping[str, Snapshot]) -> frozenset[str]:
    """Return the shards whose hosts have other models to load."""
    return frozenset(
        shard
        for shard in old.keys() | new.keys()
        if old.get(shard, EMPTY_SNAPSHOT).by_type is not new.get(shard, EMPTY_SNAPSHOT).by_type
    )


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
