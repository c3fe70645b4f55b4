"""The state of a rollout and of everybody in it, as the API tells it."""

from __future__ import annotations

from controlplane.replica.replica import Replica
from controlplane.rollout.advance import Progress
from controlplane.rollout.desired_state import sidecar_states
from controlplane.rollout.state import UNDER_WAY, Phase, Rollout, listed
from lightbulb.v1 import control_plane_pb2 as pb

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
        response.active_generation = rollout.active
        response.content_hash = active.content_hash if active is not None else ""
        response.phase = _PHASES[rollout.phase]
        response.detail = _detail(rollout, replica.progress)
        response.target_generation = rollout.target
        response.failed_generation = rollout.withdrawn if rollout.failure else 0
        response.failure = rollout.failure
        response.live_generations.extend(rollout.live)
        response.pinned_generations.extend(rollout.pinned)
    _add_consumers(response, rollout, replica)
    return response


def _detail(rollout: Rollout, progress: Progress) -> str:
    missing = progress.missing if rollout.phase in UNDER_WAY else progress.lagging
    waiting = f"waiting for {listed(missing)}" if missing else ""
    return "; ".join(part for part in (rollout.note, waiting) if part)


def _add_consumers(response: pb.GetStatusResponse, rollout: Rollout | None, replica: Replica) -> None:
    consumers, now, policy = replica.consumers, replica.now, replica.policy
    states = sidecar_states(rollout, consumers) if rollout is not None else {}
    newest = replica.shows_newest
    for consumer in consumers:
        if consumer.disconnected and now - consumer.since >= policy.lease:
            continue  # kept in mind, but nobody's concern
        state = states.get(consumer.id) if consumer.kind == "sidecar" else None
        response.consumers.add(
            node_id=consumer.id,
            kind=consumer.kind,
            shard=consumer.shard,
            waiting_for=consumer.waiting_for,
            rejected=dict(consumer.rejected),
            disconnected=consumer.disconnected,
            answered_from=state.generation if state is not None else 0,
            stale=not consumer.disconnected and not (newest and consumer.up_to_date),
        )
