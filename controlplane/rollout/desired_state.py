"""What each kind of consumer is desired in each state of a rollout. Pure, and the same at every replica."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, repeat
from operator import attrgetter, is_
from sys import getsizeof
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from controlplane.lifecycle.shadow import NOTHING_SHADOWED, ByObjective
from controlplane.lifecycle.state import (
    NO_CONTROLS,
    NO_HOLD_BACKS,
    NO_NEW_DEFAULTS,
    Controls,
    HoldBacks,
    NewDefaults,
)
from controlplane.model import RoutingRule
from controlplane.rollout.lanes import Lanes
from controlplane.rollout.registry import Address, Consumer
from controlplane.rollout.state import Generation, Policy, Rollout
from controlplane.rollout.taking import (
    EVERYTHING,
    Arrival,
    View,
    arrivals,
    is_answerable,
    same_table,
    shared,
    views,
)
from lightbulb.memo import Memo
from lightbulb.model import (
    DEFAULT_TENANT,
    NO_GENERATION,
    ActiveGeneration,
    ModelAssignment,
    ObjectiveTable,
    ObjectiveTables,
    SidecarState,
    TableSince,
)

ModelsByShard = Mapping[str, tuple[ModelAssignment, ...]]
Distinct = tuple[tuple[ModelAssignment, ...], ...]
Placed = Mapping[str, Distinct]
"""Shard -> what generations place on it, each object once."""

Generations = Mapping[int, Generation]

MAX_COVERS_BYTES = 32 * 1024 * 1024
"""For remembering which hosts have loaded all: a thousand hosts' names of a hundred models."""

NOTHING_SHARED: Mapping[str, tuple[str, ...]] = MappingProxyType({})
NOTHING_LOADED: ModelsByShard = MappingProxyType({})
NOTHING_PLACED: Placed = MappingProxyType({})

T = TypeVar("T")
_KEY = attrgetter("key")


class Recent:
    """What was made of generations lately: each step of a rollout makes only what it changes.

    Up to MAX products a tenant, and none of a generation that is needed no more. A lane that is as it was
    isn't gone through again. For one thread at a time.
    """

    MAX = 24

    def __init__(self) -> None:
        """Remember nothing yet."""
        self._lanes: Mapping[str, _Lane] = {}
        self._vips: tuple[tuple[Mapping[str, str], ...], Mapping[str, str]] = (), {}
        self._made: dict[tuple[object, tuple[Generation, ...]], Any] = {}
        self._known: frozenset[int] = frozenset()
        self._merged = ByShard(merged)
        self._needed = ByShard(_ids)

    def made(self, make: Callable[[tuple[Generation, ...]], T], of: tuple[Generation, ...]) -> T:
        """Return what `make` returns, the same object as before while it is remembered."""
        key = make, of
        product: T = self._made.pop(key) if key in self._made else make(of)
        self._made[key] = product  # the one that was asked for last stands last
        return product

    def forget(self, needed: Collection[Generation]) -> None:
        """Drop what was made of others than `needed`, and what was asked for longest ago."""
        known = frozenset(map(id, needed))
        most = self.MAX * len({each.tenant for each in needed})
        if known == self._known and len(self._made) <= most:
            return  # what was made since is of these
        self._known = known
        kept = [each for each in self._made.items() if known.issuperset(map(id, each[0][1]))]
        self._made = dict(kept[max(0, len(kept) - most) :])

    def lanes(self, lanes: Lanes, generations: Generations, store: str) -> Mapping[str, _Lane]:
        """Return what each lane shows; of one whose rollout is the very same, what it showed."""
        before, seen = self._lanes, views(lanes.handovers)
        self._lanes = {}
        for tenant, rollout in lanes:
            view, held = seen.get(tenant, EVERYTHING), before.get(tenant)
            numbers = dict.fromkeys((*rollout.loaded, rollout.target, rollout.active))
            own = {number: generations[number] for number in numbers if number}
            same = held is not None and held.rollout is rollout and held.view == view and held.own == own
            self._lanes[tenant] = held if held and same else self._lane(rollout, view, own, store, held)
        return self._lanes

    def _lane(
        self, rollout: Rollout, view: View, own: Generations, store: str, before: _Lane | None
    ) -> _Lane:
        def those(numbers: Iterable[int]) -> tuple[Generation, ...]:
            return tuple(own[number] for number in numbers)

        made, routable, loaded = self.made, those(rollout.routed), those(rollout.loaded)
        # What leaves, leaves Lightbulb last: until it has heard of another `oldest`, it may be asked for it.
        told = those(sorted({*rollout.routed, *rollout.leaving}))
        found = vips(routable)
        return _Lane(
            rollout=rollout,
            view=view,
            own=own,
            rules=made(routing_rules, routable),
            vips=before.vips if before is not None and before.vips == found else found,
            required=made(_distinct, routable),
            placed=made(_distinct, loaded),
            loaded=made(models_by_shard, loaded),
            target=made(models_by_shard, those([rollout.target])) if rollout.target else NOTHING_LOADED,
            tables=made(tables if view is EVERYTHING else _Seen(view), told),
            active=_active(rollout, own[rollout.active], store) if rollout.active else None,
        )

    def vips(self, shown: Iterable[_Lane]) -> Mapping[str, str]:
        """Return VIP -> shard in all lanes; the very same while all of theirs are."""
        parts = tuple(each.vips for each in shown)
        if not _are_same(parts, self._vips[0]):
            merged: dict[str, str] = {}
            for each in parts:
                merged.update(each)
            self._vips = parts, merged
        return self._vips[1]

    def models_by_shard(self, placed: Mapping[str, Placed]) -> ModelsByShard:
        """Return what `models_by_shard` does; of a shard that is as it was, the very same tuple.

        `placed` is by tenant. Many share a shard, and what one of them publishes is news to few shards.
        """
        return self._merged.of(placed)

    def required(self, placed: Mapping[str, Placed]) -> Mapping[str, frozenset[str]]:
        """Return shard -> ids of the models that its hosts need; as quick as the other."""
        return self._needed.of(placed)

    def placed(self, generations: tuple[Generation, ...]) -> Mapping[str, Placed]:
        """Return by tenant what its generations place on each shard."""
        return self.by_tenant(_distinct, generations)

    def by_tenant(
        self, make: Callable[[tuple[Generation, ...]], T], generations: Iterable[Generation]
    ) -> Mapping[str, T]:
        """Return what `make` returns of each tenant's; those that are as they were aren't gone through."""
        own: dict[str, list[Generation]] = {}
        for each in generations:
            own.setdefault(each.tenant, []).append(each)
        return {tenant: self.made(make, tuple(those)) for tenant, those in own.items()}


