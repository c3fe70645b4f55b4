"""What the consumers of a status have acknowledged. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from controlplane.rollout.failure import MAX_LISTED, MAX_NAME, MAX_REASON, Refusal, listed, printable
from controlplane.rollout.failure_codec import refusal_from_proto
from lightbulb.ads.values import (
    ACTIVE_GENERATION,
    CLUSTER,
    ENDPOINTS,
    LISTENER,
    MODEL_ASSIGNMENT,
    OBJECTIVE_CONTROL,
    OBJECTIVE_TABLES,
    ROUTE,
    SCOPED_ROUTE,
    SIDECAR_STATE,
)
from lightbulb.model import NO_GENERATION
from lightbulb.v1 import control_plane_pb2 as pb

SYNCED = "synced"
FIRST = 3
"""Consumers that a line about a control names."""

_SHORT: Mapping[str, str] = MappingProxyType(
    {
        CLUSTER: "clusters",
        ENDPOINTS: "endpoints",
        LISTENER: "listener",
        SCOPED_ROUTE: "scopes",
        ROUTE: "routes",
        MODEL_ASSIGNMENT: "models",
        OBJECTIVE_TABLES: "tables",
        OBJECTIVE_CONTROL: "controls",
        SIDECAR_STATE: "sidecars",
        ACTIVE_GENERATION: "generation",
    }
)


def short_type(type_url: str) -> str:
    """Return what people call a resource type; of one that isn't known here the last part of its name."""
    return _SHORT.get(type_url) or type_url.rpartition("/")[2].rpartition(".")[2]


def first_of(waiting_for: Iterable[str]) -> str:
    """Return the consumers that a control waits for, as people read them; empty: there are none."""
    names = tuple(waiting_for)
    more = f" and {len(names) - FIRST} more" if len(names) > FIRST else ""
    return ", ".join(names[:FIRST]) + more


def lightbulbs(status: pb.GetStatusResponse) -> tuple[pb.Consumer, ...]:
    """Return the Lightbulbs of a status, by name."""
    found = (each for each in status.consumers if each.kind == "lightbulb")
    return tuple(sorted(found, key=lambda each: each.node_id))


def is_synced(consumer: pb.Consumer) -> bool:
    """Say whether a consumer has taken all that this version of the rollout shows it."""
    return not (consumer.waiting_for or consumer.rejected or consumer.disconnected or consumer.stale)


def _refused(consumer: pb.Consumer) -> str:
    told = [refusal_from_proto(each).bounded() for each in consumer.refusals]
    if consumer.rejected and not told:  # an older control plane's
        names = sorted(consumer.rejected)
        told = [
            Refusal(consumer_kind="", consumer_id="", resource=name, reason=consumer.rejected[name]).bounded()
            for name in names
        ]
    texts = dict.fromkeys(f"{each.what}: {each.reason}" for each in told)
    return listed(tuple(texts), consumer.more_refusals)


def loads_of(consumer: pb.Consumer, now: float | None = None) -> str:
    """Return what a host is loading, as people read it; with `now`, in Unix seconds, also since when."""
    return ", ".join(f"loading {_load(each, now)}" for each in consumer.loading[:MAX_LISTED])


def _load(load: pb.ModelLoading, now: float | None) -> str:
    since = "" if now is None else f" since {max(0.0, now - load.since):.0f} s"
    far = "" if load.fraction < 0.0 else f", {load.fraction:.0%}"
    text = f" ({printable(load.text, MAX_REASON)})" if load.text else ""
    return f"{printable(load.model, MAX_NAME)}{since}{far}{text}"


def state_of(consumer: pb.Consumer, now: float | None = None) -> str:
    """Return what a consumer has acknowledged, or what it lacks, as people read it.

    With `now`, in Unix seconds, also since when it loads what it loads.
    """
    refused = _refused(consumer)
    behind = ", ".join(map(short_type, consumer.waiting_for))
    state = (
        "disconnected"
        if consumer.disconnected
        else f"refused {refused}"
        if refused
        else f"not synced: {behind}"
        if behind
        else SYNCED
    )
    if consumer.silent:
        state = f"{state}; its heartbeats are missing"
    if consumer.disobeys:
        state = f"{state}; it obeys no shift and no hold-back: upgrade it"
    if loads := loads_of(consumer, now):
        state = f"{state}; {loads}"
    if consumer.answered_from == NO_GENERATION:
        return f"{state}; it routes nothing that is loaded"
    if consumer.answered_from:
        return f"{state}; its clients are answered from generation {consumer.answered_from}"
    return state
