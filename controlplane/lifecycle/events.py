"""What happened to a control, for the audit trail. Pure."""

from __future__ import annotations

from enum import Enum

from controlplane.lifecycle.state import Control, ShiftState, percent
from controlplane.planning.schedules import duration_text
from controlplane.store.contract import Event
from lightbulb.model import KEY_SEPARATOR, model_id


class ControlEventKind(Enum):
    """What sort of event it is: the word that is kept in the store."""

    SHIFT_STARTED = "shift started"
    SHIFT_CHANGED = "shift changed"
    SHIFT_STEPPED = "shift stepped"
    SHIFT_HELD = "shift held"
    SHIFT_RESUMED = "shift resumed"
    SHIFT_FINISHED = "shift finished"
    SHIFT_ABORTED = "shift aborted"
    SHIFT_ENDED = "shift ended"
    HELD_BACK = "held back"
    HOLD_BACK_ENDED = "hold-back ended"
    SHADOW_STARTED = "shadow started"
    SHADOW_CHANGED = "shadow changed"
    SHADOW_STOPPED = "shadow stopped"
    SHADOW_PASSED_OVER = "shadow passed over"
    SHIFT_PASSED_OVER = "shift passed over"
    PROBATION_STARTED = "probation started"
    PROBATION_ENDED = "probation ended"


def happened(before: Control | None, after: Control | None) -> tuple[ControlEventKind, str] | None:
    """Return what became of a control between two states, and its text; None when nothing worth telling."""
    if after is None:
        assert before is not None
        how = "the rules say so by now" if before.shift.basis_points else "nobody can hold its key any more"
        return ControlEventKind.SHIFT_ENDED, f"{told(before)}: {how}"
    if before is None or before.shift.number != after.shift.number:
        return ControlEventKind.SHIFT_STARTED, f"{told(after)}, by {_schedule(after)}{_by_rule(after)}"
    return _became(before, after)


def _became(before: Control, after: Control) -> tuple[ControlEventKind, str] | None:
    old, new = before.shift, after.shift
    if new.state is not old.state and (kind := _kind_of(old.state, new.state)) is not None:
        why = f": {new.why}" if new.why else ""
        share = percent(old.basis_points)
        if new.state is ShiftState.FINISHED and new.basis_points != old.basis_points:
            share = f"{share} → {percent(new.basis_points)}"
        return kind, f"{told(after)}, at {share}{why}"
    if (new.steps, new.every, new.guards) != (old.steps, old.every, old.guards):
        return ControlEventKind.SHIFT_CHANGED, f"{told(after)}, on by {_schedule(after)}"
    if new.at != old.at:
        steps = f"{percent(old.basis_points)} → {percent(new.basis_points)}"
        return ControlEventKind.SHIFT_STEPPED, f"{told(after)}, {steps}"
    if new.why != old.why and new.why:
        return ControlEventKind.SHIFT_CHANGED, f"{told(after)}: {new.why}"
    return None


def _kind_of(before: ShiftState, after: ShiftState) -> ControlEventKind | None:
    if (before, after) == (ShiftState.HELD, ShiftState.RUNNING):
        return ControlEventKind.SHIFT_RESUMED
    return _KINDS.get(after)


_KINDS = {
    ShiftState.HELD: ControlEventKind.SHIFT_HELD,
    ShiftState.FINISHED: ControlEventKind.SHIFT_FINISHED,
    ShiftState.ABORTING: ControlEventKind.SHIFT_ABORTED,
}


def _by_rule(control: Control) -> str:
    shift = control.shift
    if shift.rule is None:
        return ""
    published = f" of {shift.author}" if shift.author else ""
    return f"; by {shift.rule}, generation {shift.generation}{published}"


def told(control: Control) -> str:
    """Return which shift it is, for people."""
    return f"{control.objective}: shift {control.shift.number} to {model_of(control.shift.key)}"


def model_of(key: str) -> str:
    """Return the model of a routing key: "name@version"."""
    _, name, version = key.split(KEY_SEPARATOR, 2)
    return model_id(name, version)


def _schedule(control: Control) -> str:
    shift = control.shift
    steps = ", ".join(map(percent, shift.steps))
    every = f" every {duration_text(shift.every)}" if shift.every else ""
    guarded = f", guarded by {', '.join(map(str, shift.guards.each))}" if shift.guards.each else ""
    return f"{steps}{every}{guarded}"


def event(before: Control | None, after: Control | None, now: float) -> Event | None:
    """Return the line of the trail for what the system did by itself."""
    found = happened(before, after)
    either = after or before
    if found is None or either is None:
        return None
    kind, detail = found
    return by_itself(kind, detail, either.tenant, now)


def by_itself(kind: ControlEventKind, detail: str, tenant: str, now: float, generation: int = 0) -> Event:
    """Return a line of the trail of which nobody is the author."""
    return Event(
        at=now,
        author="",
        action=kind.value,
        generation=generation,
        detail=detail,
        kind=kind.value,
        tenant=tenant,
    )