class ByShard(Generic[T]):
    """What `make` makes of each shard's models; anew only where some tenant has others than it had."""

    def __init__(self, make: Callable[[Distinct], T]) -> None:
        """Have made nothing yet."""
        self._make = make
        self._parts: Mapping[str, Placed] = {}
        self._made: Mapping[str, tuple[Distinct, T]] = {}
        self._products: Mapping[str, T] = {}

    def of(self, parts: Mapping[str, Placed]) -> Mapping[str, T]:
        """Return shard -> what is made of it; `parts` is by tenant what it has on each shard."""
        changed = self._changed(parts)
        if not changed:
            self._parts = parts
            return self._products
        made = dict(self._made)
        for shard in sorted(changed):
            there = _each_once(part[shard] for part in parts.values() if shard in part)
            held = made.get(shard)
            if not there:
                del made[shard]
            elif held is None or not _are_same(held[0], there):
                made[shard] = there, self._make(there)
        self._parts, self._made = parts, made
        self._products = {shard: product for shard, (_, product) in made.items()}
        return self._products

    def _changed(self, parts: Mapping[str, Placed]) -> Collection[str]:
        changed = set[str]()
        for tenant in self._parts.keys() | parts.keys():
            before, now = self._parts.get(tenant, NOTHING_PLACED), parts.get(tenant, NOTHING_PLACED)
            if before is not now:
                shards = before.keys() | now.keys()
                changed.update(each for each in shards if not _are_same(before.get(each), now.get(each)))
        return changed


def _are_same(one: Sequence[object] | None, other: Sequence[object] | None) -> bool:
    """Say whether both are of the very same objects."""
    if one is None or other is None:
        return one is other
    return len(one) == len(other) and all(map(is_, one, other))


def _ids(distinct: Distinct) -> frozenset[str]:
    return frozenset(model.id for models in distinct for model in models)


def routing_rules(generations: tuple[Generation, ...]) -> tuple[RoutingRule, ...]:
    """Return every key of `generations`, sorted; where a key moved, the VIP of the last that has it."""
    merged: dict[str, RoutingRule] = {}
    for generation in generations:
        routes = generation.plan.routes
        merged.update(zip(map(_KEY, routes), routes, strict=True))
    return tuple(map(merged.__getitem__, sorted(merged)))


