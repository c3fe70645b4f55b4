"""What is shown now, as the snapshots that streams are served from.

Only what changed is rebuilt, and what didn't is the same object: a stream sees at once that there is
nothing for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import compress
from operator import is_not
from types import MappingProxyType

from controlplane.lifecycle.shadow import ByObjective
from controlplane.lifecycle.views import cluster_of, held_back, objective_control
from controlplane.planning.routing import NO_ROUTING, Routing, Target, routing
from controlplane.rollout.desired_state import DesiredState
from controlplane.rollout.registry import Address
from controlplane.xds import resources
from controlplane.xds.listener import listener
from controlplane.xds.nodes import HostNode, Identity, LightbulbNode, SidecarNode
from controlplane.xds.parts import NO_OWNERS, Owners, Parts, by_tenant
from controlplane.xds.resource_memo import ResourceMemo
from controlplane.xds.special_routes import Copying, SpecialRoute, check_special, copying
from controlplane.xds.special_routes import by_tenant as by_tenant_and_objective
from lightbulb.ads.server.snapshot import EMPTY_SNAPSHOT, Resources, Snapshot
from lightbulb.ads.values import (
    ACTIVE_GENERATION,
    CLUSTER,
    ENDPOINTS,
    LISTENER,
    LISTENER_NAME,
    MODEL_ASSIGNMENT,
    OBJECTIVE_CONTROL,
    OBJECTIVE_TABLES,
    ROUTE,
    SCOPED_ROUTE,
    SIDECAR_STATE,
    CommitStamp,
    Resource,
    Takes,
    active_name,
)
from lightbulb.model import DEFAULT_TENANT, ActiveGeneration, ModelAssignment, ObjectiveTables, SidecarState

MAX_LISTENERS = 20_000
MAX_UNKNOWN = 20
"""Objectives that somebody takes, and that there aren't, which are told."""

Targets = Mapping[str, tuple[Target, ...]]
Addresses = Mapping[str, tuple[Address, ...]]
States = Mapping[str, SidecarState]


Way = tuple[tuple[Target, ...], tuple[SpecialRoute, ...]]
"""Where an objective's keys go, and what is special."""

