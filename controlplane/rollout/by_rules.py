"""What the rules of a generation have begun by themselves once it is active: shifts in steps, shadows. Pure.

That a shift is to begin is in the commit that makes its table active by a publish, and so is its beginning
if nothing stands in its way; else it follows once what does is over by itself. One begins in a commit, whose
number is its own. What a table began is remembered: it begins nothing again. A rollback begins nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

from controlplane.lifecycle import operations
from controlplane.lifecycle.events import ControlEventKind, by_itself, event, model_of
from controlplane.lifecycle.guards import BadGuards
from controlplane.lifecycle.scene import Scene
from controlplane.lifecycle.state import ENDING, MAX_CONTROLS, MAX_TABLES, Begun, Control
from controlplane.lifecycle.terms import guards_of
from controlplane.rollout.controlled import NotObeyed, check_obeyed, scene_of
from controlplane.rollout.desired_state import Generations
from controlplane.rollout.failure import listed
from controlplane.rollout.lanes import Lanes
from controlplane.rollout.new_defaults import is_owner, new_default
from controlplane.rollout.registry import Consumer
from controlplane.rollout.shadows_by_rules import shadows_begun
from controlplane.rollout.state import Moment, Policy
from controlplane.store.contract import Event
from lightbulb.model import ObjectiveTable, Schedule, ShiftRule


class PassedOver(Exception):
    """A shift of rules that isn't begun; the message says why, and what can be done."""


def begun(  # noqa: PLR0913, PLR0917 - a pure function of all that counts
    before: Lanes,
    lanes: Lanes,
    generations: Generations,
    consumers: Collection[Consumer],
    policy: Policy,
    at: Moment,
) -> tuple[Lanes, tuple[Event, ...]]:
    """Return lanes once what the rules have begun has begun, and what happened.

    `lanes` came of `before` by publishes alone, and not by a rollback.
    """
    happened: list[Event] = []
    for tenant in _newly_active(before, lanes):
        lanes, told = _looked_through(before, lanes, generations, tenant, policy, at)
        happened += told
    for each in lanes.begun.values():
        if each.waits:
            scene = scene_of(lanes, generations, each.tenant, each.objective, policy)
            lanes, told = _tried(lanes, generations, consumers, each, scene, at)
            happened += told
        elif _needs(before, each.tenant) != _needs(lanes, each.tenant):
            scene = scene_of(lanes, generations, each.tenant, each.objective, policy)
            if not any(map(_begins, scene.tables)):
                lanes = lanes.without_begun(each.objective)
    return lanes, tuple(happened)


def _looked_through(  # noqa: PLR0913, PLR0917 - all that counts
    before: Lanes, lanes: Lanes, generations: Generations, tenant: str, policy: Policy, at: Moment
) -> tuple[Lanes, list[Event]]:
    """Return the lanes in which is noted what a tenant's tables, active by now, have to begin."""
    active, beyond, happened = lanes.rollouts[tenant].active, list[str](), list[Event]()
    for table in generations[active].plan.tables:
        if _begins(table) and _is_beyond(lanes, table.objective):
            beyond.append(table.objective)
        elif is_owner(lanes, tenant, table.objective):
            known = lanes.begun.get(table.objective)
            lanes = _noted(before, lanes, generations, tenant, table, policy, at)
            if table.shadows and lanes.begun.get(table.objective) != known:
                lanes, told = shadows_begun(lanes, generations, tenant, table, at)
                happened += told
    if beyond:
        why = f"{MAX_CONTROLS:,} objectives have shifts by their rules, so that these aren't begun"
        happened.append(_passed_over(tenant, active, f"{listed(tuple(beyond))}: {why}", at))
    return lanes, happened


def _is_beyond(lanes: Lanes, objective: str) -> bool:
    """Say whether there are too many to know of one more: the head has them all."""
    return len(lanes.begun) >= MAX_CONTROLS and objective not in lanes.begun


def _passed_over(tenant: str, active: int, detail: str, at: Moment) -> Event:
    return by_itself(ControlEventKind.SHIFT_PASSED_OVER, detail, tenant, at.now, active)


def _needs(lanes: Lanes, tenant: str) -> frozenset[int]:
    rollout = lanes.of(tenant)
    return frozenset() if rollout is None else rollout.needed


def scheduled(table: ObjectiveTable) -> tuple[ShiftRule, Schedule] | None:
    """Return the rule of a table whose steps the control plane takes; None: it has none."""
    return next(((each, each.schedule) for each in table.shifts if each.schedule is not None), None)


def _newly_active(before: Lanes, lanes: Lanes) -> Iterator[str]:
    for tenant, rollout in lanes:
        old = before.of(tenant)
        # What comes again, since the store lost it, was begun when it came first.
        again = old is not None and old.again
        if rollout.active and not again and (old is None or old.active != rollout.active):
            yield tenant