def models_by_shard(generations: tuple[Generation, ...]) -> ModelsByShard:
    """Return shard -> every model that some of `generations` places on it, sorted by id.

    Where generations share what a shard loads (`archive` sees to it), that very tuple is returned.
    """
    return {shard: merged(distinct) for shard, distinct in _distinct(generations).items()}


def _distinct(generations: tuple[Generation, ...]) -> Placed:
    """Return shard -> what generations place on it, each object once; of several that are equal, the last."""
    placed: dict[str, list[tuple[ModelAssignment, ...]]] = {}
    for generation in generations:
        for assignment in generation.plan.assignments:
            placed.setdefault(assignment.shard, []).append(assignment.models)
    return {shard: _each_once([models]) for shard, models in placed.items()}


def _each_once(parts: Iterable[Iterable[tuple[ModelAssignment, ...]]]) -> Distinct:
    """Return the objects that are in any of `parts`, each where it stands last; empty when there is none."""
    found: dict[int, tuple[ModelAssignment, ...]] = {}
    for models in chain.from_iterable(parts):
        found.pop(id(models), None)
        found[id(models)] = models
    return tuple(filter(None, found.values())) or (((),) if found else ())


def merged(distinct: Distinct) -> tuple[ModelAssignment, ...]:
    """Return every model of any of these, sorted by id; of one that differs, the last counts."""
    if len(distinct) == 1:
        return distinct[0]
    by_id = {model.id: model for models in distinct for model in models}
    return tuple(by_id[name] for name in sorted(by_id))


def vips(generations: Iterable[Generation]) -> Mapping[str, str]:
    """Return VIP -> shard; a shard whose VIP has changed has both."""
    return {
        assignment.vip: assignment.shard
        for generation in generations
        for assignment in generation.plan.assignments
    }


def tables(generations: tuple[Generation, ...], view: View = EVERYTHING) -> tuple[ObjectiveTables, ...]:
    """Return each objective's table in every one of a tenant's `generations`, sorted by objective.

    A generation that doesn't change an objective adds nothing to it, and one that is retired takes only
    away what no other has. Where equal tables are one object (`archive` sees to it), both cost what changed.
    `view` is what they have of what was handed over.
    """
    seen = view.tables(generations)
    numbers = sorted(each.number for each in generations)
    objectives = sorted(frozenset[str]().union(*seen.values()))
    columns = [map(seen[number].get, objectives) for number in numbers]
    return tuple(
        ObjectiveTables(objective=objective, tables=_since(numbers, own), tenant=generations[0].tenant)
        for objective, own in zip(objectives, zip(*columns, strict=True), strict=True)
    )


def _since(numbers: Sequence[int], tables: Sequence[ObjectiveTable | None]) -> tuple[TableSince, ...]:
    """Return since when an objective has which table; `tables` are those in each generation, in order."""
    first = tables[0]
    if all(map(is_, tables, repeat(first))):  # nearly all are
        return (TableSince(since=0, table=first),)
    entries: list[TableSince] = []
    for position, (number, table) in enumerate(zip(numbers, tables, strict=True)):
        _extend(entries, number if position else 0, table)
    return tuple(entries)


def _extend(entries: list[TableSince], since: int, table: ObjectiveTable | None) -> None:
    if not entries and since:
        entries.append(TableSince(since=0, table=None))  # the objective is newer than the oldest generation
    if not entries or not same_table(entries[-1].table, table):
        entries.append(TableSince(since=since, table=table))


