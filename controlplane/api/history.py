"""The log, differences and the audit trail, as the API tells them."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import asdict

from controlplane.lifecycle.events import ControlEventKind
from controlplane.planning.difference import Difference
from controlplane.rollout.events import EventKind, kind_of
from controlplane.rollout.failure_codec import parse_cause
from controlplane.rollout.lanes import Lanes
from controlplane.rollout.state import Rollout
from controlplane.store.contract import Event, LogEntry
from lightbulb.v1 import control_plane_pb2 as pb

_KINDS = {kind.value: getattr(pb, f"EVENT_KIND_{kind.name}") for kind in (*EventKind, *ControlEventKind)}


def history_entry(entry: LogEntry, lanes: Lanes, withdrawn: Container[int]) -> pb.HistoryEntry:
    """Return a line of the log."""
    rollout = lanes.of(entry.tenant)
    return pb.HistoryEntry(
        generation=entry.number,
        content_hash=entry.content_hash,
        author=entry.author,
        message=entry.message,
        source_revision=entry.source_revision,
        published_at=entry.published_at,
        state="lost" if entry.is_lost else _state(entry.number, rollout, withdrawn),
        rolled_back=rollout is not None and entry.number in rollout.undone,
        tenant=entry.tenant,
    )


def _state(number: int, rollout: Rollout | None, withdrawn: Container[int]) -> str:
    if rollout is None:
        return ""
    if number == rollout.active:
        return "active"
    if number == rollout.target:
        return "on its way"
    if number in rollout.pinned:
        return "loaded, pinned"
    if number in rollout.live:
        return "loaded"
    return "withdrawn" if number in withdrawn else ""


def event(event: Event) -> pb.Event:
    """Return a line of the audit trail."""
    kind = kind_of(event)
    told = pb.Event(
        at=event.at,
        author=event.author,
        action=event.action,
        generation=event.generation,
        detail=event.detail,
        kind=_KINDS.get(event.kind if kind is None else kind.value, pb.EVENT_KIND_UNSPECIFIED),
        tenant=event.tenant,
    )
    if event.cause and kind is EventKind.WITHDRAWN:
        parse_cause(event.cause, told.failure)
    elif event.cause and kind is EventKind.ACTIVATED:
        parse_cause(event.cause, told.passed_over)
    return told


def difference(found: Difference, operator: str) -> pb.Difference:
    """Return how an objective or a shard differs, and what an operator decided about it."""
    return pb.Difference(
        kind=found.kind,
        name=found.name,
        added=found.added,
        removed=found.removed,
        moves=[pb.MovedUsers(**asdict(each)) for each in found.moves],
        operator=operator,
    )
