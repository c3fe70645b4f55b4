"""What Lightbulbs are shown of a control. Pure."""

from __future__ import annotations

from controlplane.lifecycle.state import Control, ShiftState
from lightbulb.model import ObjectiveControl, OperatorShift


def operator_shift(control: Control) -> OperatorShift:
    """Return the shift as Lightbulbs obey it."""
    shift = control.shift
    return OperatorShift(number=shift.number, key=shift.key, basis_points=shift.basis_points, salt=shift.salt)


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