def _noted(  # noqa: PLR0913, PLR0917 - all that counts
    before: Lanes,
    lanes: Lanes,
    generations: Generations,
    tenant: str,
    table: ObjectiveTable,
    policy: Policy,
    at: Moment,
) -> Lanes:
    """Return the lanes in which is noted what a table that is active by now has yet to begin."""
    if not _begins(table) and table.probation is None:
        return lanes
    scene = scene_of(lanes, generations, tenant, table.objective, policy)
    if _begins(table):
        lanes = _to_begin(lanes, tenant, table.objective, scene, waits=scheduled(table) is not None)
    return new_default(before, lanes, generations, tenant, scene, at)


def _begins(table: ObjectiveTable) -> bool:
    """Say whether there is something that a table has begun once."""
    return scheduled(table) is not None or bool(table.shadows)


def _to_begin(lanes: Lanes, tenant: str, name: str, scene: Scene, *, waits: bool) -> Lanes:
    """Return the lanes in which an objective's table has begun, unless it had; a shift of it `waits`."""
    known = lanes.begun.get(name)
    tables = () if known is None else known.tables
    if known is not None and scene.hash in tables:  # perhaps another tenant's, which it is taken from
        return lanes if known.tenant == tenant else lanes.with_begun(replace(known, tenant=tenant))
    kept = (*tables, scene.hash)[-MAX_TABLES:]
    return lanes.with_begun(Begun(objective=name, tenant=tenant, tables=kept, waits=waits))


def _tried(  # noqa: PLR0913, PLR0917 - all that counts
    lanes: Lanes,
    generations: Generations,
    consumers: Collection[Consumer],
    each: Begun,
    scene: Scene,
    at: Moment,
) -> tuple[Lanes, list[Event]]:
    """Return the lanes once a shift that waited has begun, or never will."""
    done = replace(each, waits=False)
    if scene.hash != each.tables[-1] or not is_owner(lanes, each.tenant, each.objective):
        return lanes.with_begun(done), []  # another table is active by now, or another tenant's
    if waits_for(lanes, consumers, each) or lanes.has_number(at.version):
        return lanes, []
    author = generations[scene.active].author
    try:
        control = _control(lanes, each, scene, author, at)
    except PassedOver as error:
        passed_over = _passed_over(each.tenant, scene.active, f"{each.objective}: {error}", at)
        return lanes.with_begun(done), [passed_over]
    started = event(None, control, at.now)
    lanes = lanes.with_begun(done).with_control(control, at.version)
    return lanes, [] if started is None else [started]


def waits_for(lanes: Lanes, consumers: Collection[Consumer], each: Begun) -> str:
    """Return what a shift of rules waits for, which is over by itself; empty: nothing."""
    control, handover = lanes.controls.get(each.objective), lanes.handovers.get(each.objective)
    if control is not None and control.shift.state in ENDING:
        return f"shift {control.shift.number} to be over"
    if each.objective in lanes.held_back:
        return "the hold-back of it to be over"
    if handover is not None and handover.taken:
        return f"tenant {handover.taker} to take it"
    try:
        check_obeyed(consumers, each.tenant)
    except NotObeyed as error:
        return str(error)
    return ""


def _control(lanes: Lanes, each: Begun, scene: Scene, author: str, at: Moment) -> Control:
    """Return the control that a table's rule begins. Raises PassedOver."""
    table = scene.table
    assert table is not None, "another table would be active"
    found = scheduled(table)
    assert found is not None, "it was noted since its table has one"
    rule, schedule = found
    standing = lanes.controls.get(each.objective)
    by_hand = f"to begin it by hand, end that: lightbulb shift abort {each.objective}"
    if standing is not None:
        shift = standing.shift
        raise PassedOver(
            f"the shift of {rule.source} isn't begun, since shift {shift.number} to {model_of(shift.key)} "
            f"stands; {by_hand}, then lightbulb shift start {each.objective}"
        )
    if len(lanes.controls) >= MAX_CONTROLS:
        raise PassedOver(
            f"the shift of {rule.source} isn't begun: {MAX_CONTROLS} objectives have a shift; finish or "
            f"abort some, then lightbulb shift start {each.objective}"
        )
    try:
        guards = guards_of(schedule.guards, control=True)
    except BadGuards as error:
        raise PassedOver(f"the shift of {rule.source} isn't begun: {error}") from error
    target = table.models[rule.model]
    wanted = operations.Wanted(
        objective=each.objective,
        model=target.name,
        version=target.version,
        steps=schedule.steps,
        every=schedule.every,
        guards=guards,
        author=author,
        tenant=each.tenant,
    )
    return operations.begun(wanted, target, scene, operations.At(at.now, at.version), rule.source)
