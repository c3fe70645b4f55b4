"""How a control moves on by itself. Pure: acknowledgements and the time go in, the next control comes out."""

from __future__ import annotations

from dataclasses import dataclass, replace

from controlplane.lifecycle.operations import At, abort, hold, shown, stepped
from controlplane.lifecycle.scene import Scene
from controlplane.lifecycle.state import ENDING, SHIFTING, Control, Shift, ShiftState
from controlplane.lifecycle.verdict import Outcome, worst
from controlplane.lifecycle.watching import BLIND_INTERVALS, NOT_JUDGED, Judged


@dataclass(frozen=True, slots=True, kw_only=True)
class Acked:
    """Who hasn't acknowledged what is shown of a control, of those who count: names, for people.

    A sidecar that lags only fails to be counted; a Lightbulb that lags shifts as it did before.
    """

    sidecars: tuple[str, ...] = ()
    lightbulbs: tuple[str, ...] = ()


def reconciled(control: Control, scene: Scene, at: At) -> Control:
    """Return a control as it is beside the generations that there are by now; itself when that changes none.

    Another table of the objective holds its shift, and one without its model aborts it: in the very commit
    that makes it active. It never starts, raises or resumes anything.
    """
    shift = control.shift
    if shift.refused and scene.leads_to(shift.key):
        # Somebody is about to be told the key again: it has to be routed before.
        control = replace(control, shift=replace(shift, refused=False), version=at.version)
        shift = control.shift
    if scene.active == shift.generation:
        return control
    looked_at = replace(control, shift=replace(shift, generation=scene.active))
    if shift.state in ENDING or scene.hash == shift.table:
        return looked_at
    if not scene.has(shift.key):
        what = "the objective" if scene.table is None else "its model"
        return abort(looked_at, at, f"generation {scene.active} hasn't {what}")
    # One that was starting is told to Lightbulbs now.
    version = at.version if shift.state is ShiftState.STARTING else control.version
    return replace(looked_at, shift=_beside(looked_at.shift, scene), version=version)


def _beside(shift: Shift, scene: Scene) -> Shift:
    """Return a shift beside another table, which has its model."""
    why = f"generation {scene.active} changed the objective's table: look, then resume, finish or abort it"
    changed = replace(shift, table=scene.hash, why=why)
    if shift.state in {ShiftState.STARTING, ShiftState.RUNNING}:
        return replace(changed, state=ShiftState.HELD)
    return changed


def advance(  # noqa: PLR0913, PLR0917 - a pure function of all that counts
    control: Control,
    scene: Scene,
    acked: Acked,
    patience: float,
    at: At,
    judged: Judged = NOT_JUDGED,
) -> Control | None:
    """Return the control after one look; itself when nothing changes, None when it is over.

    `patience` is for how many seconds sidecars are waited for; `judged` is what its guards say.
    """
    shift = control.shift
    match shift.state:
        case ShiftState.STARTING:
            return _starting(control, acked, patience, judged, at)
        case ShiftState.ABORTING:
            return control if acked.lightbulbs else _cleared(control, scene, at)
        case ShiftState.CLEARING:
            return _clearing(control, scene, acked, at)
        case _:
            return _guarded(control, judged, at) or _in_force(control, scene, acked, judged, at)


def _starting(control: Control, acked: Acked, patience: float, judged: Judged, at: At) -> Control:
    """Return the control until sidecars count its arms, and answers agree if its guards want that."""
    shift = control.shift
    undone = _undone(control, judged, at)
    if undone is not None:
        return undone
    if acked.sidecars and at.now - shift.entered < patience:
        return control
    if shift.guards.want_agreement and not judged.agreed:
        return control
    return shown(control, replace(shift, state=ShiftState.RUNNING, entered=at.now), at)


def _cleared(control: Control, scene: Scene, at: At) -> Control:
    """Return the control once no Lightbulb hands out the shift's key: sidecars refuse it from now on.

    Not if the rules lead to it besides. Whoever holds an answer with it is refused, and asks again: not one
    request more comes to the model.
    """
    shift = control.shift
    return shown(
        control,
        replace(
            shift,
            state=ShiftState.CLEARING,
            entered=at.now,
            until=at.now + scene.outlives,
            refused=not scene.leads_to(shift.key),
        ),
        at,
    )


def _clearing(control: Control, scene: Scene, acked: Acked, at: At) -> Control | None:
    """Return the control until no client can hold the shift's key.

    And after that, at no user, while the very rules that it was aborted under shift to its model: whoever
    took that away, took it away. The key is routed again then.
    """
    shift = control.shift
    if at.now < shift.until:
        if shift.in_force or acked.sidecars:
            return control
        return replace(control, shift=replace(shift, in_force=at.now))
    if not scene.shifts_to(shift.key) or scene.hash != shift.table:
        return None
    return shown(control, replace(shift, refused=False), at) if shift.refused else control


def _guarded(control: Control, judged: Judged, at: At) -> Control | None:
    """Return the control as its guards undo or hold it; None when they don't.

    One that is held, or finished, is judged like any other.
    """
    undone = _undone(control, judged, at)
    if undone is not None:
        return undone
    if judged.blind >= BLIND_INTERVALS and control.shift.state is ShiftState.RUNNING:
        return hold(
            control, "its guards are blind: too few sidecars tell figures; look, then resume or abort"
        )
    return None


def _undone(control: Control, judged: Judged, at: At) -> Control | None:
    found = worst(judged.verdicts)
    if found is not None and found.outcome.undoes:
        return abort(control, at, f"by its guard {found.text}")
    return None


def _in_force(control: Control, scene: Scene, acked: Acked, judged: Judged, at: At) -> Control | None:
    shift = control.shift
    assert shift.state in SHIFTING
    if scene.settled and scene.default is not None and scene.default.routing_key == shift.key:
        return None  # the rules say by now what it said
    if not shift.in_force:
        return control if acked.lightbulbs else replace(control, shift=replace(shift, in_force=at.now))
    return stepped(control, at) if _may_step(shift, judged, at.now) else control


def _may_step(shift: Shift, judged: Judged, now: float) -> bool:
    """Say whether the next step is due: its time has come, and each guard has seen enough, and no harm."""
    if shift.state is not ShiftState.RUNNING or not shift.every or shift.next_step is None:
        return False
    if now - shift.in_force < shift.every:
        return False
    if not shift.guards.each:
        return True
    seen = bool(judged.verdicts) and judged.step == shift.basis_points  # or nobody has looked yet
    return seen and all(each.outcome is Outcome.FINE for each in judged.verdicts)
