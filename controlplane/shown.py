"""What is shown now, as the snapshots that streams are served from.

Only what changed is rebuilt, and what didn't is the same object: a stream sees at once that there is
nothing for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from controlplane.model import RoutingRule
from controlplane.rollout.activation import Generation
from controlplane.rollout.views import Address, ModelsByShard
from controlplane.xds import resources
from controlplane.xds.listener import LISTENER_NAME, listener
from controlplane.xds.nodes import Consumer, HostNode, LightbulbNode, SidecarNode
from controlplane.xds.snapshot import EMPTY_SNAPSHOT, Resources, Snapshot
from lightbulb.ads.values import (
    ACTIVE_GENERATION,
    CLUSTER,
    ENDPOINTS,
    LISTENER,
    MODEL_ASSIGNMENT,
    OBJECTIVE_TABLES,
    ROUTE,
    SCOPED_ROUTE,
    Resource,
)
from lightbulb.model import ActiveGeneration

MAX_LISTENERS = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """Everything that consumers are to see. `active` is None before the first generation is."""

    rules: tuple[RoutingRule, ...]
    vips: tuple[str, ...]
    addresses: Mapping[str, tuple[Address, ...]]
    models: ModelsByShard
    active: Generation | None


class Views:
    """What each consumer should have. None, for one that there is nothing to show to yet."""

    def __init__(self) -> None:
        """Show nothing yet."""
        self._shown: Shown | None = None
        self._sidecar = EMPTY_SNAPSHOT
        self._lightbulb = EMPTY_SNAPSHOT
        self._hosts: Mapping[str, Snapshot] = {}
        self._with_listener = lru_cache(maxsize=MAX_LISTENERS)(self._add_listener)

    def show(self, shown: Shown) -> bool:
        """Take what is to be seen from now on; return whether anything is new.

        Raises resources.Inconsistent, and shows on what was shown before.
        """
        before, routes, sidecar = self._shown, None, self._sidecar
        if shown == before:
            return False
        if before is None or (shown.rules, shown.vips) != (before.rules, before.vips):
            routes = resources.routes(shown.rules, shown.vips)
        self._shown = shown
        if routes is not None:
            self._show_routes(shown, routes)
        self._sidecar = _replace(self._sidecar, ENDPOINTS, resources.endpoints(shown.addresses))
        if self._sidecar is not sidecar:
            self._with_listener.cache_clear()
        if before is None or shown.models is not before.models:
            self._hosts = {
                shard: _replace(
                    self._hosts.get(shard, EMPTY_SNAPSHOT), MODEL_ASSIGNMENT, resources.assignments(models)
                )
                for shard, models in shown.models.items()
            }
        if shown.active is not None and (before is None or shown.active is not before.active):
            self._show_tables(shown.active)
        return True

    def of(self, consumer: Consumer) -> Snapshot | None:
        """Return what a consumer should have."""
        shown = self._shown
        if shown is None:
            return None
        match consumer:
            case HostNode(shard=shard):
                # A shard that the fleet doesn't have is a shard without models.
                return self._hosts.get(shard, EMPTY_SNAPSHOT)
            case LightbulbNode():
                return self._lightbulb if shown.active is not None else None
            case SidecarNode(address=address, port=port):
                ready = shown.active is not None or shown.rules
                return self._with_listener(address, port) if ready else None

    def _show_routes(self, shown: Shown, routes: tuple[Resource, ...]) -> None:
        snapshot = _replace(self._sidecar, CLUSTER, resources.clusters(shown.vips))
        snapshot = _replace(snapshot, SCOPED_ROUTE, resources.scopes(rule.objective for rule in shown.rules))
        self._sidecar = _replace(snapshot, ROUTE, routes)

    def _show_tables(self, active: Generation) -> None:
        number = ActiveGeneration(number=active.number, content_hash=active.content_hash)
        snapshot = _replace(self._lightbulb, OBJECTIVE_TABLES, resources.tables(active.plan.tables))
        self._lightbulb = _replace(snapshot, ACTIVE_GENERATION, (resources.generation(number),))

    def _add_listener(self, address: str, port: int) -> Snapshot:
        by_type = {**self._sidecar.by_type, LISTENER: _listener(address, port)}
        return Snapshot(MappingProxyType(by_type))


@lru_cache(maxsize=MAX_LISTENERS)
def _listener(address: str, port: int) -> Resources:
    return MappingProxyType({LISTENER_NAME: listener(address, port)})


def _replace(snapshot: Snapshot, type_url: str, values: Iterable[Resource]) -> Snapshot:
    """Return `snapshot` with the resources of a type replaced; itself when they are as they were."""
    values = tuple(values)
    held = snapshot.of(type_url)
    if len(held) == len(values) and all(
        (other := held.get(each.name)) is not None and other.version == each.version for each in values
    ):
        return snapshot
    return snapshot.replace(type_url, values)
