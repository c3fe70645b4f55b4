"""What a plan stands on in a state of the rollout, and whether there is room for one as it is. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from controlplane.model import Plan, ShardAssignment
from controlplane.planning.beside import Base, Loaded, Release, Room
from controlplane.planning.plan import led_to
from controlplane.rollout.desired_state import ModelsByShard, models_by_shard, vips
from controlplane.rollout.operations import releasable
from controlplane.rollout.state import Generation, Rollout


class DoesNotFit(Exception):
    """There is no room for a plan as it is; the message says of what."""


def base_of(rollout: Rollout | None, generations: Mapping[int, Generation]) -> Base:
    """Return what a plan is made beside.

    What is active, or may still be held by clients, or is pinned, stays loaded whatever is published.
    """
    if rollout is None:
        return Base()
    may_leave = releasable(rollout)
    return Base(
        rooms=tuple(_rooms(rollout, generations)),
        before=led_to(generations[rollout.newest].plan) if rollout.newest else {},
        vips=_vips(rollout, generations),
        stay=tuple(number for number in sorted(rollout.live) if number not in may_leave),
    )


def room_for(plan: Plan, rollout: Rollout | None, generations: Mapping[int, Generation]) -> Release:
    """Return which generations must leave so that a plan can be loaded as it is. Raises DoesNotFit."""
    base = base_of(rollout, generations)
    for assignment in plan.assignments:
        holder, number = base.vips.get(assignment.vip, (assignment.shard, 0))
        if holder != assignment.shard:
            raise DoesNotFit(f"VIP {assignment.vip} is that of shard {holder} in generation {number}")
    for room in base.rooms:
        if all(_free(each, room.loaded) >= 0 for each in plan.assignments):
            return room.release
    raise DoesNotFit("there isn't enough memory")


def _vips(rollout: Rollout, generations: Mapping[int, Generation]) -> Mapping[str, tuple[str, int]]:
    """Return each live VIP's shard, and the generation that has it so."""
    live = [generations[number] for number in rollout.live]
    return {vip: (shard, each.number) for each in live for vip, shard in vips([each]).items()}


def _rooms(rollout: Rollout, generations: Mapping[int, Generation]) -> Iterator[Room]:
    """Yield what may be released, from nothing to all that may, and what stays loaded then."""
    may_leave = releasable(rollout)
    stays = [generations[number] for number in rollout.live]
    leaving = [generations[number] for number in rollout.leaving]
    yield Room(release=None, loaded=_sizes(models_by_shard((*leaving, *stays))))
    for count in range(0 if leaving else 1, len(may_leave) + 1):
        release = may_leave[:count]
        remaining = tuple(each for each in stays if each.number not in release)
        yield Room(release=release, loaded=_sizes(models_by_shard(remaining)))


def _sizes(models: ModelsByShard) -> Loaded:
    return {shard: {model.id: model.memory_mib for model in own} for shard, own in models.items()}


def _free(assignment: ShardAssignment, loaded: Loaded) -> int:
    sizes = {**loaded.get(assignment.shard, {}), **_own_sizes(assignment)}
    return assignment.memory_mib - sum(sizes.values())


def _own_sizes(assignment: ShardAssignment) -> Mapping[str, int]:
    return {model.id: model.memory_mib for model in assignment.models}
