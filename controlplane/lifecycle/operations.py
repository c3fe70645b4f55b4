"""What operators do to a shift. Pure: each takes what stands, and returns what stands then.

An operation that changes nothing returns what it was given, so that it may be repeated.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from controlplane.lifecycle.events import model_of
from controlplane.lifecycle.guards import Guards
from controlplane.lifecycle.scene import Scene
from controlplane.lifecycle.schedules import schedule_faults
from controlplane.lifecycle.state import (
    ENDING,
    MAX_WHY,
    SHIFTING,
    Control,
    Shift,
    ShiftState,
    percent,
    stands,
)
from lightbulb.model import ModelTarget, ObjectiveTable, Source, model_id
from lightbulb.resolution.resolve import shift_targets


class ControlRefused(Exception):
    """An operation on a control that can't be done now; the message says why, and what can be."""

    def __init__(self, message: str, *, objective: str) -> None:
        """Hold a message, and the objective that programs are told of."""
        super().__init__(message)
        self.about = {"objective": objective}


class InvalidShift(ControlRefused):
    """A schedule that no shift can have; `path` is the field that is wrong."""

    def __init__(self, message: str, *, objective: str, path: str) -> None:
        """Hold a message, the objective and the field."""
        super().__init__(message, objective=objective)
        self.path = path


class NoShift(ControlRefused):
    """A verb for an objective that has no shift."""


class ShiftStands(ControlRefused):
    """A start while another shift of the objective stands."""


class NotInThisState(ControlRefused):
    """A verb that a shift's state doesn't take."""


class NotServed(ControlRefused):
    """A shift of an objective, or to a model, that the active generation hasn't."""


class TooManyControls(ControlRefused):
    """A shift or a shadow when as many objectives have one as may."""


class ToItself(ControlRefused):
    """A shift to the model that the users get already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A shift as it is asked for. `version` empty: the only one there is of that model.

    `guards` None: none, or of one that goes on those that it has.
    """

    objective: str
    model: str
    version: str = ""
    steps: tuple[int, ...]
    every: float = 0.0
    guards: Guards | None = None
    author: str = ""
    tenant: str


@dataclass(frozen=True, slots=True)
class At:
    """Seconds of the store's clock, and the version that the head will have."""

    now: float
    version: int


def start(before: Control | None, wanted: Wanted, scene: Scene, at: At) -> Control:
    """Return the control with a shift that begins, or one to the same model that goes on to more.

    Raises ControlRefused.
    """
    check_schedule(wanted)
    table, target = _target(wanted, scene)
    if before is not None:
        return _raised(before, wanted, target, at)
    default = table.models[table.default_model]
    if target.routing_key == default.routing_key:
        raise ToItself(
            f"{wanted.objective}: {model_id(target.name, target.version)} is what its users get already",
            objective=wanted.objective,
        )
    return begun(wanted, target, scene, at)


def begun(wanted: Wanted, target: ModelTarget, scene: Scene, at: At, rule: Source | None = None) -> Control:
    """Return the control with a shift that begins, to a model of the scene's table; `rule`: it is by that."""
    default = scene.default
    assert default is not None, "who names a model has a table"
    shift = Shift(
        number=at.version,
        key=target.routing_key,
        default_key=default.routing_key,
        salt=f"shift:{wanted.objective}:{model_id(target.name, target.version)}",
        steps=wanted.steps,
        every=wanted.every,
        guards=wanted.guards or Guards(),
        generation=scene.active,
        table=scene.hash,
        entered=at.now,
        author=wanted.author,
        rule=rule,
    )
    return Control(objective=wanted.objective, tenant=wanted.tenant, shift=shift, version=at.version)


def check_schedule(wanted: Wanted) -> None:
    """Raise InvalidShift for steps that aren't shares, or that fall."""
    for path, message, remedy in schedule_faults(wanted.steps, wanted.every):
        raise InvalidShift(
            f"{wanted.objective}: {message}; {remedy}", objective=wanted.objective, path=f"start.{path}"
        )


def _target(wanted: Wanted, scene: Scene) -> tuple[ObjectiveTable, ModelTarget]:
    """Return the table, and the model in it that users are to get. Raises NotServed."""
    table = scene.table
    if table is None:
        raise NotServed(
            f"{wanted.tenant} serves no objective {wanted.objective} in generation {scene.active}; "
            "`lightbulb status` says what is active",
            objective=wanted.objective,
        )
    found = [
        each for each in table.models if each.name == wanted.model and wanted.version in {"", each.version}
    ]
    keys = {each.routing_key for each in found}
    if len(keys) == 1:
        return table, _with_parameters(table, wanted.objective, found[0])
    there = ", ".join(sorted({model_id(each.name, each.version) for each in table.models}))
    asked = model_id(wanted.model, wanted.version) if wanted.version else wanted.model
    if found:
        raise NotServed(
            f"{wanted.objective} has several versions of {asked}: say which of {there}",
            objective=wanted.objective,
        )
    raise NotServed(
        f"{wanted.objective} has no model {asked} in generation {scene.active}, only {there}; publish a rule "
        "that names it, say a shift of 0 %",
        objective=wanted.objective,
    )


