"""What a tenant's plan stands on, beside what all have loaded, and whether one has room as it is. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace

from controlplane.admin.neighbours import Neighbours, sizes_in
from controlplane.model import Plan, Platform
from controlplane.planning.beside import (
    NO_LAYERS,
    Base,
    Loaded,
    Release,
    Room,
    both,
    free,
    loaded_mib,
)
from controlplane.planning.layers import Layers, owners_of, parts_in, shared_salts, together
from controlplane.planning.plan import led_to
from controlplane.rollout.bounds import too_much
from controlplane.rollout.desired_state import Generations, models_by_shard
from controlplane.rollout.lanes import Lanes
from controlplane.rollout.operations import outlived, releasable, withdraw
from controlplane.rollout.room import outgoing_of_others
from controlplane.rollout.state import Generation, Moment, Rollout
from controlplane.rollout.taking import own_tables
from lightbulb.memo import PerObject
from lightbulb.model import ModelAssignment

Sizes = Callable[[tuple[ModelAssignment, ...]], Mapping[str, int]]
"""What models are loaded with; it may know many by their tuple, which generations share."""


class DoesNotFit(Exception):
    """There is no room for a plan as it is; the message says of what."""


def quota(platform: Platform | None, tenant: str) -> int:
    """Return the MiB that a tenant may have loaded; 0: no limit."""
    own = platform.tenant(tenant) if platform is not None else None
    return own.memory_mib if own is not None else 0


def layers_of(
    platform: Platform | None,
    lanes: Lanes,
    tenant: str,
    generations: Generations,
    takes: Collection[str] = (),
) -> Layers:
    """Return what binds a tenant's tests: others' that are active, or on their way.

    What others might roll back to binds nobody: the rollback is refused if its buckets are taken by then. Nor
    do tests of objectives that another hands to it, `takes`, or did.
    """
    salts = shared_salts(platform, tenant)
    taken = (
        parts_in(
            [
                each
                for each in own_tables(lanes.handovers, generations[number])
                if each.objective not in takes
            ],
            name,
            salts,
        )
        for name, rollout in (lanes if salts else ())
        if name != tenant
        for number in dict.fromkeys(filter(None, (rollout.active, rollout.target)))
    )
    return Layers(tenant=tenant, owners=owners_of(platform, tenant), taken=together(taken))


def publish_base(  # noqa: PLR0913 - all that a publish comes beside
    platform: Platform | None,
    lanes: Lanes,
    tenant: str,
    generations: Generations,
    *,
    at: Moment,
    window: int,
    takes: Collection[str] = (),
    neighbours: Neighbours | None = None,
) -> Base:
    """Return what a publish of `tenant` comes beside: should another of it be on its way, that goes first.

    `window` and `neighbours` are those of `base_of`; `takes` are objectives that others hand to the tenant.
    """
    rollout = lanes.of(tenant)
    if rollout is not None and rollout.target:
        lanes = lanes.after(tenant, withdraw(rollout, None, at))
    layers = layers_of(platform, lanes, tenant, generations, takes)
    limit = quota(platform, tenant)
    return base_of(lanes, tenant, generations, limit, window, layers, takes, neighbours)


def base_of(  # noqa: PLR0913, PLR0917 - all that a plan stands on
    lanes: Lanes,
    tenant: str,
    generations: Generations,
    memory_mib: int = 0,
    window: int = 0,
    layers: Layers = NO_LAYERS,
    takes: Collection[str] = (),
    neighbours: Neighbours | None = None,
) -> Base:
    """Return what a plan of `tenant` is made beside.

    What is active or pinned stays loaded whatever is published; and so does all that other tenants have, what
    is on its way to them included. A publish that waits until clients can't hold what was active before
    leaves `window` generations beside the active one, if it can. `memory_mib` is the tenant's limit, and
    `layers` what binds its tests; `takes` are objectives that others hand to it. `neighbours` may know what
    tenants have that have changed nothing since they were looked at.
    """
    neighbours = neighbours or Neighbours()
    rollout, others = lanes.of(tenant), _of_others(lanes, tenant, generations)
    live = [generations[number] for _, each in lanes for number in each.live]
    own = {*takes, *(each.objective for each in lanes.handovers.values() if each.owner == tenant)}
    sizes = PerObject(sizes_in)
    theirs = neighbours.sizes(others)
    rooms = (
        _rooms(rollout, theirs, generations, window, sizes) if rollout else (_room(None, theirs, (), sizes),)
    )
    base = Base(
        rooms=tuple(rooms),
        vips=neighbours.vips(live),
        others=neighbours.bind(others, own),
        memory_mib=memory_mib,
        layers=layers,
        outgoing=_outgoing(others, outgoing_of_others(lanes, tenant, window), sizes),
    )
    if rollout is None:
        return base
    may_leave = outlived(rollout)
    return replace(
        base,
        before=led_to(generations[rollout.newest].plan) if rollout.newest else {},
        stay=tuple(number for number in sorted(rollout.live) if number not in may_leave),
    )


def room_for(plan: Plan, base: Base) -> Release:
    """Return which generations must leave so that a plan can be loaded as it is. Raises DoesNotFit."""
    for table in plan.tables:
        tenant = base.others.objectives.get(table.objective)
        if tenant is not None:
            raise DoesNotFit(f"objective {table.objective} is tenant {tenant}'s by now")
    for assignment in plan.assignments:
        holder, number = base.vips.get(assignment.vip, (assignment.shard, 0))
        if holder != assignment.shard:
            raise DoesNotFit(f"VIP {assignment.vip} is that of shard {holder} in generation {number}")
    for room in base.rooms_to_try():
        beyond = base.memory_mib and loaded_mib(plan, room.own) > base.memory_mib
        if not beyond and all(free(each, room.loaded) >= 0 for each in plan.assignments):
            return base.release(plan, room)
    raise DoesNotFit("there isn't enough memory")


def sizes_of(generations: tuple[Generation, ...], sizes: Sizes) -> Loaded:
    """Return what generations have loaded: shard -> model id -> its MiB."""
    return {shard: sizes(models) for shard, models in models_by_shard(generations).items()}


def _of_others(lanes: Lanes, tenant: str, generations: Generations) -> tuple[Generation, ...]:
    """Return all that other tenants have loaded, or will have."""
    return tuple(
        generations[number]
        for name, rollout in lanes
        if name != tenant
        for number in dict.fromkeys((*rollout.loaded, *filter(None, (rollout.target,))))
    )


def _outgoing(others: tuple[Generation, ...], numbers: Collection[int], sizes: Sizes) -> Mapping[int, Loaded]:
    """Return what the generations of `numbers` have that no other one has which stays."""
    if not numbers:
        return {}
    stays = sizes_of(tuple(each for each in others if each.number not in numbers), sizes)
    found = {
        each.number: {
            shard: own
            for shard, models in sizes_of((each,), sizes).items()
            if (own := {model: mib for model, mib in models.items() if model not in stays.get(shard, {})})
        }
        for each in others
        if each.number in numbers
    }
    return {number: loaded for number, loaded in sorted(found.items()) if loaded}


def _rooms(
    rollout: Rollout,
    others: Loaded,
    generations: Mapping[int, Generation],
    window: int,
    sizes: Sizes,
) -> Iterator[Room]:
    """Yield what may be released, from nothing to all that may, and what stays loaded then.

    What may leave at once comes first. Then what clients may still hold: a publish waits for that, so that
    no more than `window` of them stay. What is more than may be live is none of the rooms; what is active and
    pinned, and no more, never is.
    """
    leaving = [generations[number] for number in rollout.leaving]
    for release in _releases(rollout, window):
        gone = release or ()
        stays = [generations[number] for number in rollout.live if number not in gone]
        beside = stays if release is not None else [*leaving, *stays]
        if not too_much(beside):
            yield _room(release, others, tuple(beside), sizes)


def _releases(rollout: Rollout, window: int) -> Iterator[Release]:
    """Yield what may leave, each time more."""
    at_once, in_the_end = releasable(rollout), outlived(rollout)
    yield None
    for count in range(0 if rollout.leaving else 1, len(at_once) + 1):
        yield at_once[:count]
    for stay in range(window, -1, -1):
        release = in_the_end[: max(0, len(in_the_end) - stay)]
        if not set(at_once).issuperset(release):
            yield release


def _room(release: Release, others: Loaded, own: tuple[Generation, ...], sizes: Sizes) -> Room:
    """Return what is loaded beside what others have, which many rooms share."""
    loaded = sizes_of(own, sizes)
    return Room(release=release, loaded=both(others, loaded), own=loaded)
