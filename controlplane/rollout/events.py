"""What happened, for the audit trail. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from enum import Enum
from types import MappingProxyType

from controlplane.rollout.failure import NOBODY_MISSING, Failure, Missing, without
from controlplane.rollout.failure import superseded as superseded_by
from controlplane.rollout.failure_codec import cause_to_bytes
from controlplane.rollout.lanes import Lanes
from controlplane.rollout.state import UNDER_WAY, Phase, Rollout
from controlplane.store.contract import Event


class EventKind(Enum):
    """What sort of event it is: the word that is kept in the store."""

    PUBLISHED = "published"
    RELOADED = "reloaded"
    ROLLED_BACK = "rolled back"
    PINNED = "pinned"
    UNPINNED = "unpinned"
    ACTIVATED = "activated"
    WITHDRAWN = "withdrawn"
    WAITING = "waiting"
    RELEASING = "releasing"
    LOADING = "loading"
    ROUTING = "routing"
    RETIRING = "retiring"
    UNLOADING = "unloading"
    SETTLED = "settled"
    RESUMED = "resumed"
    OFFERED = "offered"
    TAKEN_BACK = "taken back"
    TAKEN = "taken"
    HANDED_OVER = "handed over"


_PHASES = MappingProxyType(
    {
        Phase.WAITING: EventKind.WAITING,
        Phase.RELEASING: EventKind.RELEASING,
        Phase.LOADING: EventKind.LOADING,
        Phase.ROUTING: EventKind.ROUTING,
        Phase.RETIRING: EventKind.RETIRING,
        Phase.UNLOADING: EventKind.UNLOADING,
        Phase.SETTLED: EventKind.SETTLED,
    }
)
_KINDS = MappingProxyType({kind.value: kind for kind in EventKind})


def events(before: Rollout, after: Rollout, now: float) -> tuple[Event, ...]:
    """Return what happened by itself between two states."""
    withdrawn = after.failure if after.withdrawn == before.target and not after.target else None
    if before.phase in UNDER_WAY and withdrawn is not None:
        return (_withdrawn(now, before.target, withdrawn),)
    if after.active != before.active:
        return (
            _event(now, EventKind.ACTIVATED, after.active, without(after.passed_over), after.passed_over),
        )
    return (_event(now, _PHASES[after.phase], after.target or after.active),)


def handed_over(before: Lanes, after: Lanes, now: float) -> tuple[Event, ...]:
    """Return what became another tenant's between two states, for the trail of who had it."""
    if after.handovers is before.handovers:
        return ()
    done = [
        each
        for name, each in after.handovers.items()
        if each.since and name in before.handovers and each.owner != before.handovers[name].owner
    ]
    return tuple(
        replace(
            _event(
                now,
                EventKind.HANDED_OVER,
                each.source,
                f"{each.objective} to {each.owner}, with generation {each.since}",
            ),
            tenant=each.former[-1],
        )
        for each in done
    )


def superseded(before: Rollout | None, after: Rollout, now: float) -> tuple[Event, ...]:
    """Return what an operation did to the generation that was on its way, if it ended that."""
    if before is None or not before.target or after.target == before.target:
        return ()
    failure = superseded_by(after.target or after.active, rollback=not after.target)
    return (_withdrawn(now, before.target, failure),)


def kind_of(event: Event) -> EventKind | None:
    """Return what sort of event it is; None for one that isn't known here.

    One that an older control plane wrote tells by its action alone.
    """
    return _KINDS.get(event.kind or event.action.partition(" from ")[0])


def withdrawn_of(events: Iterable[Event]) -> frozenset[int]:
    """Return the generations that were withdrawn; none of them was ever active."""
    return frozenset(event.generation for event in events if kind_of(event) is EventKind.WITHDRAWN)


def _withdrawn(now: float, generation: int, failure: Failure) -> Event:
    return _event(now, EventKind.WITHDRAWN, generation, str(failure), failure)


def _event(
    now: float, kind: EventKind, generation: int, detail: str = "", cause: Failure | Missing = NOBODY_MISSING
) -> Event:
    return Event(
        at=now,
        author="",
        action=kind.value,
        generation=generation,
        detail=detail,
        kind=kind.value,
        cause=cause_to_bytes(cause),
    )
