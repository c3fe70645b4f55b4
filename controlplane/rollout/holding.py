"""One objective that goes back to an older generation's table, while all others stay. Pure.

The older generation is live, so that all is routed and loaded, and is pinned for as long as anybody may be
answered from it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from controlplane.lifecycle.events import ControlEventKind, by_itself
from controlplane.lifecycle.scene import says_the_same
from controlplane.lifecycle.state import ENDING, MAX_WHY, HoldBack, stands
from controlplane.rollout.controlled import scene_of
from controlplane.rollout.desired_state import Generations
from controlplane.rollout.lanes import Lanes
from controlplane.rollout.operations import NothingActive, NotLoaded, Refused, pin, unpin
from controlplane.rollout.state import Moment, Policy, Rollout
from controlplane.rollout.taking import table_of
from controlplane.store.contract import Event


class NotHeldBack(Refused):
    """A rollback of one objective to what it can't be answered from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedHoldBack:
    """A hold-back as it is asked for. `answer_from` 0: the newest generation with another table."""

    objective: str
    tenant: str
    answer_from: int = 0
    author: str = ""
    why: str = ""


def hold_back(
    lanes: Lanes,
    generations: Generations,
    policy: Policy,
    wanted: WantedHoldBack,
    at: Moment,
) -> Lanes:
    """Return the lanes with an objective answered from an older generation; themselves when it is so already.

    Raises Refused.
    """
    tenant, objective = wanted.tenant, wanted.objective
    rollout = lanes.of(tenant)
    if rollout is None or not rollout.active:
        raise NothingActive("nothing is active yet; publish a workspace first")
    if objective in lanes.controls:
        shift = lanes.controls[objective].shift
        raise NotHeldBack(
            f"{objective} has shift {shift.number}, {stands(shift)}; "
            + (
                "wait until it is over"
                if shift.state in ENDING
                else f"abort it, and wait until it is over: lightbulb shift abort {objective}"
            )
        )
    number = wanted.answer_from or _before(rollout, generations, objective)
    known = lanes.held_back.get(objective)
    if known is not None and not known.until and known.answer_from == number:
        return lanes
    if known is not None:
        lanes = _let_go(lanes, known, at)
        rollout = lanes.rollouts[tenant]
    _check(rollout, generations, objective, number)
    pins = number not in rollout.pinned
    following = lanes.after(tenant, pin(rollout, number))
    scene = scene_of(lanes, generations, tenant, objective, policy)
    held = HoldBack(
        objective=objective,
        tenant=tenant,
        version=at.version,
        rejected=rollout.active,
        table=scene.hash,
        answer_from=number,
        pins=pins,
        entered=at.now,
        author=wanted.author,
        why=wanted.why[:MAX_WHY],
    )
    return following.with_hold_back(held, at.version)


def _check(rollout: Rollout, generations: Generations, objective: str, number: int) -> None:
    if number not in rollout.live:
        loaded = ", ".join(map(str, sorted(rollout.live)))
        raise NotLoaded(f"generation {number} is not loaded; loaded are {loaded}", generation=number)
    wanted = table_of(generations[number], objective)
    if wanted is None:
        raise NotHeldBack(f"generation {number} has no objective {objective}", generation=number)
    if says_the_same(wanted, table_of(generations[rollout.active], objective)):
        raise NotHeldBack(
            f"{objective} is the same in generation {number} as in generation {rollout.active}, which is "
            "active: it is answered so already",
            generation=number,
        )


def _before(rollout: Rollout, generations: Generations, objective: str) -> int:
    """Return the newest live generation with another table of an objective. Raises NotHeldBack."""
    now = table_of(generations[rollout.active], objective)
    for number in reversed(rollout.live):
        table = table_of(generations[number], objective)
        if table is not None and not says_the_same(table, now) and number not in rollout.undone:
            return number
    raise NotHeldBack(
        f"no generation that is loaded has another table of {objective} than generation {rollout.active}, "
        "which is active; name one of `lightbulb history`, or publish",
        generation=rollout.active,
    )


def held_beside(
    lanes: Lanes, generations: Generations, policy: Policy, at: Moment
) -> tuple[Lanes, tuple[Event, ...]]:
    """Return lanes in which nothing is held back but from the table that was rejected, and what ended."""
    ended: list[Event] = []
    for hold in lanes.held_back.values():
        if hold.until:
            if at.now >= hold.until:
                lanes = _let_go(lanes, hold, at)
            continue
        scene = scene_of(lanes, generations, hold.tenant, hold.objective, policy)
        if scene.active == hold.rejected:
            continue
        if scene.hash == hold.table:  # the same by another number, which outlives the first
            again = replace(hold, rejected=scene.active, version=at.version)
            lanes = lanes.with_hold_back(again, at.version)
        elif scene.settled:
            over = replace(hold, version=at.version, until=at.now + scene.outlives)
            lanes = lanes.with_hold_back(over, at.version)
            detail = f"{hold.objective}: generation {scene.active} has another table of it"
            kind = ControlEventKind.HOLD_BACK_ENDED
            ended.append(by_itself(kind, detail, hold.tenant, at.now, scene.active))
    return lanes, tuple(ended)


def _let_go(lanes: Lanes, hold: HoldBack, at: Moment) -> Lanes:
    """Return the lanes without what was held back, and without the pin that was for that."""
    lanes = lanes.without_hold_back(hold.objective)
    if not hold.until:
        lanes = lanes.shown_anew(hold.tenant, at.version)
    rollout = lanes.of(hold.tenant)
    if rollout is None or not hold.pins or hold.answer_from not in rollout.pinned:
        return lanes
    others = (each for each in lanes.held_back.values() if each.answer_from == hold.answer_from)
    heir = next(others, None)
    if heir is not None:
        return lanes.with_hold_back(replace(heir, pins=True), at.version)
    return lanes.after(hold.tenant, unpin(rollout, hold.answer_from))


def check_pin(lanes: Lanes, number: int) -> None:
    """Raise NotHeldBack for a generation that an objective is answered from: its pin can't be released."""
    held = [each.objective for each in lanes.held_back.values() if each.answer_from == number]
    if held:
        raise NotHeldBack(
            f"{held[0]} is answered from generation {number}; it is let go once a publish with another table "
            "of that is active",
            generation=number,
        )
