"""What a step of the rollout means, for the audit trail. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from controlplane.rollout.state import UNDER_WAY, Phase, Rollout
from controlplane.store.contract import Event

_WITHDRAWN = "withdrawn"

_PHASES = {
    Phase.LOADING: "loading",
    Phase.ROUTING: "routing",
    Phase.RETIRING: "retiring",
    Phase.UNLOADING: "unloading",
    Phase.SETTLED: "settled",
}


def events(before: Rollout, after: Rollout, now: float) -> tuple[Event, ...]:
    """Return what happened by itself between two states."""
    if before.phase in UNDER_WAY and after.withdrawn == before.target and not after.target:
        return (_event(now, _WITHDRAWN, before.target, after.failure),)
    if after.active != before.active:
        return (_event(now, "activated", after.active, after.note),)
    return (_event(now, _PHASES[after.phase], after.target or after.active, ""),)


def superseded(before: Rollout | None, after: Rollout, now: float) -> tuple[Event, ...]:
    """Return what an operation did to the generation that was on its way, if it ended that."""
    if before is None or not before.target or after.target == before.target:
        return ()
    by = f"generation {after.target}" if after.target else f"the rollback to generation {after.active}"
    return (_event(now, _WITHDRAWN, before.target, f"superseded by {by}"),)


def withdrawn_of(events: Iterable[Event]) -> frozenset[int]:
    """Return the generations that were withdrawn; none of them was ever active."""
    return frozenset(event.generation for event in events if event.action == _WITHDRAWN)


def _event(now: float, action: str, generation: int, detail: str) -> Event:
    return Event(at=now, author="", action=action, generation=generation, detail=detail)
