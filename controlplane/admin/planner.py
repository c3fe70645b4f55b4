"""From a workspace to a generation's plan, beside what must stay loaded. Pure but for the rules' sandbox."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from controlplane.model import Plan, RuleSet, ShardAssignment
from controlplane.planning.plan import NOTHING_RESIDENT, make_plan
from controlplane.planning.routing import targets_by_objective
from controlplane.problems import Problem, WorkspaceError
from controlplane.rollout.desired_state import ModelsByShard, models_by_shard, vips
from controlplane.rollout.operations import releasable
from controlplane.rollout.state import Generation, Rollout

Release = tuple[int, ...] | None
"""Generations that must leave first, with what is leaving already, to make room; None: there is room."""


class DoesNotFit(Exception):
    """There is no room for a plan as it is; the message says of what."""


def plan_beside(
    rules: RuleSet, rollout: Rollout | None, generations: Mapping[int, Generation]
) -> tuple[Plan, Release]:
    """Return the plan of `rules`, and which generations must leave to make room for it: as few as can be.

    What is active, or may still be held by clients, or is pinned, stays loaded whatever is published.
    Raises WorkspaceError when not even that is enough, or when a VIP is another shard's still, and
    Inconsistent for a plan that no sidecar can serve.
    """
    _check_vips(rules, rollout, generations)
    for release, resident in _rooms(rollout, generations):
        try:
            plan = make_plan(rules, _before(rollout, generations), resident)
        except WorkspaceError as error:
            misfit = error
            continue
        targets_by_objective(plan.routes, (assignment.vip for assignment in plan.assignments))
        return plan, release
    raise _beside(misfit, rollout)


def _check_vips(rules: RuleSet, rollout: Rollout | None, generations: Mapping[int, Generation]) -> None:
    """Raise WorkspaceError for VIPs that old keys lead to at another shard."""
    by_vip = {shard.vip: shard for shard in rules.shards}
    problems = []
    wanted = {shard.vip: shard.name for shard in rules.shards}
    for vip, holder, number in _taken(wanted, rollout, generations):
        shard = by_vip[vip]
        problems.append(
            Problem(
                file=shard.location.file,
                line=shard.location.line,
                code="VIP_IN_USE",
                message=f"VIP {vip} is that of shard {holder} in generation {number}, which is loaded",
                remedy=f"give shard {shard.name} another VIP, or wait until that generation has left",
            )
        )
    if problems:
        raise WorkspaceError(problems)


def _taken(
    wanted: Mapping[str, str], rollout: Rollout | None, generations: Mapping[int, Generation]
) -> Iterator[tuple[str, str, int]]:
    """Yield each VIP of `wanted` (VIP -> shard) that is another's, whose, and in which live generation."""
    live = [generations[number] for number in (rollout.live if rollout is not None else ())]
    holders = {vip: (shard, each.number) for each in live for vip, shard in vips([each]).items()}
    for vip, shard in wanted.items():
        holder, number = holders.get(vip, (shard, 0))
        if holder != shard:
            yield vip, holder, number


def _beside(misfit: WorkspaceError, rollout: Rollout | None) -> WorkspaceError:
    """Return the error that also says what takes the room."""
    if rollout is None or not rollout.live:
        return misfit
    may_leave = releasable(rollout)
    stay = ", ".join(str(number) for number in sorted(rollout.live) if number not in may_leave)
    hint = f"; or wait: generations {stay} stay loaded, as clients may hold their answers or they are pinned"
    return WorkspaceError(replace(each, remedy=each.remedy + hint) for each in misfit.problems)


def room_for(plan: Plan, rollout: Rollout | None, generations: Mapping[int, Generation]) -> Release:
    """Return which generations must leave so that a plan can be loaded as it is. Raises DoesNotFit."""
    wanted = {assignment.vip: assignment.shard for assignment in plan.assignments}
    for vip, holder, number in _taken(wanted, rollout, generations):
        raise DoesNotFit(f"VIP {vip} is that of shard {holder} in generation {number}")
    for release, resident in _rooms(rollout, generations):
        if all(_free(each, resident) >= 0 for each in plan.assignments):
            return release
    raise DoesNotFit("there isn't enough memory")


def _rooms(
    rollout: Rollout | None, generations: Mapping[int, Generation]
) -> list[tuple[Release, ModelsByShard]]:
    """Return what may be released, from nothing to all that may, and what stays loaded then."""
    if rollout is None:
        return [(None, NOTHING_RESIDENT)]
    may_leave = releasable(rollout)
    stays = [generations[number] for number in rollout.live]
    leaving = [generations[number] for number in rollout.leaving]
    rooms: list[tuple[Release, ModelsByShard]] = [(None, models_by_shard((*leaving, *stays)))]
    for count in range(0 if leaving else 1, len(may_leave) + 1):
        release = may_leave[:count]
        rooms.append((release, models_by_shard(tuple(each for each in stays if each.number not in release))))
    return rooms


def _before(rollout: Rollout | None, generations: Mapping[int, Generation]) -> Plan | None:
    newest = rollout.newest if rollout is not None else 0
    return generations[newest].plan if newest else None


def _free(assignment: ShardAssignment, resident: ModelsByShard) -> int:
    models = {model.id: model for model in (*resident.get(assignment.shard, ()), *assignment.models)}
    return assignment.memory_mib - sum(model.memory_mib for model in models.values())
