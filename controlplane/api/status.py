"""The state of a rollout and of everybody in it, as the API tells it."""

from __future__ import annotations

from collections.abc import Iterable

from controlplane.admin.tenants import is_known
from controlplane.api.shadows import shadows
from controlplane.api.shifts import new_defaults, shifts, waiting_shifts
from controlplane.lifecycle.state import clock
from controlplane.replica.replica import Replica
from controlplane.rollout.advance import Occupant, Progress, ends_at, loading_until, retire_after
from controlplane.rollout.codec import loading_to_proto
from controlplane.rollout.desired_state import sidecar_states
from controlplane.rollout.failure import listed, missing, without
from controlplane.rollout.failure_codec import failure_to_proto, missing_to_proto, refusal_to_proto
from controlplane.rollout.registry import Consumer
from controlplane.rollout.state import UNDER_WAY, Phase, Rollout
from lightbulb.model import DEFAULT_TENANT
from lightbulb.v1 import control_plane_pb2 as pb

MAX_REFUSALS = 100
"""Refusals of one consumer that are told."""

NOTHING_SAID = Progress()
_PHASES = {phase: getattr(pb, f"PHASE_{phase.name}") for phase in Phase}


def status(replica: Replica, wanted: str = "") -> pb.GetStatusResponse:
    """Return what a replica knows, of the tenant that is `wanted` above all.

    Then consumers are told of as that one's rollout sees them. Without one, of the default tenant and of all
    that consumers owe to anybody.
    """
    tenant = wanted or DEFAULT_TENANT
    known, rollout = replica.known, replica.known.lanes.of(tenant)
    response = pb.GetStatusResponse(
        version=known.version, store_problem=replica.store_problem, replica=replica.name, tenant=tenant
    )
    response.store_warning = replica.store.warning
    if (loss := replica.store_loss) is not None:
        lost = pb.StoreLoss(version=loss.version, seen=loss.seen.version, seen_by=loss.seen.by)
        response.store_loss.CopyFrom(lost)
    for name, silent in sorted(replica.replicas().items()):
        response.replicas.add(name=name, silent=silent, leading=name == replica.leader)
    if rollout is None:
        response.detail = "nothing has been published"
    else:
        active = known.generations.get(rollout.active)
        response.MergeFrom(_of_lane(replica, tenant, rollout))
        response.content_hash = active.content_hash if active is not None else ""
    response.lanes.extend(_lane(replica, name, each) for name, each in known.lanes)
    response.handovers.extend(
        pb.Handover(
            objective=each.objective,
            owner=each.owner,
            since=each.since,
            former=each.former,
            taker=each.taker,
            until=each.until,
            taken=each.taken,
        )
        for each in known.lanes.handovers.values()
    )
    response.shifts.extend(shifts(replica))
    response.shadows.extend(shadows(replica))
    response.waiting_shifts.extend(waiting_shifts(replica))
    response.new_defaults.extend(new_defaults(replica))
    response.held_back.extend(
        pb.HeldBackObjective(
            objective=each.objective,
            tenant=each.tenant,
            rejected=each.rejected,
            answered_from=each.answer_from,
            author=each.author,
            why=each.why,
            since=each.entered,
            until=each.until,
        )
        for each in known.lanes.held_back.values()
    )
    everybody = replica.consumers
    _add_consumers(
        response, replica, [each.for_tenant(wanted) for each in everybody] if wanted else everybody
    )
    return response


def _of_lane(replica: Replica, tenant: str, rollout: Rollout) -> pb.GetStatusResponse:
    """Return the part that tells where one rollout stands."""
    said = replica.progress.get(tenant, NOTHING_SAID)
    held = [replica.known.generations[number] for number in rollout.held]
    delay = retire_after(held, rollout.active, replica.policy, again=rollout.again)
    until = loading_until(rollout, said, replica.policy)
    part = _problems(rollout, said, ends_at(rollout, said, replica.policy, delay), until)
    part.active_generation = rollout.active
    part.phase = _PHASES[rollout.phase]
    part.target_generation = rollout.target
    part.live_generations.extend(rollout.live)
    part.pinned_generations.extend(rollout.pinned)
    return part


def _lane(replica: Replica, tenant: str, rollout: Rollout) -> pb.Lane:
    part = _of_lane(replica, tenant, rollout)
    return pb.Lane(
        tenant=tenant,
        active_generation=part.active_generation,
        target_generation=part.target_generation,
        phase=part.phase,
        detail=part.detail,
        failed_generation=part.failed_generation,
        failure=part.failure,
        waiting_for=part.waiting_for,
        live_generations=part.live_generations,
        pinned_generations=part.pinned_generations,
        loading_until=part.loading_until,
    )


def _problems(rollout: Rollout, progress: Progress, end: float, until: float) -> pb.GetStatusResponse:
    """Return the part that tells who is waited for, and what became of the newest publish."""
    waited_for = progress.missing if rollout.phase in UNDER_WAY else missing((), progress.lagging)
    waiting = f"waiting for {waited_for}" if waited_for else _until(rollout.phase, end)
    if progress.occupants:
        waiting = f"{_room(progress.occupants, rollout.awaits_until)}; {waiting}".removesuffix("; ")
    failure = rollout.failure
    return pb.GetStatusResponse(
        detail="; ".join(part for part in (without(rollout.passed_over), waiting) if part),
        waiting_for=missing_to_proto(waited_for),
        passed_over=missing_to_proto(rollout.passed_over),
        ends_at=end,
        loading_until=until,
        failed_generation=rollout.withdrawn if failure is not None else 0,
        failure=str(failure or ""),
        why_failed=failure_to_proto(failure),
    )


def _room(occupants: tuple[Occupant, ...], until: float) -> str:
    return f"no room yet: {listed(tuple(map(str, occupants)))} must leave by {clock(until)}"


def _until(phase: Phase, end: float) -> str:
    if not end:
        return ""
    match phase:
        case Phase.WAITING:
            what = "no room yet: clients may hold old keys"
        case Phase.RETIRING:
            what = "clients may hold old keys"
        case _:
            what = "requests may be under way"
    return f"{what} until {clock(end)}"


def _add_consumers(response: pb.GetStatusResponse, replica: Replica, consumers: Iterable[Consumer]) -> None:
    now, policy, tenant = replica.now, replica.policy, response.tenant
    lanes = replica.known.lanes
    states, decided = sidecar_states(lanes, replica.consumers), bool(lanes.controls or lanes.held_back)
    active, newest = response.active_generation, replica.shows_newest
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
            answered_from=state.of(tenant) if state is not None and state.of(tenant) != active else 0,
            tenants=sorted(consumer.tenants or ()),
            unknown_objectives=consumer.unknown,
            unknown_tenants=sorted(
                each for each in consumer.tenants or () if not is_known(replica.known, each)
            ),
            loading=map(loading_to_proto, consumer.loading),
            silent=bool(consumer.silent_since),
            disobeys=consumer.disobeys and decided,
            stale=not consumer.disconnected and not (newest and consumer.up_to_date),
        )
        if consumer.refusals:
            _add_refusals(added, consumer)


def _add_refusals(added: pb.Consumer, consumer: Consumer) -> None:
    told = [each.bounded() for each in consumer.refusals[:MAX_REFUSALS]]
    added.refusals.extend(map(refusal_to_proto, told))
    added.more_refusals = len(consumer.refusals) - len(told)
    added.rejected.update({each.what: each.reason for each in told})
