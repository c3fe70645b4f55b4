"""New defaults that are judged: a breach holds their objective back to its table of before. Pure.

One is judged from when a publish has made another table of its objective active, up to a time that its rule
says, or until yet another is. There is no control arm: all requests with its routing key are counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from controlplane.lifecycle.events import ControlEventKind, by_itself, model_of
from controlplane.lifecycle.guards import BadGuards
from controlplane.lifecycle.scene import Scene, says_the_same
from controlplane.lifecycle.state import MAX_CONTROLS, NewDefault, clock
from controlplane.lifecycle.terms import guards_of
from controlplane.lifecycle.verdict import Outcome, Verdict, worst
from controlplane.lifecycle.watching import NOT_JUDGED, Guarded, Judged
from controlplane.rollout.controlled import scene_of
from controlplane.rollout.desired_state import Generations
from controlplane.rollout.holding import WantedHoldBack, hold_back
from controlplane.rollout.lanes import Lanes
from controlplane.rollout.operations import Refused
from controlplane.rollout.state import Moment, Policy
from controlplane.rollout.taking import table_of
from controlplane.store.contract import Event


def guarded_of(lanes: Lanes) -> Mapping[str, Guarded]:
    """Return, by objective, what guards may undo."""
    new = {name: each for name, each in lanes.new_defaults.items() if each.number}
    shifts = {name: each.shift for name, each in lanes.controls.items() if each.shift.guards.each}
    return {**new, **shifts}


def is_owner(lanes: Lanes, tenant: str, objective: str) -> bool:
    """Say whether an objective, of which a tenant has a table, isn't another's by now."""
    handover = lanes.handovers.get(objective)
    return handover is None or handover.owner == tenant


def new_default(  # noqa: PLR0913, PLR0917 - all that counts
    before: Lanes, lanes: Lanes, generations: Generations, tenant: str, scene: Scene, at: Moment
) -> Lanes:
    """Return the lanes with a default that is to be judged, since the scene's table is active by a publish.

    Not the first table of an objective, nor the same as was active `before`.
    """
    table, rollout = scene.table, before.of(tenant)
    if table is None or table.probation is None or rollout is None or not rollout.active:
        return lanes
    name, old = table.objective, table_of(generations[rollout.active], table.objective)
    if old is None or says_the_same(old, table):
        return lanes
    if len(lanes.new_defaults) >= MAX_CONTROLS and name not in lanes.new_defaults:
        return lanes
    try:
        guards = guards_of(table.probation.guards, control=False)
    except BadGuards:  # a newer control plane's
        return lanes
    new = NewDefault(
        objective=name,
        tenant=tenant,
        key=table.models[table.default_model].routing_key,
        generation=scene.active,
        table=scene.hash,
        guards=guards,
        entered=at.now,
        until=at.now + table.probation.seconds,
        rule=table.default_source,
        author=generations[scene.active].author,
    )
    return lanes.with_new_default(new, at.version)


def put_to_the_test(
    lanes: Lanes, generations: Generations, judged: Mapping[str, Judged], policy: Policy, at: Moment
) -> tuple[Lanes, tuple[Event, ...]]:
    """Return the lanes after one look at each new default, and what happened; `judged` is by objective."""
    happened: list[Event] = []
    for new in lanes.new_defaults.values():
        scene = scene_of(lanes, generations, new.tenant, new.objective, policy)
        seen = judged.get(new.objective, NOT_JUDGED)
        if over := _over(lanes, new, scene):
            lanes, event = lanes.without_new_default(new, at.version), _ended(new, over, at)
        elif not new.number:
            lanes, event = _started(lanes, new, at)
        elif (found := worst(seen.verdicts)) is not None and found.outcome.undoes:
            lanes, event = _undone(lanes, generations, policy, new, found, at)
        elif at.now >= new.until:
            lanes, event = lanes.without_new_default(new, at.version), _ended(new, _told(seen), at)
        else:
            continue
        happened += [] if event is None else [event]
    return lanes, tuple(happened)


def _over(lanes: Lanes, new: NewDefault, scene: Scene) -> str:
    """Return why a default isn't to be judged any more; empty: it is."""
    control, held = lanes.controls.get(new.objective), lanes.held_back.get(new.objective)
    same = scene.active == new.generation or scene.hash == new.table
    if not same or not is_owner(lanes, new.tenant, new.objective):
        return "another table of the objective is active"
    if control is not None:
        return f"shift {control.shift.number} of the objective stands"
    if held is not None and held.table == new.table and not held.until:
        return "the objective is held back"
    if all(each == scene.table for each in scene.tables):
        return "no loaded generation has another table of the objective any more, to go back to"
    return ""


def _started(lanes: Lanes, new: NewDefault, at: Moment) -> tuple[Lanes, Event | None]:
    """Return the lanes once a default is judged: one begins in a commit, whose number is its own."""
    if lanes.has_number(at.version):
        return lanes, None
    by = f"{new.rule}, generation {new.generation}" + (f" of {new.author}" if new.author else "")
    guards = ", ".join(map(str, new.guards.each))
    told = f"is judged by {guards} until {clock(new.until)}; by {by}"
    lanes = lanes.with_new_default(replace(new, number=at.version), at.version)
    return lanes, _event(ControlEventKind.PROBATION_STARTED, new, told, at)


def _undone(  # noqa: PLR0913, PLR0917 - all that counts
    lanes: Lanes, generations: Generations, policy: Policy, new: NewDefault, found: Verdict, at: Moment
) -> tuple[Lanes, Event | None]:
    """Return the lanes with the objective held back; or without a default that can't be."""
    why = f"by its guard {found.text}"
    wanted = WantedHoldBack(objective=new.objective, tenant=new.tenant, why=why)
    lanes = lanes.without_new_default(new, at.version)
    try:
        following = hold_back(lanes, generations, policy, wanted, at)
    except Refused as error:
        return lanes, _ended(new, f"{why}, and isn't held back: {error}", at)
    number = following.held_back[new.objective].answer_from
    detail = f"{new.objective}: answered from generation {number}: {why}"
    return following, _plain(ControlEventKind.HELD_BACK, new, detail, at)


def _told(judged: Judged) -> str:
    """Return how it went, for people, once its time is over."""
    fine = bool(judged.verdicts) and all(each.outcome is Outcome.FINE for each in judged.verdicts)
    figures = "; ".join(each.text for each in judged.verdicts) or "nothing was counted"
    return f"{'it kept to its limits' if fine else 'too little was seen to say anything'}: {figures}"


def _ended(new: NewDefault, why: str, at: Moment) -> Event | None:
    if not new.number:
        return None
    return _event(ControlEventKind.PROBATION_ENDED, new, f"is judged no more: {why}", at)


def _event(kind: ControlEventKind, new: NewDefault, told: str, at: Moment) -> Event:
    return _plain(kind, new, f"{new.objective}: the default {model_of(new.key)} {told}", at)


def _plain(kind: ControlEventKind, new: NewDefault, detail: str, at: Moment) -> Event:
    return by_itself(kind, detail, new.tenant, at.now, new.generation)
