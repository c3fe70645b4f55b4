"""The state of a rollout and of everybody in it, as the API tells it."""

from __future__ import annotations

from datetime import UTC, datetime

from controlplane.replica.replica import Replica
from controlplane.rollout.advance import Progress, ends_at, retire_after
from controlplane.rollout.desired_state import sidecar_states
from controlplane.rollout.failure import missing, without
from controlplane.rollout.failure_codec import failure_to_proto, missing_to_proto, refusal_to_proto
from controlplane.rollout.registry import Consumer
from controlplane.rollout.state import UNDER_WAY, Phase, Rollout
from lightbulb.v1 import control_plane_pb2 as pb

MAX_REFUSALS = 100
"""Refusals of one consumer that are told."""

_PHASES = {phase: getattr(pb, f"PHASE_{phase.name}") for phase in Phase}


def status(replica: Replica) -> pb.GetStatusResponse:
    """Return what a replica knows."""
    known, rollout = replica.known, replica.known.rollout
    response = pb.GetStatusResponse(
        version=known.version, store_problem=replica.store_problem, replica=replica.name
    )
    for name, silent in sorted(replica.replicas().items()):
        response.replicas.add(name=name, silent=silent, leading=name == replica.leader)
    if rollout is None:
        response.detail = "nothing has been published"
    else:
        active = known.generations.get(rollout.active)
        held = [known.generations[number] for number in rollout.held]
        delay = retire_after(held, rollout.active, replica.policy)
        response.MergeFrom(
            _problems(rollout, replica.progress, ends_at(rollout, replica.progress, replica.policy, delay))
        )
        response.active_generation = rollout.active
        response.content_hash = active.content_hash if active is not None else ""
        response.phase = _PHASES[rollout.phase]
        response.target_generation = rollout.target
        response.live_generations.extend(rollout.live)
        response.pinned_generations.extend(rollout.pinned)
    _add_consumers(response, rollout, replica)
    return response


def _problems(rollout: Rollout, progress: Progress, end: float) -> pb.GetStatusResponse:
    """Return the part that tells who is waited for, and what became of the newest publish."""
    waited_for = progress.missing if rollout.phase in UNDER_WAY else missing((), progress.lagging)
    waiting = f"waiting for {waited_for}" if waited_for else _until(rollout.phase, end)
    failure = rollout.failure
    return pb.GetStatusResponse(
        detail="; ".join(part for part in (without(rollout.passed_over), waiting) if part),
        waiting_for=missing_to_proto(waited_for),
        passed_over=missing_to_proto(rollout.passed_over),
        ends_at=end,
        failed_generation=rollout.withdrawn if failure is not None else 0,
        failure=str(failure or ""),
        why_failed=failure_to_proto(failure),
    )


def _until(phase: Phase, end: float) -> str:
    if not end:
        return ""
    what = "clients may hold old keys" if phase is Phase.RETIRING else "requests may be under way"
    return f"{what} until {datetime.fromtimestamp(end, UTC):%H:%M:%S} UTC"


def _add_consumers(response: pb.GetStatusResponse, rollout: Rollout | None, replica: Replica) -> None:
    consumers, now, policy = replica.consumers, replica.now, replica.policy
    states = sidecar_states(rollout, consumers) if rollout is not None else {}
    active, newest = rollout.active if rollout is not None else 0, replica.shows_newest
    for consumer in consumers:
        if consumer.disconnected and now - consumer.since >= policy.lease:
            continue  # kept in mind, but nobody's concern
        state = states.get(consumer.id) if consumer.kind == "sidecar" else None
        added = response.consumers.add(
            node_id=consumer.id,
            kind=consumer.kind,
            shard=consumer.shard,
            waiting_for=consumer.waiting_for,
            disconnected=consumer.disconnected,
            answered_from=state.generation if state is not None and state.generation != active else 0,
            stale=not consumer.disconnected and not (newest and consumer.up_to_date),
        )
        if consumer.refusals:
            _add_refusals(added, consumer)


def _add_refusals(added: pb.Consumer, consumer: Consumer) -> None:
    told = [each.bounded() for each in consumer.refusals[:MAX_REFUSALS]]
    added.refusals.extend(map(refusal_to_proto, told))
    added.more_refusals = len(consumer.refusals) - len(told)
    added.rejected.update({each.what: each.reason for each in told})
