"""Publishes the platform's own workspace: the fleet and the tenants; plans anew whose models that moves.

The fleet itself is shown to nobody: a shard is what some tenant's plan has on it. So a change of it is a
publish of each tenant that it touches, which loads before it routes, as every publish does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from controlplane.admin.commits import Caller, Commits, Decide, Prepare, Step, ahead
from controlplane.admin.compilers import Compilers
from controlplane.admin.neighbours import sizes_in
from controlplane.admin.outcome import Outcome
from controlplane.admin.planner import publish_base, quota, sizes_of
from controlplane.model import Plan, Platform, Workspace
from controlplane.planning.beside import Release, plan_beside
from controlplane.planning.layers import Layers, not_shared, owners_of
from controlplane.planning.replan import Moved, is_touched, moves, rules_of
from controlplane.problems import Problem, WorkspaceError
from controlplane.replica.replica import Replica, StoreView
from controlplane.rollout.codec import plan_to_bytes, platform_from_bytes
from controlplane.rollout.room import set_out
from controlplane.rollout.state import Generation, Moment, Policy
from controlplane.rollout.taking import own_tables
from controlplane.rules.workspace import content_hash
from lightbulb.resolution.codec import Malformed

MAX_NAMED = 5
"""Objectives that an error names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replanned:
    """A tenant's plan on the new fleet, and what moves by it."""

    tenant: str
    plan: Plan
    release: Release
    moved: tuple[Moved, ...]


class PlatformOperator:
    """Of one replica."""

    def __init__(self, replica: Replica, compilers: Compilers, commits: Commits) -> None:
        """Let `compilers` read what was written, and commit with `commits`."""
        self._replica = replica
        self._compilers = compilers
        self._commits = commits

    async def publish(self, workspace: Workspace, caller: Caller, *, dry_run: bool) -> Outcome:
        """Take a fleet and tenants, and set on their way whom they move. Say what moves.

        With `dry_run`, say so and change nothing. Raises as Operator.publish does. Should it be interrupted
        after the platform's part, publish the same again: tenants that still stand on the old fleet follow.
        """
        source_hash = await asyncio.to_thread(content_hash, workspace)
        content = await self._compilers.read_platform(workspace, source_hash)
        platform = platform_from_bytes(content)
        if platform is None:
            raise Malformed("the compiler gave no platform")

        def decide(known: StoreView) -> Step:
            _check(known, platform)
            planned = self._replan(known, platform)
            outcome = Outcome(
                generation=known.lanes.platform,
                moves=tuple((each.tenant, moved) for each in planned for moved in each.moved),
                replanned=tuple(each.tenant for each in planned),
            )
            held = known.lanes.platform
            if held and self._commits.entry(held).source_hash == source_hash:
                return Step(following=known.lanes, outcome=replace(outcome, unchanged=True))
            step = self._commits.taken(known, content, source_hash, caller)
            number = step.outcome.generation
            return replace(
                step,
                following=replace(known.lanes, platform=number),
                outcome=replace(step.outcome, moves=outcome.moves, replanned=outcome.replanned),
            )

        if dry_run:
            known = await self._replica.refresh()
            return (await asyncio.to_thread(decide, known)).outcome
        outcome = await self._commits.carry_out(*_ahead(decide, caller))
        for tenant in outcome.replanned:
            await self._follow(tenant, caller)
        return outcome

    async def _follow(self, tenant: str, caller: Caller) -> None:
        """Set a tenant on its way to its plan on the fleet that there is now, unless it stands on that.

        That may be a newer one than was published here: to plan on that one would bring the older back.
        """
        own = replace(caller, tenant=tenant, request_id="", message=f"planned anew: {caller.message}".strip())

        def decide(known: StoreView) -> Step:
            planned = self._replan(known, known.platform) if known.platform else ()
            found = next((each for each in planned if each.tenant == tenant), None)
            if found is None:
                rollout = known.lanes.of(tenant)
                number = rollout.newest if rollout is not None else 0
                return Step(following=known.lanes, outcome=Outcome(generation=number, unchanged=True))
            return self._on_its_way(known, found, own)

        await self._commits.carry_out(*_ahead(decide, own))

    def _replan(self, known: StoreView, platform: Platform) -> tuple[Replanned, ...]:
        return _replan(known, platform, self._commits.at(known), self._replica.policy)

    def _on_its_way(self, known: StoreView, found: Replanned, caller: Caller) -> Step:
        # Of the same files: to publish those again changes nothing.
        source_hash = self._commits.entry(known.lanes.rollouts[found.tenant].newest).source_hash
        content = plan_to_bytes(found.plan, source_hash)
        step = self._commits.on_its_way(known, content, source_hash, found.release, caller)
        return replace(step, action="planned anew")


