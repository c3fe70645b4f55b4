"""Has copies of an objective's requests sent to other models: decided on the newest state."""

from __future__ import annotations

from dataclasses import dataclass

from controlplane.admin.commits import Caller, Commits, Step
from controlplane.admin.handovers import check_served, check_stays
from controlplane.admin.outcome import Outcome
from controlplane.admin.tenants import check_publisher
from controlplane.lifecycle import shadow_operations as operations
from controlplane.lifecycle.operations import At
from controlplane.lifecycle.shadow import Ends, Shadowed
from controlplane.lifecycle.shadow_events import happened
from controlplane.lifecycle.shadow_operations import NoShadow, WantedShadow
from controlplane.replica.replica import Replica, StoreView
from controlplane.rollout.shadowed import stage_of, started


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Other settings for the shadows of a model, or of all; None: as they are."""

    model: str = ""
    version: str = ""
    basis_points: int | None = None
    ends: Ends | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """The shadows of a model to end, or all."""

    model: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowAsked:
    """What is to be done with an objective's shadows."""

    objective: str
    what: WantedShadow | Change | Stop


class ShadowOperator:
    """Of one replica."""

    def __init__(self, replica: Replica, commits: Commits) -> None:
        """Commit with `commits`."""
        self._replica = replica
        self._commits = commits

    async def shadow(self, asked: ShadowAsked, caller: Caller) -> Outcome:
        """Begin, change or stop shadows of an objective of the caller's tenant.

        Raises ControlRefused, Refused, StoreError.
        """

        async def decide(known: StoreView) -> Step:
            check_publisher(known.platform, caller)
            return self._decided(known, asked, caller)

        return await self._commits.carry_out(decide, caller)

    def _decided(self, known: StoreView, asked: ShadowAsked, caller: Caller) -> Step:
        lanes, at = known.lanes, self._commits.at(known)
        before = lanes.shadows.get(asked.objective)
        owner = caller.tenant if before is None else before.tenant
        if before is None or owner != caller.tenant:
            check_served(known, asked.objective, owner, caller.tenant)
        after = _after(known, asked, before, At(at.now, at.version), caller)
        told = happened(before, after)
        rollout = lanes.of(caller.tenant)
        outcome = Outcome(
            generation=0 if rollout is None else rollout.active,
            shadows=_about(before, after),
            unchanged=after == before,
        )
        if after == before:
            return Step(following=lanes, outcome=outcome)
        detail = "; ".join(text for _, text in told)
        return Step(
            following=lanes.with_shadows(after, at.version),
            outcome=outcome,
            kind=told[0][0] if told else None,
            detail=f"{detail}: {caller.message}" if caller.message else detail,
        )


def _after(known: StoreView, asked: ShadowAsked, before: Shadowed | None, at: At, caller: Caller) -> Shadowed:
    match asked.what:
        case WantedShadow() as wanted:
            if before is None:
                check_stays(known, asked.objective, "shadow")
            stage = stage_of(known.lanes, known.generations, caller.tenant, asked.objective)
            return started(known.lanes, before, wanted, stage, at)
        case what if before is None:
            raise NoShadow(
                f"{asked.objective} has no shadow; to begin one: lightbulb shadow start {asked.objective} "
                "MODEL --percent 10",
                objective=asked.objective,
            )
        case Change() as change:
            return operations.change(
                before, change.model, change.version, change.basis_points, change.ends, at
            )
        case Stop() as what:
            return operations.stop(before, what.model, what.version, at, caller.message)


def _about(before: Shadowed | None, after: Shadowed) -> tuple[str, ...]:
    """Return the ids of the shadows that are others than they were, or of all when none is."""
    known = () if before is None else before.shadows
    return tuple(each.id for each in after.shadows if each not in known) or tuple(
        each.id for each in after.standing
    )