@dataclass(frozen=True, slots=True)
class _Seen:
    """`tables`, with a view: what two of these make of the same generations is the same."""

    view: View

    def __call__(self, generations: tuple[Generation, ...]) -> tuple[ObjectiveTables, ...]:
        return tables(generations, self.view)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lane:
    """What one lane shows by itself, as of DesiredState, and what that was made of.

    `required` is what is placed of what it routes, and `placed` of all that it loads.
    """

    rollout: Rollout
    view: View
    own: Generations
    rules: tuple[RoutingRule, ...]
    vips: Mapping[str, str]
    required: Placed
    placed: Placed
    loaded: ModelsByShard
    target: ModelsByShard
    tables: tuple[ObjectiveTables, ...]
    active: ActiveGeneration | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredState:
    """What all lanes show in their states, whoever is connected.

    By tenant: `routed`, the numbers of the generations that sidecars have the keys of; `rules` and `tables`
    of these; `loaded`, what its generations have hosts load; `targets`, what hosts need for what is on its
    way; `active`, without those of which nothing was ever active. Of all tenants together: `vips` is VIP ->
    shard; `required` are the ids of the models that a shard's hosts need to be sent requests; `models` is
    what they should have. `shared` is objective -> the tenants that may show something of it, of those that
    were handed over or are about to be: whoever takes one of them takes it, and where their routes differ the
    last one's counts. `controls`, `held_back` and `shadows` are laid over it, and `new_defaults` are counted.
    `version` of the head in `store` is when all this last changed. With `only_adds` nobody knows all that is
    in use.
    """

    routed: Mapping[str, tuple[int, ...]]
    rules: Mapping[str, tuple[RoutingRule, ...]]
    vips: Mapping[str, str]
    required: Mapping[str, frozenset[str]]
    models: ModelsByShard
    loaded: Mapping[str, ModelsByShard]
    targets: Mapping[str, ModelsByShard]
    tables: Mapping[str, tuple[ObjectiveTables, ...]]
    active: Mapping[str, ActiveGeneration]
    store: str
    version: int
    only_adds: bool = False
    shared: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: NOTHING_SHARED)
    controls: Controls = field(default_factory=lambda: NO_CONTROLS)
    held_back: HoldBacks = field(default_factory=lambda: NO_HOLD_BACKS)
    shadows: ByObjective = field(default_factory=lambda: NOTHING_SHADOWED)
    new_defaults: NewDefaults = field(default_factory=lambda: NO_NEW_DEFAULTS)

    def objectives_of(self, tenant: str) -> frozenset[str]:
        """Return the objectives of which a tenant shows routes or tables."""
        routed = {rule.objective for rule in self.rules.get(tenant, ())}
        return frozenset(routed.union(each.objective for each in self.tables.get(tenant, ())))


def desired_state(
    lanes: Lanes, generations: Generations, store: str, recent: Recent | None = None
) -> DesiredState:
    """Return what all lanes show. What `recent` remembers is the very same object as it was."""
    recent = recent or Recent()
    shown = recent.lanes(lanes, generations, store)
    models = recent.models_by_shard({tenant: each.placed for tenant, each in shown.items()})
    return DesiredState(
        routed=lanes.routed,
        rules={tenant: each.rules for tenant, each in shown.items()},
        vips=recent.vips(shown.values()),
        required=recent.required({tenant: each.required for tenant, each in shown.items()}),
        models=models,
        loaded={tenant: each.loaded for tenant, each in shown.items()},
        targets={tenant: each.target for tenant, each in shown.items() if each.rollout.target},
        tables={tenant: each.tables for tenant, each in shown.items()},
        active={tenant: each.active for tenant, each in shown.items() if each.active is not None},
        store=store,
        version=lanes.desired_version,
        only_adds=lanes.begins_again,
        shared=shared(lanes.handovers),
        controls=lanes.controls,
        held_back=lanes.held_back,
        shadows=lanes.shadows,
        new_defaults=lanes.new_defaults,
    )


def _active(rollout: Rollout, active: Generation, store: str) -> ActiveGeneration:
    return ActiveGeneration(
        number=rollout.active,
        content_hash=active.content_hash,
        fence=rollout.fence,
        store=store,
        oldest=rollout.oldest,
        tenant=active.tenant,
    )


def ready_addresses(
    desired: DesiredState, consumers: Iterable[Consumer], now: float, policy: Policy
) -> Mapping[str, tuple[Address, ...]]:
    """Return VIP -> addresses of the hosts that have loaded all that is routed to their shard.

    A VIP whose hosts are all gone keeps those that went last: should only *our* sight of them be lost,
    traffic goes on; should they be down, the sidecar says so itself. One that said goodbye is kept only for
    as long as a restart takes: its address may be another's then.
    """
    return ReadyAddresses().of(desired, consumers, now, policy)


class ReadyAddresses:
    """Finds `ready_addresses` again and again; of a shard whose hosts are as they were, it knows them.

    For one thread at a time.
    """

    def __init__(self) -> None:
        """Have found nothing yet."""
        self._found: dict[str, tuple[frozenset[str], list[Consumer], tuple[Address, ...]]] = {}
        """By shard, of those whose hosts are all connected: what they need, who they are, what was found."""

    def of(
        self, desired: DesiredState, consumers: Iterable[Consumer], now: float, policy: Policy
    ) -> Mapping[str, tuple[Address, ...]]:
        """Return what `ready_addresses` does."""
        hosts: dict[str, list[Consumer]] = {shard: [] for shard in desired.required}
        for each in consumers:
            if each.kind == "host" and each.shard in hosts:
                hosts[each.shard].append(each)
        before, self._found = self._found, {}
        by_shard = {}
        for shard, own in hosts.items():
            required, held = desired.required[shard], before.get(shard)
            if held is None or held[0] is not required or not _are_same(held[1], own):
                able = [host for host in own if _covers(host.loaded, required)]
                held = required, own, _addresses(able, now, policy)
            by_shard[shard] = held[2]
            if not any(host.disconnected for host in own):  # else it is a matter of time
                self._found[shard] = held
        return {vip: by_shard[shard] for vip, shard in desired.vips.items()}


