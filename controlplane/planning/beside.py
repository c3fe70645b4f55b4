"""A plan beside what stays loaded, and what must leave to make room for it. Pure.

It needs little of what is loaded: the `Base`, small enough to be handed to another process.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from controlplane.model import Plan, RuleSet
from controlplane.planning.plan import plan_on
from controlplane.planning.routing import targets_by_objective
from controlplane.problems import Problem, WorkspaceError

Release = tuple[int, ...] | None
"""Generations that must leave first, with what is leaving already, to make room; None: there is room."""

Loaded = Mapping[str, Mapping[str, int]]
"""Shard -> model id -> MiB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What stays loaded once some generations have left."""

    release: Release
    loaded: Loaded


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """What a plan stands on: the rooms to try, from that in which nothing leaves; there is always one.

    `before` is model id -> shard that its requests go to in the newest generation, `vips` is each live VIP's
    shard and the generation that has it so, and `stay` are the generations that never leave for this.
    """

    rooms: tuple[Room, ...] = (Room(release=None, loaded={}),)
    before: Mapping[str, str] = field(default_factory=dict)
    vips: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    stay: tuple[int, ...] = ()


def plan_beside(rules: RuleSet, base: Base) -> tuple[Plan, Release]:
    """Return the plan of `rules`, and which generations must leave to make room for it: as few as can be.

    Raises WorkspaceError when there is no room even so, or when a VIP is another shard's still, and
    Inconsistent for a plan that no sidecar can serve.
    """
    _check_vips(rules, base)
    for room in base.rooms:
        before = {model: shard for shard, own in room.loaded.items() for model in own}
        before.update(base.before)
        try:
            plan = plan_on(rules, before, room.loaded)
        except WorkspaceError as error:
            misfit = error
            continue
        targets_by_objective(plan.routes, (assignment.vip for assignment in plan.assignments))
        return plan, room.release
    raise _beside(misfit, base)


def _check_vips(rules: RuleSet, base: Base) -> None:
    """Raise WorkspaceError for VIPs that old keys lead to at another shard."""
    problems = []
    for shard in rules.shards:
        holder, number = base.vips.get(shard.vip, (shard.name, 0))
        if holder != shard.name:
            problems.append(
                Problem(
                    file=shard.location.file,
                    line=shard.location.line,
                    code="VIP_IN_USE",
                    message=(
                        f"VIP {shard.vip} is that of shard {holder} in generation {number}, which is loaded"
                    ),
                    remedy=f"give shard {shard.name} another VIP, or wait until that generation has left",
                )
            )
    if problems:
        raise WorkspaceError(problems)


def _beside(misfit: WorkspaceError, base: Base) -> WorkspaceError:
    """Return the error that also says what takes the room."""
    if not base.stay:
        return misfit
    stay = ", ".join(map(str, base.stay))
    hint = f"; or wait: generations {stay} stay loaded, as clients may hold their answers or they are pinned"
    return WorkspaceError(replace(each, remedy=each.remedy + hint) for each in misfit.problems)
