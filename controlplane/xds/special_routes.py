"""Special routes: what an objective's routes say of one key, before its map of all keys is asked. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from controlplane.lifecycle.state import SHIFTING, Control, ShiftState
from controlplane.lifecycle.views import operator_shift

MAX_SPECIAL = 64
"""Of one objective: Envoy looks at them one after the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecialRoute:
    """A route of one routing key. `name` is what its requests are counted under.

    `arm`: of those requests alone that say so; empty: of all. `withdrawn`: the key is answered as one that
    isn't known, so that whoever holds it resolves again.
    """

    name: str
    key: str
    arm: str = ""
    withdrawn: bool = False


def special_routes(control: Control) -> tuple[SpecialRoute, ...]:
    """Return a control's special routes: two that count its arms, or one that withdraws its key."""
    shift = control.shift
    if shift.state is ShiftState.CLEARING:
        name = f"shift-{shift.number}-withdrawn"
        return (SpecialRoute(name=name, key=shift.key, withdrawn=True),) if shift.refused else ()
    assert shift.state in {*SHIFTING, ShiftState.STARTING, ShiftState.ABORTING}
    arms = operator_shift(control)
    return (
        SpecialRoute(name=f"shift-{arms.candidate_arm}", key=shift.key, arm=arms.candidate_arm),
        SpecialRoute(name=f"shift-{arms.control_arm}", key=shift.default_key, arm=arms.control_arm),
    )


def by_tenant(controls: Iterable[Control]) -> Mapping[str, Mapping[str, tuple[SpecialRoute, ...]]]:
    """Return tenant -> objective -> its special routes; of those alone that have any."""
    found: dict[str, dict[str, tuple[SpecialRoute, ...]]] = {}
    for control in controls:
        special = special_routes(control)
        if special:
            found.setdefault(control.tenant, {})[control.objective] = special
    return found