# Asked again with every look, of sets that seldom change, and that remember their hashes.
_covers: Memo[frozenset[str], frozenset[str], bool] = Memo(
    lambda loaded, required: loaded >= required,
    max_bytes=MAX_COVERS_BYTES,
    size=lambda sets, _: sum(map(_bytes_of, sets)),
)


def _bytes_of(names: frozenset[str]) -> int:
    return getsizeof(names) + sum(map(getsizeof, names))


def _addresses(hosts: Iterable[Consumer], now: float, policy: Policy) -> tuple[Address, ...]:
    """Return the addresses of the hosts that are there, or else of those that went last."""
    reachable = [
        (host, host.address)
        for host in hosts
        if host.address is not None and not (host.left and now - host.since >= policy.reconnect)
    ]
    there = {address for host, address in reachable if host.there(now, policy)}
    if there:
        return tuple(sorted(there))
    latest = max((host.since for host, _ in reachable), default=0.0)
    return tuple(sorted({address for host, address in reachable if latest - host.since < policy.reconnect}))


def sidecar_states(lanes: Lanes, consumers: Iterable[Consumer]) -> Mapping[str, SidecarState]:
    """Return what to answer each known sidecar's clients from; 0, the active generation, for most.

    0 is only for one that routes all that is live: a Lightbulb is told of it before it is told which
    generation is active, so it must be right for the one before too. A sidecar that was never synced is not
    known yet. One with several streams is as far as the last. One that said goodbye may start again from disk
    with what it had: it is told of for as long as that is live, and less than all that is.
    """
    states: dict[str, dict[str, int]] = {}
    in_step: dict[int, tuple[tuple[int, ...], bool]] = {}
    live = {tenant: frozenset(rollout.live) for tenant, rollout in lanes}
    everything, came = frozenset().union(*live.values()), arrivals(lanes.handovers)
    for consumer in consumers:
        name, routes = consumer.id, consumer.routes
        if consumer.kind != "sidecar" or not (routes or name in states):
            continue
        # Those that are in step have the very same routes.
        if id(routes) not in in_step:
            in_step[id(routes)] = routes, everything.issubset(routes)
        if in_step[id(routes)][1]:
            found: Mapping[str, int] = NOTHING_BEHIND
        else:
            found = _behind(lanes, live, came, routes)
        if consumer.left and set(found.values()) <= {0, NO_GENERATION}:
            continue
        states[name] = _older(lanes, states[name], found) if name in states else dict(found)
    return {name: _state(own) for name, own in states.items()}


NOTHING_BEHIND: Mapping[str, int] = MappingProxyType({})


def _behind(
    lanes: Lanes,
    live: Mapping[str, frozenset[int]],
    came: Mapping[str, frozenset[Arrival]],
    routes: tuple[int, ...],
) -> Mapping[str, int]:
    """Return tenant -> the newest live generation that a sidecar routes, where it doesn't route all."""
    behind = {}
    for tenant, rollout in lanes:
        if not live[tenant].issubset(routes):
            number = next((each for each in reversed(rollout.live) if each in routes), NO_GENERATION)
            whole = is_answerable(came.get(tenant, ()), live[tenant], number, routes)
            behind[tenant] = number if whole else NO_GENERATION
    return behind


def _older(lanes: Lanes, one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    """Return by tenant what is the less of two."""
    return {
        tenant: _oldest(lanes.rollouts[tenant], one.get(tenant, 0), other.get(tenant, 0))
        for tenant in sorted(one.keys() | other.keys())
    }


def _oldest(rollout: Rollout, one: int, other: int) -> int:
    if NO_GENERATION in {one, other}:
        return NO_GENERATION
    order = {number: position for position, number in enumerate(rollout.live)}
    return min(one, other, key=lambda number: (order.get(number or rollout.active, 0), not number))


def _state(behind: Mapping[str, int]) -> SidecarState:
    others = {tenant: number for tenant, number in behind.items() if tenant != DEFAULT_TENANT}
    return SidecarState(generation=behind.get(DEFAULT_TENANT, 0), others=others)
