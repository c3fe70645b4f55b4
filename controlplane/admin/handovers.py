"""Hands an objective from one tenant to another: its owner offers it, and the other takes it.

A take is a publish of what the control plane has already: the taker's newest plan, and the objective's part
of its owner's active one. So clients are answered as before, and whoever publishes next can go back to that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator
from dataclasses import replace

from controlplane.admin.commits import Caller, Commits, Step, ahead
from controlplane.admin.outcome import Outcome
from controlplane.admin.planner import publish_base
from controlplane.admin.tenants import check_publisher, check_tenant
from controlplane.lifecycle.operations import NotServed, ShiftStands
from controlplane.lifecycle.shadow_operations import ShadowStands
from controlplane.model import Plan
from controlplane.planning.beside import Release, plan_beside
from controlplane.planning.layers import Layers, not_shared, owners_of
from controlplane.planning.plan import led_to
from controlplane.planning.replan import rules_of, with_objectives
from controlplane.problems import Problem, WorkspaceError
from controlplane.replica.replica import Replica, StoreView
from controlplane.rollout.codec import plan_to_bytes
from controlplane.rollout.events import EventKind
from controlplane.rollout.handover import (
    MAX_HANDOVERS,
    Handover,
    NotEverywhere,
    NotOffered,
    NotTheirs,
    TooManyHandovers,
    offer,
    take_back,
)
from controlplane.rollout.lanes import Lanes
from controlplane.rollout.operations import NothingActive
from controlplane.rollout.state import Generation
from controlplane.rollout.taking import is_everywhere, table_of

OFFER_SECONDS = 7 * 86_400.0
"""How long an offer stands."""

OBJECTIVES = "objectives.yaml"


class HandoverOperator:
    """Of one replica."""

    def __init__(self, replica: Replica, commits: Commits) -> None:
        """Commit with `commits`."""
        self._replica = replica
        self._commits = commits

    async def offer(self, objective: str, to: str, caller: Caller, *, back: bool) -> Outcome:
        """Offer an objective of the caller's tenant to another, or take the offer back.

        Raises Refused, StoreError.
        """

        async def decide(known: StoreView) -> Step:
            check_publisher(known.platform, caller)
            return (
                self._taken_back(known, objective, caller)
                if back
                else self._offered(known, objective, to, caller)
            )

        return await self._commits.carry_out(decide, caller)

    async def take(self, objective: str, caller: Caller) -> Outcome:
        """Set the caller's tenant on its way to what it has and an objective that is on offer to it.

        Raises WorkspaceError when there is no room, Refused, Inconsistent, StoreError.
        """
        take, prepare = ahead(lambda known: asyncio.to_thread(self._take, known, objective, caller))
        return await self._commits.carry_out(take, caller, prepare)

    def _offered(self, known: StoreView, objective: str, to: str, caller: Caller) -> Step:
        check_tenant(known.platform, to)
        lanes, now = known.lanes, self._replica.now
        before = lanes.handovers.get(objective, Handover(objective=objective, owner=caller.tenant))
        check_served(known, objective, before.owner, caller.tenant)
        if to == caller.tenant:
            raise NotTheirs(f"objective {objective} is {to}'s already; name the tenant that is to have it")
        if objective not in lanes.handovers and len(lanes.handovers) >= MAX_HANDOVERS:
            raise TooManyHandovers(
                f"{MAX_HANDOVERS} objectives are on offer, or were handed over and are served still; take "
                "offers back that nobody takes"
            )
        offered = offer(before, to, now + OFFER_SECONDS, now)
        return self._step(known, offered, EventKind.OFFERED, f"{objective} to {to}", caller)

    def _taken_back(self, known: StoreView, objective: str, caller: Caller) -> Step:
        before = known.lanes.handovers.get(objective)
        if before is None or not before.taker or not before.until or before.owner != caller.tenant:
            check_served(known, objective, before.owner if before else caller.tenant, caller.tenant)
            return Step(following=known.lanes, outcome=Outcome(generation=0, unchanged=True))
        detail = f"{objective} from {before.taker}"
        return self._step(known, take_back(before), EventKind.TAKEN_BACK, detail, caller)

    def _step(
        self, known: StoreView, handover: Handover, kind: EventKind, detail: str, caller: Caller
    ) -> Step:
        return Step(
            following=known.lanes.with_handover(handover),
            outcome=Outcome(generation=known.lanes.rollouts[caller.tenant].active, until=handover.until),
            kind=kind,
            detail=f"{detail}: {caller.message}" if caller.message else detail,
        )

    def _take(self, known: StoreView, objective: str, caller: Caller) -> Step:
        check_publisher(known.platform, caller)
        lanes, tenant = known.lanes, caller.tenant
        found = lanes.handovers.get(objective)
        if found is not None and found.since and found.owner == tenant:
            return _unchanged(known, found.since)
        if found is not None and found.taken and found.taker == tenant:
            return _unchanged(known, found.taken)
        if objective in lanes.held_back:
            raise ShiftStands(
                f"{objective} is held back to an older generation; have its owner publish another table of "
                "it, and wait until that is over",
                objective=objective,
            )
        if objective in lanes.controls:
            shift = lanes.controls[objective].shift
            raise ShiftStands(
                f"{objective} has shift {shift.number}, {shift.state.value}: abort it, or publish "
                "its model as the default, and wait until it is over",
                objective=objective,
            )
        if objective in lanes.shadows:
            raise ShadowStands(
                f"{objective} has shadows: have its owner stop them: lightbulb shadow stop {objective}",
                objective=objective,
            )
        offered = _check_offered(known, objective, found, tenant, self._replica.now)
        rollout, owner = lanes.of(tenant), lanes.rollouts[offered.owner]
        if rollout is None or not rollout.active:
            raise NothingActive(
                f"tenant {tenant} has nothing active, beside which it could have {objective}: publish its "
                "workspace first; that may be without objectives"
            )
        newest, theirs = known.generations[rollout.newest], known.generations[owner.active].plan
        _check_layers(known, tenant, objective, theirs)
        whole = with_objectives(newest.plan, theirs, {objective})
        beside = [
            each
            for each in lanes.handovers.values()
            if each.taker == tenant and each.taken == rollout.target > 0
        ]
        takes = {objective, *(each.objective for each in beside)}
        plan, release = self._planned(known, whole, tenant, takes)
        source_hash = self._commits.entry(rollout.newest).source_hash
        detail = f"takes {objective} from {offered.owner}"
        told = replace(caller, message=f"{detail}: {caller.message}" if caller.message else detail)
        step = self._commits.on_its_way(known, plan_to_bytes(plan, source_hash), source_hash, release, told)
        number, following = step.outcome.generation, step.following
        taken = replace(offered, taken=number, taken_from=owner.active)
        # What it is taking already goes with it: it is in the plan that this one is made of.
        for each in (taken, *(replace(each, taken=number) for each in beside)):
            following = following.with_handover(each)
        return replace(step, following=following, kind=EventKind.TAKEN)

    def _planned(
        self, known: StoreView, whole: Plan, tenant: str, takes: Collection[str] = ()
    ) -> tuple[Plan, Release]:
        """Return the plan of what `whole` has, where that is already if it can. Raises WorkspaceError."""
        platform = known.platform
        assert platform is not None
        at, window = self._commits.at(known), self._replica.policy.window
        base = publish_base(
            platform, known.lanes, tenant, known.generations, at=at, window=window, takes=takes
        )
        return plan_beside(rules_of(whole, platform, tenant), replace(base, before=led_to(whole)))

    def adapted(self, known: StoreView, generation: Generation) -> tuple[Plan, Release] | None:
        """Return the plan of an older generation with what was handed to its tenant since, as it is now.

        And without what was handed to others. None when it may stay as it is. Raises WorkspaceError.
        """
        tenant, rollout = generation.tenant, known.lanes.rollouts[generation.tenant]
        handed = [each for each in known.lanes.handovers.values() if each.since]
        lost = {each.objective for each in handed if each.owner != tenant}
        lost = {each.objective for each in generation.plan.tables if each.objective in lost}
        came = {each.objective for each in handed if each.owner == tenant and each.since > generation.number}
        if not lost and not came:
            return None
        newest = known.generations[rollout.newest].plan
        return self._planned(known, with_objectives(generation.plan, newest, lost | came), tenant)


def kept_by(lanes: Lanes, tenant: str, names: Collection[str], now: float) -> Iterator[Problem]:
    """Yield what a publish of a tenant with these objectives would leave to nobody."""
    for objective, each in lanes.handovers.items():
        if each.owner != tenant or objective in names:
            continue
        if each.offered(now):
            yield Problem(
                file=OBJECTIVES,
                code="OBJECTIVE_OFFERED",
                message=f"objective {objective} is on offer to tenant {each.taker}, and isn't here",
                remedy=f"leave it in until {each.taker} has it; or take the offer back: lightbulb tenants "
                f"offer {objective} --tenant {tenant} --to {each.taker} --back",
            )
        elif each.since and not each.published:
            yield Problem(
                file=OBJECTIVES,
                code="OBJECTIVE_HANDED_OVER",
                message=f"objective {objective} came from tenant {each.former[-1]} with generation "
                f"{each.since}, and isn't here",
                remedy=f"add it, with its rules and models as {each.former[-1]} has them; once it was "
                "published here, it may be left out",
            )


def published(known: StoreView, lanes: Lanes, tenant: str, names: Collection[str]) -> Lanes:
    """Return the lanes after a publish of a tenant with these objectives.

    What is known of an objective that its owner has loaded no more is forgotten: it may be anybody's.
    """
    for objective, each in known.lanes.handovers.items():
        own = each.owner == tenant and objective in names
        if own and each.since:
            lanes = lanes.with_handover(replace(lanes.handovers[objective], published=True))
        elif not own and not _is_loaded(known, objective, each.owner):
            lanes = lanes.without_handover(objective)
    return lanes


def _check_layers(known: StoreView, tenant: str, objective: str, theirs: Plan) -> None:
    """Raise WorkspaceError when an objective has tests in a layer that isn't shared with who takes it.

    By that layer's name the taker's files would mean another one, and deal out its users anew.
    """
    layers = Layers(tenant=tenant, owners=owners_of(known.platform, tenant))
    problems = [*not_shared([each for each in theirs.tables if each.objective == objective], layers)]
    if problems:
        raise WorkspaceError(problems)


def _is_loaded(known: StoreView, objective: str, tenant: str) -> bool:
    rollout = known.lanes.of(tenant)
    numbers = rollout.needed if rollout is not None else ()
    return any(table_of(known.generations[number], objective) is not None for number in numbers)


def _unchanged(known: StoreView, number: int) -> Step:
    return Step(following=known.lanes, outcome=Outcome(generation=number, unchanged=True))


def check_served(known: StoreView, objective: str, owner: str, tenant: str) -> None:
    """Raise NotTheirs unless a tenant has an objective, and serves it."""
    rollout = known.lanes.of(tenant)
    active = rollout.active if rollout is not None and owner == tenant else 0
    if active and table_of(known.generations[active], objective) is not None:
        return
    other = _who_serves(known, objective)
    raise NotTheirs(
        f"tenant {tenant} serves no objective {objective}"
        + (f": it is {other}'s; say --tenant {other}" if other else "; `lightbulb status` has the tenants")
    )


def check_stays(known: StoreView, objective: str, what: str) -> None:
    """Raise NotServed for an objective of which `what` is to start, while another tenant takes it."""
    handover = known.lanes.handovers.get(objective)
    if handover is not None and handover.taken:
        raise NotServed(
            f"{objective} is on its way to tenant {handover.taker}; start the {what} there, once it has it",
            objective=objective,
        )


def _who_serves(known: StoreView, objective: str) -> str:
    if objective in known.lanes.handovers:
        return known.lanes.handovers[objective].owner
    for tenant, rollout in known.lanes:
        if rollout.active and table_of(known.generations[rollout.active], objective) is not None:
            return tenant
    return ""


def _check_offered(
    known: StoreView, objective: str, found: Handover | None, tenant: str, now: float
) -> Handover:
    """Return the offer of an objective to a tenant. Raises NotOffered, NotEverywhere."""
    if found is None or found.taker != tenant or not found.offered(now):
        owner = _who_serves(known, objective)
        if not owner:
            raise NotOffered(f"nobody serves an objective {objective}: publish it")
        if owner == tenant:
            raise NotOffered(f"objective {objective} is {tenant}'s already")
        raise NotOffered(
            f"objective {objective} is {owner}'s, and isn't on offer to {tenant}: have {owner} offer it: "
            f"lightbulb tenants offer {objective} --tenant {owner} --to {tenant}"
        )
    rollout = known.lanes.of(found.owner)
    active = rollout.active if rollout is not None else 0
    if not active or table_of(known.generations[active], objective) is None:
        raise NotOffered(
            f"{found.owner} serves {objective} no more; have it published there, or publish it here"
        )
    if not is_everywhere(known.lanes, found.owner):
        raise NotEverywhere(
            f"generation {active} of {found.owner} isn't everywhere yet, so that some are answered from an "
            "older one; `lightbulb status` says who lags. Take it then",
            generation=active,
        )
    return found
