"""What Lightbulbs are shown of a control. Pure."""

from __future__ import annotations

from controlplane.lifecycle.state import Control, HoldBack, NewDefault, ShiftState
from lightbulb.model import SHADOW_CLUSTERS, HeldBack, ObjectiveControl, OperatorShift


def operator_shift(control: Control) -> OperatorShift:
    """Return the shift as Lightbulbs obey it."""
    shift = control.shift
    return OperatorShift(
        number=shift.number,
        key=shift.key,
        basis_points=shift.basis_points,
        salt=shift.salt,
        rule=shift.rule,
    )


def objective_control(control: Control) -> ObjectiveControl | None:
    """Return what Lightbulbs get; None while they are to know nothing of it.

    One that ends stands in place of the rules' own shift still, at no user.
    """
    if control.shift.state is ShiftState.STARTING:
        return None
    return ObjectiveControl(
        objective=control.objective, version=control.version, shift=operator_shift(control)
    )


def route_of(arm: str) -> str:
    """Return the name of the route that an arm's requests are counted by."""
    return f"shift-{arm}"


def cluster_of(shadow: str) -> str:
    """Return the name of the cluster that a shadow's copies go to, by its id."""
    return SHADOW_CLUSTERS + shadow


def route_of_default(new: NewDefault) -> str:
    """Return the name of the route that a new default's requests are counted by."""
    return f"default-{new.number}"


def held_back(hold_back: HoldBack) -> ObjectiveControl | None:
    """Return what Lightbulbs get of an objective that is held back; None once that is over."""
    if hold_back.until:
        return None
    return ObjectiveControl(
        objective=hold_back.objective,
        version=hold_back.version,
        held_back=HeldBack(rejected=hold_back.rejected, answer_from=hold_back.answer_from),
    )