def _ahead(decide: Callable[[StoreView], Step], caller: Caller) -> tuple[Decide, Caller, Prepare]:
    """Return how to carry out what takes as long as several plans."""
    take, prepare = ahead(lambda known: asyncio.to_thread(decide, known))
    return take, caller, prepare


def _replan(known: StoreView, platform: Platform, at: Moment, policy: Policy) -> tuple[Replanned, ...]:
    """Return the tenants whose newest plan can't stay as it is, each planned beside those before it.

    Raises WorkspaceError when there is no room.
    """
    lanes, generations = known.lanes, dict(known.generations)
    found: list[Replanned] = []
    for tenant, rollout in known.lanes:
        if not rollout.newest or not is_touched(generations[rollout.newest].plan, platform, tenant):
            continue
        newest = generations[rollout.newest]
        before = replace(newest.plan, tables=own_tables(lanes.handovers, newest))
        base = publish_base(platform, lanes, tenant, generations, at=at, window=policy.window)
        try:
            plan, release = plan_beside(rules_of(before, platform, tenant), base)
        except WorkspaceError as error:
            raise WorkspaceError(
                replace(each, message=f"tenant {tenant}: {each.message}") for each in error.problems
            ) from error
        found.append(Replanned(tenant=tenant, plan=plan, release=release, moved=tuple(moves(before, plan))))
        number = max(generations) + 1  # of no matter: it stands for what is about to be
        generations[number] = Generation(number=number, content_hash="", plan=plan, tenant=tenant)
        lanes = lanes.after(tenant, set_out(lanes, tenant, number, release, generations, at, policy))
    return tuple(found)


def _check(known: StoreView, platform: Platform) -> None:
    """Raise WorkspaceError when a tenant would lose what it has, or has more than it may have."""
    problems = [*_lost(known, platform), *_beyond(known, platform), *_other_layers(known, platform)]
    if problems:
        raise WorkspaceError(problems)


def _lost(known: StoreView, platform: Platform) -> Iterator[Problem]:
    for tenant, generations in _needed_of(known):
        tables = tuple(table for each in generations for table in each.plan.tables)
        if platform.tenant(tenant) is not None or not tables:
            continue
        names = ", ".join(table.objective for table in tables[:MAX_NAMED])
        more = f" and {len(tables) - MAX_NAMED} more" if len(tables) > MAX_NAMED else ""
        yield Problem(
            file="tenants.yaml",
            code="TENANT_IN_USE",
            message=f"tenant {tenant} isn't there, and it has objectives: {names}{more}",
            remedy="leave it in, or publish it without objectives first, and wait until that is active",
        )


def _needed_of(known: StoreView) -> Iterator[tuple[str, tuple[Generation, ...]]]:
    """Yield each tenant, and what it has active or on its way."""
    for tenant, rollout in known.lanes:
        numbers = dict.fromkeys(filter(None, (rollout.target, rollout.active)))
        yield tenant, tuple(known.generations[each] for each in numbers)


def _other_layers(known: StoreView, platform: Platform) -> Iterator[Problem]:
    """Yield the layers with tests in them whose name would mean another tenant's layer."""
    for tenant, generations in _needed_of(known):
        tables = [table for each in generations for table in own_tables(known.lanes.handovers, each)]
        layers = Layers(tenant=tenant, owners=owners_of(platform, tenant))
        for each in not_shared(tables, layers):
            yield replace(each, file="tenants.yaml", line=0, rule="")


def _beyond(known: StoreView, platform: Platform) -> Iterator[Problem]:
    for tenant, rollout in known.lanes:
        limit = quota(platform, tenant)
        if not limit:
            continue
        sizes = sizes_of(tuple(known.generations[number] for number in rollout.loaded), sizes_in)
        loaded = sum(mib for models in sizes.values() for mib in models.values())
        if loaded > limit:
            yield Problem(
                file="tenants.yaml",
                code="BELOW_LOADED",
                message=f"tenant {tenant} has {loaded} MiB loaded, and is to have {limit} MiB",
                remedy="give it that much, until it has unpinned or published less",
            )
