"""Shifts an objective's users to another model: what operators ask for, decided on the newest state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from controlplane.admin.commits import Caller, Commits, Step
from controlplane.admin.handovers import check_served, check_stays
from controlplane.admin.outcome import Outcome
from controlplane.admin.tenants import check_publisher
from controlplane.lifecycle import operations
from controlplane.lifecycle.events import happened
from controlplane.lifecycle.operations import At, NoShift, NotServed, TooManyControls, Wanted
from controlplane.lifecycle.scene import Scene
from controlplane.lifecycle.state import MAX_CONTROLS, Control
from controlplane.replica.replica import Replica, StoreView
from controlplane.rollout.controlled import check_obeyed, scene_of


class Verb(Enum):
    """What is done to a shift that stands."""

    HOLD = "hold"
    RESUME = "resume"
    STEP = "step"
    FINISH = "finish"
    ABORT = "abort"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A shift to start, or a verb for the one that stands."""

    objective: str
    start: Wanted | None = None
    verb: Verb | None = None


class ShiftOperator:
    """Of one replica."""

    def __init__(self, replica: Replica, commits: Commits) -> None:
        """Commit with `commits`."""
        self._replica = replica
        self._commits = commits

    async def shift(self, asked: Asked, caller: Caller) -> Outcome:
        """Start a shift of an objective of the caller's tenant, or do something to it.

        Raises ControlRefused, Refused, StoreError.
        """

        async def decide(known: StoreView) -> Step:
            check_publisher(known.platform, caller)
            return self._decided(known, asked, caller)

        return await self._commits.carry_out(decide, caller)

    def _decided(self, known: StoreView, asked: Asked, caller: Caller) -> Step:
        lanes, at = known.lanes, self._commits.at(known)
        before = lanes.controls.get(asked.objective)
        owner = caller.tenant if before is None else before.tenant
        if before is None or owner != caller.tenant:
            check_served(known, asked.objective, owner, caller.tenant)
        scene = scene_of(lanes, known.generations, caller.tenant, asked.objective, self._replica.policy)
        after = self._after(known, asked, before, scene, At(at.now, at.version), caller)
        outcome = Outcome(generation=scene.active, shift=after.shift.number, unchanged=after == before)
        if after == before:
            return Step(following=lanes, outcome=outcome)
        told = happened(before, after)
        kind, detail = told or (None, "")
        # A shift that is held or aborted keeps its author's words, which are told already.
        said = f": {caller.message}" if caller.message else ""
        is_told = bool(after.shift.why) and detail.endswith(f": {after.shift.why}")
        return Step(
            following=lanes.with_control(after, at.version),
            outcome=outcome,
            kind=kind,
            detail=detail if is_told else detail + said,
        )

    def _after(  # noqa: PLR0913, PLR0917 - all that counts
        self,
        known: StoreView,
        asked: Asked,
        before: Control | None,
        scene: Scene,
        at: At,
        caller: Caller,
    ) -> Control:
        if asked.start is not None:
            if before is None:
                check_obeyed(self._replica.consumers, caller.tenant)
                _check_may_start(known, asked.objective)
            return operations.start(before, asked.start, scene, at)
        if before is None:
            raise NoShift(
                f"{asked.objective} has no shift; to begin one: lightbulb shift start {asked.objective} "
                "--to MODEL --percent 5",
                objective=asked.objective,
            )
        assert asked.verb is not None
        verbs: dict[Verb, Callable[[], Control]] = {
            Verb.HOLD: lambda: operations.hold(before, caller.message),
            Verb.RESUME: lambda: operations.resume(before, scene, at),
            Verb.STEP: lambda: operations.step(before, at),
            Verb.FINISH: lambda: operations.finish(before, at),
            Verb.ABORT: lambda: operations.abort(before, at, caller.message),
        }
        return verbs[asked.verb]()


def _check_may_start(known: StoreView, objective: str) -> None:
    check_stays(known, objective, "shift")
    held = known.lanes.held_back.get(objective)
    if held is not None:
        raise NotServed(
            f"{objective} is held back: it is answered from generation {held.answer_from}; publish another "
            "table of it, and wait until that is over",
            objective=objective,
        )
    if len(known.lanes.controls) >= MAX_CONTROLS:
        raise TooManyControls(
            f"{MAX_CONTROLS} objectives have a shift; finish or abort some", objective=objective
        )
