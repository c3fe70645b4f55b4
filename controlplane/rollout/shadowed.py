"""Shadows beside the rollouts: what they are laid over, and how they move on. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from controlplane.lifecycle.operations import At, TooManyControls
from controlplane.lifecycle.shadow import MAX_SHADOWED, Copies, Shadowed
from controlplane.lifecycle.shadow_advance import advance, beside
from controlplane.lifecycle.shadow_events import events
from controlplane.lifecycle.shadow_operations import Stage, WantedShadow, start
from controlplane.lifecycle.state import ShiftState
from controlplane.rollout.controlled import acknowledged
from controlplane.rollout.desired_state import Generations
from controlplane.rollout.lanes import Lanes
from controlplane.rollout.registry import Consumer
from controlplane.rollout.state import Moment, Policy
from controlplane.rollout.taking import table_of
from controlplane.store.contract import Event
from lightbulb.model import ObjectiveTable


def stage_of(lanes: Lanes, generations: Generations, tenant: str, objective: str) -> Stage:
    """Return how a tenant's objective is answered."""
    rollout = lanes.of(tenant)
    if rollout is None or not rollout.active:
        return Stage(generation=0, tables=(), primary="")
    held = lanes.held_back.get(objective)
    answering = [rollout.active]
    if held is not None and held.tenant == tenant and not held.until:
        answering = [held.answer_from, rollout.active]
    found = (table_of(generations[number], objective) for number in answering if number in generations)
    tables = tuple(table for table in found if table is not None)
    return Stage(generation=rollout.active, tables=tables, primary=_primary(lanes, objective, tables))


def _primary(lanes: Lanes, objective: str, tables: tuple[ObjectiveTable, ...]) -> str:
    """Return the key of whoever no rule is meant for: of a shift that is finished, everybody's."""
    if not tables:
        return ""
    control = lanes.controls.get(objective)
    if control is not None and control.shift.state is ShiftState.FINISHED:
        return control.shift.key
    return tables[0].models[tables[0].default_model].routing_key


def started(lanes: Lanes, before: Shadowed | None, wanted: WantedShadow, stage: Stage, at: At) -> Shadowed:
    """Return the objective's shadows with one more. Raises ControlRefused."""
    if before is None and len(lanes.shadows) >= MAX_SHADOWED:
        raise TooManyControls(
            f"{MAX_SHADOWED} objectives have shadows; stop some", objective=wanted.objective
        )
    return start(before, wanted, stage, at)


def shadows_beside(lanes: Lanes, generations: Generations, at: Moment) -> tuple[Lanes, tuple[Event, ...]]:
    """Return lanes whose shadows fit what is answered by now, and what became of these."""
    happened: list[Event] = []
    for each in lanes.shadows.values():
        stage = stage_of(lanes, generations, each.tenant, each.objective)
        following = beside(each, stage, At(at.now, at.version))
        if following != each:
            lanes = lanes.with_shadows(following, at.version)
            happened += events(each, following, at.now)
    return lanes, tuple(happened)


def shadows_moved_on(
    lanes: Lanes,
    generations: Generations,
    behind: Mapping[str, tuple[str, ...]],
    copies: Mapping[str, Copies],
    at: Moment,
) -> tuple[Lanes, tuple[Event, ...]]:
    """Return the lanes once each shadow has taken the step that it can take, and what happened.

    `behind` is by tenant which sidecars haven't acknowledged what is shown; `copies` is by a shadow's id what
    was counted.
    """
    lanes, told = shadows_beside(lanes, generations, at)
    happened = [*told]
    for each in lanes.shadows.values():
        if each.version == at.version:
            continue  # it is as it is by this very commit, which nobody has heard of
        following = advance(each, behind.get(each.tenant, ()), copies, At(at.now, at.version))
        if following is None:
            lanes = lanes.without_shadows(each.objective)
        elif following != each:
            lanes = lanes.with_shadows(following, at.version)
        if following != each:
            happened += events(each, following, at.now)
    return lanes, tuple(happened)


def sidecars_behind(
    lanes: Lanes, consumers: Collection[Consumer], now: float, policy: Policy
) -> Mapping[str, tuple[str, ...]]:
    """Return by tenant which sidecars haven't acknowledged what is shown of its shadows.

    Of a tenant whose shadows are all in force nobody is asked.
    """
    waiting = {
        each.tenant for each in lanes.shadows.values() if any(not shadow.in_force for shadow in each.shadows)
    }
    return {tenant: acknowledged(tenant, consumers, now, policy).sidecars for tenant in sorted(waiting)}


def shadow_ids(lanes: Lanes) -> tuple[str, ...]:
    """Return the ids of all shadows, those too that were stopped and that some sidecar may still have."""
    return tuple(shadow.id for each in lanes.shadows.values() for shadow in each.shadows)