NO_SPECIAL: Mapping[str, tuple[SpecialRoute, ...]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class _Ways:
    """Where a tenant's keys go, and what is special, by objective."""

    targets: Targets
    special: Mapping[str, tuple[SpecialRoute, ...]]


@dataclass(frozen=True, slots=True)
class _Copies:
    """Where a shadow's copies go, and how."""

    vip: str
    copying: Copying


def _ways_by_objective(ways: _Ways) -> Mapping[str, Way]:
    return {objective: (own, ways.special.get(objective, ())) for objective, own in ways.targets.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """For whom something is new: all consumers of some kinds, and the hosts of some shards."""

    kinds: frozenset[str] = frozenset()
    shards: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.kinds or self.shards)

    @property
    def all_kinds(self) -> frozenset[str]:
        """The kinds of consumers of which there is something new for some."""
        return self.kinds | {"host"} if self.shards else self.kinds

    def includes(self, kind: str, shard: str) -> bool:
        """Say whether there is something new for a consumer of a kind; `shard` is a host's."""
        return kind in self.kinds or (kind == "host" and shard in self.shards)


EVERYBODY = Audience(kinds=frozenset({"sidecar", "lightbulb", "host"}))
NOBODY = Audience()


class SnapshotCache:
    """What each consumer should have. None, for one that there is nothing to show to yet."""

    def __init__(self) -> None:
        """Show nothing yet."""
        self._desired: DesiredState | None = None
        self._addresses: Addresses = {}
        self._states: States = {}
        self._sidecar = EMPTY_SNAPSHOT
        self._lightbulb = EMPTY_SNAPSHOT
        self._default = EMPTY_SNAPSHOT
        self._default_of: Mapping[str, Resources] = {}
        self._hosts: Mapping[str, Snapshot] = {}
        self._stamped_hosts: dict[str, Snapshot] = {}
        """Of those of `_hosts` that were asked for: a publish is news to few of many shards."""
        self._no_models = EMPTY_SNAPSHOT
        self._clusters = ResourceMemo[Copying | None](_cluster)
        self._endpoints = ResourceMemo(resources.endpoints_of)
        self._scopes = ResourceMemo[None](lambda objective, _: resources.scope(objective))
        self._routes = ResourceMemo[Way](lambda objective, way: resources.route(objective, *way))
        self._sidecar_states = ResourceMemo(resources.sidecar_state)
        self._tables = ResourceMemo[ObjectiveTables](
            lambda _, tables: resources.objective_tables(tables), _same
        )
        self._active = ResourceMemo[ActiveGeneration](lambda _, active: resources.generation(active))
        self._routing: Mapping[str, Routing] = {}
        self._shown_targets: Mapping[str, Targets] = {}
        self._ways: Mapping[str, _Ways] = {}
        self._copies: Mapping[str, _Copies] = {}
        self._owners = NO_OWNERS
        self._owned: Mapping[str, frozenset[str]] = {}
        self._parts = {"sidecar": Parts(), "lightbulb": Parts()}
        self._types_with_listener = lru_cache(maxsize=MAX_LISTENERS)(self._add_listener)
        self._with_listener = lru_cache(maxsize=MAX_LISTENERS)(self._add_stamp)

    def show(self, desired_state: DesiredState, addresses: Addresses, states: States) -> Audience:
        """Take what is to be seen from now on; return for whom there is something new.

        Raises planning.routing.Inconsistent, and shows on what was shown before.
        """
        before = self._desired
        if desired_state is before and (addresses, states) == (self._addresses, self._states):
            return NOBODY
        sidecar = self._next_sidecar(desired_state, addresses)
        lightbulb = self._next_lightbulb(desired_state, states)
        hosts = self._hosts if desired_state is before else self._next_hosts(desired_state)
        owners = self._owners if desired_state is before else self._next_owners(before, desired_state)
        audience = self._audience(desired_state, sidecar, lightbulb, hosts, owners)
        new_parts = owners.several is not self._owners.several
        if new_parts or self._sidecar.by_type is not sidecar.by_type:
            self._types_with_listener.cache_clear()
        if new_parts or self._sidecar is not sidecar:
            self._with_listener.cache_clear()
        self._desired, self._addresses, self._states = desired_state, addresses, states
        self._sidecar, self._lightbulb = sidecar, lightbulb
        if desired_state is not before:
            self._hosts, self._stamped_hosts = hosts, {}
        self._no_models = _stamped(self._no_models, desired_state)
        self._owners = owners
        return audience

    def _next_owners(self, before: DesiredState | None, desired: DesiredState) -> Owners:
        """Return whose each objective is, of all that is shown; only what changed is looked at."""
        if (
            before is not None
            and before.shared == desired.shared
            and all(
                _same_parts(*each)
                for each in ((before.tables, desired.tables), (before.rules, desired.rules))
            )
        ):
            return self._owners
        owned = {
            tenant: self._owned[tenant]
            if before is not None and _is_same_part(before, desired, tenant)
            else desired.objectives_of(tenant)
            for tenant in desired.rules.keys() | desired.tables.keys()
        }
        if before is not None and before.shared == desired.shared and owned == self._owned:
            return self._owners
        self._owned = owned
        several = {
            objective: tuple(each for each in tenants if objective in self._owned.get(each, frozenset()))
            for objective, tenants in desired.shared.items()
        }
        last, beside = self._owners, by_tenant(desired.shared)
        same = several == last.several and beside == last.beside
        return Owners(
            one={objective: tenant for tenant, own in self._owned.items() for objective in own},
            several=last.several if same else several,
            beside=last.beside if same else beside,
        )

    def unknown(self, takes: Takes) -> tuple[str, ...]:
        """Return the objectives that somebody takes and that there aren't, maybe not yet."""
        # Taken from the keys, as sets are, it would copy all of these.
        missing = (each for each in takes.objectives if each not in self._owners.one)
        return tuple(sorted(missing)[:MAX_UNKNOWN])

    def tenants(self, takes: Takes) -> frozenset[str] | None:
        """Return the tenants of what somebody takes; None for everybody's."""
        if not takes:
            return None
        return self._owners.tenants(takes)

    def of(self, consumer: Identity) -> Snapshot | None:
        """Return what a consumer should have."""
        desired_state = self._desired
        if desired_state is None:
            return None
        match consumer:
            case HostNode(shard=shard):
                return self._of_host(shard, desired_state)
            case LightbulbNode(knows_tenants=True, takes=takes) if takes:
                return self._parts["lightbulb"].of(self._lightbulb, takes, self._owners)
            case LightbulbNode(knows_tenants=True):
                return self._lightbulb if any(desired_state.tables.values()) else None
            case LightbulbNode():
                return self._without_tenants() if desired_state.tables.get(DEFAULT_TENANT) else None
            case SidecarNode():
                return self._with_listener(consumer) if any(desired_state.rules.values()) else None

    def _of_host(self, shard: str, desired_state: DesiredState) -> Snapshot:
        if shard not in self._hosts:
            return self._no_models  # a shard that the fleet doesn't have is a shard without models
        if shard not in self._stamped_hosts:
            self._stamped_hosts[shard] = _stamped(self._hosts[shard], desired_state)
        return self._stamped_hosts[shard]

    def _without_tenants(self) -> Snapshot:
        """Return what a Lightbulb is shown that knows no tenants: it takes all for the default one's."""
        desired_state, whole = self._desired, self._lightbulb
        if desired_state is None or desired_state.tables.keys() <= {DEFAULT_TENANT}:
            return whole
        same = (self._default.stamp, self._default.only_adds) == (whole.stamp, whole.only_adds)
        if not same or self._default_of is not whole.by_type:
            own = {each.objective for each in desired_state.tables[DEFAULT_TENANT]}
            active = whole.of(ACTIVE_GENERATION)
            tables = [each for name, each in whole.of(OBJECTIVE_TABLES).items() if name in own]
            self._default = _replace(self._default, OBJECTIVE_TABLES, tables)
            self._default = _replace(self._default, SIDECAR_STATE, self._sidecar_states(self._states))
            name = active_name(DEFAULT_TENANT)
            self._default = _replace(
                self._default, ACTIVE_GENERATION, [active[name]] if name in active else ()
            )
            self._default, self._default_of = _stamped(self._default, desired_state), whole.by_type
        return self._default

    def _audience(
        self,
        desired_state: DesiredState,
        sidecar: Snapshot,
        lightbulb: Snapshot,
        hosts: Mapping[str, Snapshot],
        owners: Owners,
    ) -> Audience:
        """Return for whom these are new, after what is shown now."""
        before = self._desired
        if before is None or desired_state.only_adds is not before.only_adds:
            return EVERYBODY
        # Which generations a sidecar routes is news of it even if they need no other routes.
        news = {
            "sidecar": sidecar.by_type is not self._sidecar.by_type or desired_state.routed != before.routed,
            "lightbulb": lightbulb.by_type is not self._lightbulb.by_type,
        }
        if owners.several is not self._owners.several:
            # Who takes a part may get another one, though in the whole there is nothing new.
            news = dict.fromkeys(news, True)
        return Audience(
            kinds=frozenset(kind for kind, is_new in news.items() if is_new),
            shards=_changed(self._hosts, hosts),
        )

    def _next_sidecar(self, desired_state: DesiredState, addresses: Addresses) -> Snapshot:
        before, snapshot = self._desired, self._sidecar
        if (
            before is None
            or not _same_parts(desired_state.rules, before.rules)
            or desired_state.vips != before.vips
            or desired_state.shared != before.shared
        ):
            self._shown_targets = self._all_targets(desired_state)
            scopes = self._scopes.of_parts(self._shown_targets, dict.fromkeys)
            snapshot = _replace(snapshot, SCOPED_ROUTE, scopes)
        copies = self._copies if desired_state is before else self._find_copies(desired_state)
        others = copies != self._copies
        if before is None or desired_state.vips != before.vips or others:
            clusters = dict[str, Copying | None].fromkeys(desired_state.vips)
            clusters.update((name, each.copying) for name, each in copies.items())
            snapshot = _replace(snapshot, CLUSTER, self._clusters(clusters))
        if desired_state is not before and self._find_ways(desired_state, copies):
            snapshot = _replace(snapshot, ROUTE, self._routes.of_parts(self._ways, _ways_by_objective))
        if before is None or addresses != self._addresses or others:
            # By a name of its own: Envoy asks for the endpoints of a cluster only where it has none by that
            # name, and a cluster that it doesn't ask for it waits for.
            own = {name: addresses.get(each.vip, ()) for name, each in copies.items()}
            snapshot = _replace(snapshot, ENDPOINTS, self._endpoints({**addresses, **own}))
        self._copies = copies
        return _stamped(snapshot, desired_state)

    def _find_copies(self, desired_state: DesiredState) -> Mapping[str, _Copies]:
        """Return by cluster where each shadow's copies go, of those whose key is routed."""
        found, shared = {}, self._shown_targets.get("", {})
        for objective, each in desired_state.shadows.items():
            own = shared if objective in shared else self._shown_targets.get(each.tenant, {})
            vips = dict(own.get(objective, ()))
            for shadow in each.standing:
                if shadow.key in vips:
                    found[cluster_of(shadow.id)] = _Copies(vips[shadow.key], copying(each, shadow))
        return found

    def _all_targets(self, desired_state: DesiredState) -> Mapping[str, Targets]:
        """Return by tenant where keys go; of one that is as it was, the same object."""
        vips = frozenset(desired_state.vips)
        self._routing = {
            tenant: routing(rules, vips, self._routing.get(tenant, NO_ROUTING))
            for tenant, rules in desired_state.rules.items()
        }
        # "" is nobody's name
        targets = {tenant: each.targets for tenant, each in self._routing.items()}
        return {**targets, "": self._shared_targets(desired_state, targets)}

    def _find_ways(self, desired_state: DesiredState, copies: Mapping[str, _Copies]) -> bool:
        """Find out where keys go, special ones too; say whether some part is another than it was."""
        before = self._ways
        special = by_tenant_and_objective(
            desired_state.controls, _routed(desired_state.shadows, copies), desired_state.new_defaults
        )
        shared = {objective: way for own in special.values() for objective, way in own.items()}
        for objective, routes in shared.items():
            check_special(objective, routes, copies.keys())
        ways = {}
        for tenant, targets in self._shown_targets.items():
            # Whoever has an objective that several route, the one part that counts has all of it.
            own = special.get(tenant, NO_SPECIAL) if tenant else shared
            held = before.get(tenant)
            same = held is not None and held.targets is targets and held.special == own
            ways[tenant] = held if held is not None and same else _Ways(targets, own)
        self._ways = ways
        return ways.keys() != before.keys() or any(ways[each] is not before[each] for each in ways)

    @staticmethod
    def _shared_targets(desired_state: DesiredState, targets: Mapping[str, Targets]) -> Targets:
        """Return where the keys go of objectives that several tenants route."""
        shared: dict[str, tuple[Target, ...]] = {}
        for objective, tenants in desired_state.shared.items():
            keys = [targets[each].get(objective, ()) for each in tenants if each in targets]
            if any(keys):
                # In which order the keys stand says nothing: the same ones are the same resource.
                shared[objective] = tuple(sorted({key: vip for own in keys for key, vip in own}.items()))
        return shared

    def _next_lightbulb(self, desired_state: DesiredState, states: States) -> Snapshot:
        before, snapshot = self._desired, self._lightbulb
        if before is None or states != self._states:
            snapshot = _replace(snapshot, SIDECAR_STATE, self._sidecar_states(states))
        if before is None or not _same_parts(desired_state.tables, before.tables):
            tables = self._tables.of_parts(desired_state.tables, _by_objective)
            snapshot = _replace(snapshot, OBJECTIVE_TABLES, tables)
        if before is None or (desired_state.controls, desired_state.held_back) != (
            before.controls,
            before.held_back,
        ):
            snapshot = self._with_controls(snapshot, desired_state)
        if desired_state.active or ACTIVE_GENERATION in snapshot.by_type:
            snapshot = _replace(snapshot, ACTIVE_GENERATION, self._active(desired_state.active))
        return _stamped(snapshot, desired_state)

    @staticmethod
    def _with_controls(snapshot: Snapshot, desired_state: DesiredState) -> Snapshot:
        """Return it with what operators decided; that there is a type of that name only if there ever was."""
        shown = [
            each
            for each in (
                *map(objective_control, desired_state.controls.values()),
                *map(held_back, desired_state.held_back.values()),
            )
            if each is not None
        ]
        if not shown and OBJECTIVE_CONTROL not in snapshot.by_type:
            return snapshot
        return _replace(snapshot, OBJECTIVE_CONTROL, map(resources.objective_control, shown))

    def _next_hosts(self, desired_state: DesiredState) -> Mapping[str, Snapshot]:
        shown = self._desired.models if self._desired is not None else {}
        return {
            shard: self._hosts[shard] if shown.get(shard) is models else self._next_host(shard, models)
            for shard, models in desired_state.models.items()
        }

    def _next_host(self, shard: str, models: Iterable[ModelAssignment]) -> Snapshot:
        held = self._hosts.get(shard, EMPTY_SNAPSHOT)
        return _replace(held, MODEL_ASSIGNMENT, resources.assignments(models))

    def _add_listener(self, sidecar: SidecarNode) -> Mapping[str, Resources]:
        by_type = self._taken_by(sidecar).by_type
        return MappingProxyType(
            {**by_type, LISTENER: _listener(sidecar.address, sidecar.port, sidecar.client)}
        )

    def _add_stamp(self, sidecar: SidecarNode) -> Snapshot:
        return replace(self._sidecar, by_type=self._types_with_listener(sidecar))

    def _taken_by(self, sidecar: SidecarNode) -> Snapshot:
        takes = sidecar.takes
        return self._parts["sidecar"].of(self._sidecar, takes, self._owners) if takes else self._sidecar


def _cluster(name: str, copies: Copying | None) -> Resource:
    """Return a VIP's cluster, or the one that a shadow's copies go to."""
    return resources.cluster(name) if copies is None else resources.shadow_cluster(name, copies)


def _routed(shadows: ByObjective, copies: Mapping[str, _Copies]) -> ByObjective:
    """Return those shadows that have a cluster."""
    return {
        objective: replace(each, shadows=tuple(one for one in each.standing if cluster_of(one.id) in copies))
        for objective, each in shadows.items()
    }


def _by_objective(tables: tuple[ObjectiveTables, ...]) -> Mapping[str, ObjectiveTables]:
    return {each.objective: each for each in tables}


def _changed(old: Mapping[str, Snapshot], new: Mapping[str, Snapshot]) -> frozenset[str]:
    """Return the shards whose hosts have other models to load."""
    return frozenset(
        shard
        for shard in old.keys() | new.keys()
        if old.get(shard, EMPTY_SNAPSHOT).by_type is not new.get(shard, EMPTY_SNAPSHOT).by_type
    )


def _is_same_part(one: DesiredState, other: DesiredState, tenant: str) -> bool:
    return all(
        tenant in before and before[tenant] is now.get(tenant)
        for before, now in ((one.tables, other.tables), (one.rules, other.rules))
    )


def _same_parts(one: Mapping[str, object], other: Mapping[str, object]) -> bool:
    """Say whether every tenant's part is the object that it was."""
    return one.keys() == other.keys() and all(one[tenant] is other[tenant] for tenant in one)


def _same(one: ObjectiveTables, other: ObjectiveTables) -> bool:
    """Compare by identity: to make a resource again costs less than to compare all tables of every objective.

    It is equal then, so nobody is sent it.
    """
    same = one.tenant == other.tenant and len(one.tables) == len(other.tables)
    return same and all(
        left.since == right.since and left.table is right.table
        for left, right in zip(one.tables, other.tables, strict=True)
    )


@lru_cache(maxsize=MAX_LISTENERS)
def _listener(address: str, port: int, client: str) -> Resources:
    return MappingProxyType({LISTENER_NAME: listener(address, port, client)})


def _stamped(snapshot: Snapshot, desired_state: DesiredState) -> Snapshot:
    stamp, only_adds = CommitStamp(desired_state.store, desired_state.version), desired_state.only_adds
    if snapshot.stamp == stamp and snapshot.only_adds is only_adds:
        return snapshot
    return replace(snapshot, stamp=stamp, only_adds=only_adds)


def _replace(snapshot: Snapshot, type_url: str, values: Iterable[Resource]) -> Snapshot:
    """Return `snapshot` with the resources of a type replaced; itself when they are as they were."""
    values = tuple(values)
    held = snapshot.by_type.get(type_url)
    if held is not None and len(held) == len(values):
        # Nearly all are the very same, in the same order; of the others the version counts.
        others = compress(values, map(is_not, values, held.values()))
        if all(
            (other := held.get(each.name)) is not None and other.version == each.version for each in others
        ):
            return snapshot
    return snapshot.replace(type_url, values)