def _with_parameters(table: ObjectiveTable, objective: str, model: ModelTarget) -> ModelTarget:
    """Return the one of a model's sets of parameters that users are to get. Raises NotServed."""
    targets = shift_targets(table, model.routing_key)
    if len(targets) > 1:
        raise NotServed(
            f"{objective} has {model_id(model.name, model.version)} with {len(targets)} sets of parameters, "
            "and none of them is the default model's: publish a shift of 0 % that says which",
            objective=objective,
        )
    return table.models[targets[0]]


def _raised(before: Control, wanted: Wanted, target: ModelTarget, at: At) -> Control:
    """Return a shift that goes on to other steps, of which none is less than where it stands."""
    shift = before.shift
    if shift.key != target.routing_key or shift.state in ENDING:
        raise ShiftStands(
            f"{before.objective} has shift {shift.number} to {model_of(shift.key)}, {stands(shift)}: "
            + (
                "wait until that is over"
                if shift.state in ENDING
                else f"finish or abort it first: lightbulb shift abort {before.objective}"
            ),
            objective=before.objective,
        )
    if shift.state not in {ShiftState.RUNNING, ShiftState.HELD}:
        raise _not_now(before, "change")
    if wanted.steps[0] < shift.basis_points:
        raise InvalidShift(
            f"{before.objective}: shift {shift.number} stands at {percent(shift.basis_points)}, and never "
            f"falls: begin with that or more; to give users back: lightbulb shift abort {before.objective}",
            objective=before.objective,
            path="start.steps",
        )
    guards = shift.guards if wanted.guards is None else wanted.guards
    changed = replace(shift, steps=wanted.steps, every=wanted.every, guards=guards, at=0)
    if changed == shift:
        return before
    if changed.basis_points == shift.basis_points:
        return replace(before, shift=changed)
    return shown(before, replace(changed, entered=at.now, in_force=0.0), at)


def hold(control: Control, why: str = "") -> Control:
    """Return the control with a shift that takes no step by itself. Raises NotInThisState."""
    if control.shift.state is ShiftState.HELD:
        return control
    if control.shift.state is not ShiftState.RUNNING:
        raise _not_now(control, "hold")
    return replace(control, shift=replace(control.shift, state=ShiftState.HELD, why=why[:MAX_WHY]))


def resume(control: Control, scene: Scene, at: At) -> Control:
    """Return the control with a shift that goes on; what it stands at lasts anew. Raises NotInThisState."""
    shift = control.shift
    if shift.state is ShiftState.RUNNING:
        return control
    if shift.state is not ShiftState.HELD:
        raise _not_now(control, "resume")
    # Whoever isn't shifted may get another default by now.
    default = shift.default_key if scene.default is None else scene.default.routing_key
    return shown(
        control,
        replace(shift, state=ShiftState.RUNNING, entered=at.now, in_force=0.0, why="", default_key=default),
        at,
        only_if=default != shift.default_key,
    )


def step(control: Control, at: At) -> Control:
    """Return the control at the shift's next step. Raises NotInThisState."""
    shift = control.shift
    if shift.state not in {ShiftState.RUNNING, ShiftState.HELD}:
        raise _not_now(control, "step")
    if shift.next_step is None:
        raise NotInThisState(
            f"{control.objective}: shift {shift.number} is at its last step, {percent(shift.basis_points)}: "
            "give it others by `lightbulb shift start`, or finish or abort it",
            objective=control.objective,
        )
    return stepped(control, at)


def stepped(control: Control, at: At) -> Control:
    """Return the control with its shift at the step after this one."""
    shift = control.shift
    return shown(control, replace(shift, at=shift.at + 1, entered=at.now, in_force=0.0), at)


def finish(control: Control, at: At) -> Control:
    """Return the control with a shift of everybody. Raises NotInThisState."""
    if control.shift.state is ShiftState.FINISHED:
        return control
    if control.shift.state not in SHIFTING:
        raise _not_now(control, "finish")
    finished = replace(control.shift, state=ShiftState.FINISHED, entered=at.now, in_force=0.0, why="")
    return shown(control, finished, at, only_if=finished.basis_points != control.shift.basis_points)


def abort(control: Control, at: At, why: str = "") -> Control:
    """Return the control with a shift of nobody; a shift that is aborted already stays as it is."""
    if control.shift.state in ENDING:
        return control
    aborted = replace(
        control.shift, state=ShiftState.ABORTING, entered=at.now, in_force=0.0, why=why[:MAX_WHY]
    )
    return shown(control, aborted, at)


def shown(control: Control, shift: Shift, at: At, *, only_if: bool = True) -> Control:
    """Return the control with a shift of which something else is shown, or nothing else."""
    return replace(control, shift=shift, version=at.version if only_if else control.version)


_CAN = {
    ShiftState.STARTING: "it can be aborted",
    ShiftState.RUNNING: "it can be held, stepped, finished or aborted",
    ShiftState.HELD: "it can be resumed, stepped, finished or aborted",
    ShiftState.FINISHED: "it can be aborted",
    ShiftState.ABORTING: "it ends by itself",
    ShiftState.CLEARING: "it ends by itself",
}


def _not_now(control: Control, verb: str) -> NotInThisState:
    shift = control.shift
    return NotInThisState(
        f"{control.objective}: shift {shift.number} is {stands(shift)}, so there is nothing to {verb}: "
        f"{_CAN[shift.state]}",
        objective=control.objective,
    )
