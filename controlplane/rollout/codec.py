"""The one place where generations, the rollout and reports meet protos/lightbulb/v1/store.proto.

Bytes are deterministic: the same value has the same content hash at every replica.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import chain
from types import MappingProxyType

from google.protobuf.message import DecodeError, Message

from controlplane.lifecycle.codec import (
    begun_from_proto,
    begun_to_proto,
    control_from_proto,
    control_to_proto,
    hold_back_from_proto,
    hold_back_to_proto,
    new_default_from_proto,
    new_default_to_proto,
    shadowed_from_proto,
    shadowed_to_proto,
)
from controlplane.model import (
    Location,
    Plan,
    Platform,
    RoutingRule,
    Shard,
    ShardAssignment,
    SharedLayer,
    Tenant,
)
from controlplane.rollout.failure import WITHOUT, Failure, Missing, Refusal, without
from controlplane.rollout.failure_codec import (
    failure_from_proto,
    failure_to_proto,
    missing_from_proto,
    missing_to_proto,
    refusal_from_proto,
    refusal_to_proto,
)
from controlplane.rollout.handover import Handover
from controlplane.rollout.lanes import Lanes
from controlplane.rollout.registry import Arrears, Consumer, Loading, Report
from controlplane.rollout.state import Phase, Rollout
from lightbulb.memo import PerObject
from lightbulb.model import DEFAULT_TENANT, ObjectiveTable
from lightbulb.resolution.codec import (
    Malformed,
    assignment_from_bytes,
    assignment_to_bytes,
    table_from_bytes,
    table_to_bytes,
)
from lightbulb.v1 import store_pb2 as pb
from lightbulb.v1.control_plane_pb2 import ModelLoading

FORMAT = 1
LANES_FORMAT = 2
"""Of a head with other tenants than the default one, whose lane alone is a rollout as it always was."""

HANDOVERS_FORMAT = 3
"""Of a head with handovers: to read it without them would give an objective two owners."""

ROOM_FORMAT = 4
"""Of a head in which a publish waits for what others let go of: to go on would load it beside that."""

CONTROLS_FORMAT = 5
"""Of a head with controls: whoever wrote it without them would end a shift, and route what it withdrew."""

SHADOWS_FORMAT = 6
"""Of a head with shadows, or with what rules began: without these they would end, or begin again."""

AGREEMENT_FORMAT = 7
"""Of a head with a guard of agreement: without it users would be shifted before answers were compared."""


class PlanWriter:
    """Writes plans, and of those that share tables, routes and shards each of these once.

    It goes by identity, and keeps all that it was given: for one process that writes similar plans.
    `write_table` may know what `table_to_bytes` makes of a table.
    """

    def __init__(self, write_table: Callable[[ObjectiveTable], bytes] = table_to_bytes) -> None:
        """Have written nothing yet."""

        def table_field(table: ObjectiveTable) -> bytes:
            return _bytes(pb.StoredGeneration(tables=[write_table(table)]))

        self._table = PerObject(table_field)
        self._route = PerObject(_route_to_bytes)
        self._shard = PerObject(_shard_to_bytes)

    def content(self, plan: Plan, source_hash: str) -> bytes:
        """Return what `plan_to_bytes` does: a message is what its fields are, one after the other."""
        head = _bytes(pb.StoredGeneration(format=FORMAT, source_hash=source_hash))
        return b"".join(
            chain(
                (head,),
                map(self._table, plan.tables),
                map(self._route, plan.routes),
                map(self._shard, plan.assignments),
            )
        )


def plan_to_bytes(plan: Plan, source_hash: str) -> bytes:
    """Return a generation's content; `source_hash` is the workspace's."""
    return _bytes(
        pb.StoredGeneration(
            format=FORMAT,
            source_hash=source_hash,
            tables=map(table_to_bytes, plan.tables),
            routes=map(_route_to_proto, plan.routes),
            shards=map(_shard_to_proto, plan.assignments),
        )
    )


def _route_to_proto(rule: RoutingRule) -> pb.StoredRoute:
    return pb.StoredRoute(objective=rule.objective, key=rule.key, vip=rule.vip)


def _route_to_bytes(rule: RoutingRule) -> bytes:
    return _bytes(pb.StoredGeneration(routes=[_route_to_proto(rule)]))


def _shard_to_proto(each: ShardAssignment) -> pb.StoredShard:
    return pb.StoredShard(
        shard=each.shard,
        vip=each.vip,
        memory_mib=each.memory_mib,
        models=map(assignment_to_bytes, each.models),
    )


def _shard_to_bytes(each: ShardAssignment) -> bytes:
    return _bytes(pb.StoredGeneration(shards=[_shard_to_proto(each)]))


def _bytes(message: Message) -> bytes:
    return message.SerializeToString(deterministic=True)


def platform_to_bytes(platform: Platform, source_hash: str) -> bytes:
    """Return the content of one of the platform's generations; `source_hash` is its workspace's."""
    return pb.StoredGeneration(
        format=FORMAT,
        source_hash=source_hash,
        platform=pb.StoredPlatform(
            shards=[
                pb.StoredShard(shard=each.name, vip=each.vip, memory_mib=each.memory_mib)
                for each in platform.shards
            ],
            tenants=[
                pb.StoredTenant(
                    name=each.name,
                    owner=each.owner,
                    shards=each.shards,
                    memory_mib=each.memory_mib,
                    publishers=each.publishers,
                    layers=[
                        pb.StoredLayer(name=layer.name, shared_with=layer.shared_with)
                        for layer in each.layers
                    ],
                )
                for each in platform.tenants
            ],
        ),
    ).SerializeToString(deterministic=True)


def platform_from_bytes(body: bytes) -> Platform | None:
    """Return the platform of one of its generations; None for a tenant's. Raises Malformed."""
    message = pb.StoredGeneration()
    _parse(message, body)
    if not message.HasField("platform"):
        return None
    nowhere = Location(file="", line=0)
    return Platform(
        shards=tuple(
            Shard(name=each.shard, vip=each.vip, memory_mib=each.memory_mib, location=nowhere)
            for each in message.platform.shards
        ),
        tenants=tuple(
            Tenant(
                name=each.name,
                owner=each.owner,
                shards=tuple(each.shards),
                memory_mib=each.memory_mib,
                publishers=tuple(each.publishers),
                layers=tuple(
                    SharedLayer(name=layer.name, shared_with=tuple(layer.shared_with))
                    for layer in each.layers
                ),
                location=nowhere,
            )
            for each in message.platform.tenants
        ),
    )


def shard_from_bytes(body: bytes) -> ShardAssignment:
    """Return what a shard loads; raises Malformed."""
    message = pb.StoredShard()
    _parse(message, body)
    return ShardAssignment(
        shard=message.shard,
        vip=message.vip,
        memory_mib=message.memory_mib,
        models=tuple(map(assignment_from_bytes, message.models)),
    )


def route_from_bytes(body: bytes) -> RoutingRule:
    """Return where a key goes; raises Malformed."""
    message = pb.StoredRoute()
    _parse(message, body)
    return RoutingRule(objective=message.objective, key=message.key, vip=message.vip)


def plan_from_bytes(
    body: bytes,
    read_table: Callable[[bytes], ObjectiveTable] = table_from_bytes,
    read_shard: Callable[[bytes], ShardAssignment] = shard_from_bytes,
    read_route: Callable[[bytes], RoutingRule] = route_from_bytes,
) -> Plan:
    """Return a generation's plan; raises Malformed.

    `read_table`, `read_shard` and `read_route` may know tables, shards and routes by their bytes.
    """
    message = pb.StoredGeneration()
    _parse(message, body)
    _check_format(message.format, "generation")
    return Plan(
        tables=tuple(map(read_table, message.tables)),
        routes=tuple(read_route(each.SerializeToString(deterministic=True)) for each in message.routes),
        assignments=tuple(read_shard(each.SerializeToString(deterministic=True)) for each in message.shards),
    )


class LanesWriter:
    """Writes lanes one after the other, and one that is as it was only once. For one thread."""

    def __init__(self) -> None:
        """Have written nothing yet."""
        self._written: dict[str, tuple[Rollout, bytes]] = {}
        """By tenant; of the lanes that were written last."""

    def content(self, lanes: Lanes) -> bytes:
        """Return the store's head: a message is what its fields are, one after the other, by number.

        While there is one tenant alone, older control planes can read it.
        """
        controlled = (lanes.controls, lanes.held_back, lanes.shadows, lanes.begun, lanes.new_defaults)
        more = lanes.platform or lanes.handovers or any(controlled)
        if lanes.rollouts.keys() == {DEFAULT_TENANT} and not more:
            return rollout_to_bytes(lanes.rollouts[DEFAULT_TENANT])
        self._written = {tenant: self._lane(tenant, rollout) for tenant, rollout in lanes}
        head = pb.StoredLanes(format=_lanes_format(lanes))
        rest = pb.StoredLanes(
            platform=lanes.platform,
            handovers=map(_handover_to_proto, lanes.handovers.values()),
            controls=map(control_to_proto, lanes.controls.values()),
            held_back=map(hold_back_to_proto, lanes.held_back.values()),
            shadows=map(shadowed_to_proto, lanes.shadows.values()),
            begun=map(begun_to_proto, lanes.begun.values()),
            new_defaults=map(new_default_to_proto, lanes.new_defaults.values()),
        )
        return b"".join((_bytes(head), *(body for _, body in self._written.values()), _bytes(rest)))

    def _lane(self, tenant: str, rollout: Rollout) -> tuple[Rollout, bytes]:
        held = self._written.get(tenant)
        if held is not None and held[0] is rollout:
            return held
        lane = pb.StoredLane(tenant=tenant, rollout=_rollout_to_proto(rollout))
        return rollout, _bytes(pb.StoredLanes(lanes=[lane]))


def lanes_to_bytes(lanes: Lanes) -> bytes:
    """Return the store's head."""
    return LanesWriter().content(lanes)


def _lanes_format(lanes: Lanes) -> int:
    if any(each.shift.guards.want_agreement for each in lanes.controls.values()):
        return AGREEMENT_FORMAT
    ruled = lanes.begun or lanes.new_defaults
    if lanes.shadows or ruled or any(each.shift.rule is not None for each in lanes.controls.values()):
        return SHADOWS_FORMAT
    if lanes.controls or lanes.held_back:
        return CONTROLS_FORMAT
    if any(rollout.awaits for _, rollout in lanes):
        return ROOM_FORMAT
    return HANDOVERS_FORMAT if lanes.handovers else LANES_FORMAT


class LanesReader:
    """Reads heads one after the other; a lane that is as it was is the very same rollout. For one thread."""

    def __init__(self) -> None:
        """Have read nothing yet."""
        self._read: dict[bytes, Rollout] = {}
        """By its bytes; of the head that was read last."""

    def lanes(self, body: bytes) -> Lanes:
        """Return what the store's head says; raises Malformed."""
        message = pb.StoredLanes()
        _parse(message, body)
        _check_format(message.format, "head", AGREEMENT_FORMAT)
        if message.format < LANES_FORMAT:
            return Lanes(MappingProxyType({DEFAULT_TENANT: rollout_from_bytes(body)}))
        bodies = {each.tenant: _bytes(each.rollout) for each in message.lanes}
        rollouts = {each.tenant: self._rollout(bodies[each.tenant], each.rollout) for each in message.lanes}
        self._read = {bodies[tenant]: rollout for tenant, rollout in rollouts.items()}
        return _lanes(message, rollouts)

    def _rollout(self, body: bytes, message: pb.StoredRollout) -> Rollout:
        known = self._read.get(body)
        return known if known is not None else _rollout_from_proto(message)


def lanes_from_bytes(body: bytes) -> Lanes:
    """Return what the store's head says; raises Malformed."""
    return LanesReader().lanes(body)


def _lanes(message: pb.StoredLanes, rollouts: Mapping[str, Rollout]) -> Lanes:
    handovers = {each.objective: _handover_from_proto(each) for each in message.handovers}
    controls = {each.objective: control_from_proto(each) for each in message.controls}
    held_back = {each.objective: hold_back_from_proto(each) for each in message.held_back}
    shadows = {each.objective: shadowed_from_proto(each) for each in message.shadows}
    begun = {each.objective: begun_from_proto(each) for each in message.begun}
    new_defaults = {each.objective: new_default_from_proto(each) for each in message.new_defaults}
    return Lanes(
        MappingProxyType(dict(rollouts)),
        platform=message.platform,
        handovers=MappingProxyType(handovers),
        controls=MappingProxyType(controls),
        held_back=MappingProxyType(held_back),
        shadows=MappingProxyType(shadows),
        begun=MappingProxyType(begun),
        new_defaults=MappingProxyType(new_defaults),
    )


def _handover_to_proto(handover: Handover) -> pb.StoredHandover:
    return pb.StoredHandover(
        objective=handover.objective,
        owner=handover.owner,
        since=handover.since,
        source=handover.source,
        former=handover.former,
        published=handover.published,
        taker=handover.taker,
        until=handover.until,
        taken=handover.taken,
        taken_from=handover.taken_from,
        tried=handover.tried,
    )


def _handover_from_proto(message: pb.StoredHandover) -> Handover:
    return Handover(
        objective=message.objective,
        owner=message.owner,
        since=message.since,
        source=message.source,
        former=tuple(message.former),
        published=message.published,
        taker=message.taker,
        until=message.until,
        taken=message.taken,
        taken_from=message.taken_from,
        tried=tuple(message.tried),
    )


def rollout_to_bytes(rollout: Rollout) -> bytes:
    """Return a rollout's state for the store."""
    return _rollout_to_proto(rollout).SerializeToString(deterministic=True)


def _rollout_to_proto(rollout: Rollout) -> pb.StoredRollout:
    return pb.StoredRollout(
        format=FORMAT,
        active=rollout.active,
        target=rollout.target,
        phase=rollout.phase.value,
        entered=rollout.entered,
        live=rollout.live,
        held=rollout.held,
        leaving=rollout.leaving,
        pinned=rollout.pinned,
        note=without(rollout.passed_over),
        failure=str(rollout.failure or ""),
        withdrawn=rollout.withdrawn,
        fence=rollout.fence,
        desired_version=rollout.desired_version,
        oldest=rollout.oldest,
        undone=rollout.undone,
        again=rollout.again,
        release=rollout.release,
        awaits=rollout.awaits,
        awaits_until=rollout.awaits_until,
        why_withdrawn=failure_to_proto(rollout.failure),
        passed_over=missing_to_proto(rollout.passed_over),
    )


def rollout_from_bytes(body: bytes) -> Rollout:
    """Return a rollout's state; raises Malformed."""
    message = pb.StoredRollout()
    _parse(message, body)
    return _rollout_from_proto(message)


def _rollout_from_proto(message: pb.StoredRollout) -> Rollout:
    _check_format(message.format, "rollout")
    try:
        phase = Phase(message.phase)
    except ValueError as error:
        raise Malformed(f"the rollout is in an unknown phase {message.phase!r}") from error
    return Rollout(
        phase=phase,
        entered=message.entered,
        active=message.active,
        target=message.target,
        live=tuple(message.live),
        held=tuple(message.held),
        leaving=tuple(message.leaving),
        pinned=tuple(message.pinned),
        passed_over=_passed_over(message),
        failure=_failure(message),
        withdrawn=message.withdrawn,
        fence=message.fence,
        desired_version=message.desired_version,
        oldest=message.oldest,
        undone=tuple(message.undone),
        again=message.again,
        release=tuple(message.release),
        awaits=tuple(message.awaits),
        awaits_until=message.awaits_until,
    )


class ReportWriter:
    """Writes reports one after the other, and a consumer that is as it was only once. For one thread."""

    def __init__(self) -> None:
        """Have written nothing yet."""
        self._written: dict[int, tuple[Consumer, bytes]] = {}
        """By identity; of the last report's consumers, which it keeps, so that no other has their place."""

    def content(self, report: Report) -> bytes:
        """Return a report for the store: a message is what its fields are, one after the other."""
        before = self._written
        self._written = {
            id(each): before.get(id(each)) or (each, _consumer_to_bytes(each)) for each in report.consumers
        }
        head = pb.StoredReport(
            replica=report.replica,
            heartbeat=report.heartbeat,
            version=report.version,
            seen=report.seen,
            generation=report.generation,
            forked=report.forked,
        )
        consumers = (self._written[id(each)][1] for each in report.consumers)
        return b"".join((_bytes(head), *consumers))


def report_to_bytes(report: Report) -> bytes:
    """Return a report for the store."""
    return ReportWriter().content(report)


def report_from_bytes(body: bytes) -> Report:
    """Return a replica's report; raises Malformed."""
    message = pb.StoredReport()
    _parse(message, body)
    return Report(
        replica=message.replica,
        heartbeat=message.heartbeat,
        version=message.version,
        consumers=tuple(map(_consumer_from_proto, message.consumers)),
        seen=message.seen,
        generation=message.generation,
        forked=message.forked,
    )


def _consumer_to_bytes(consumer: Consumer) -> bytes:
    return _bytes(pb.StoredReport(consumers=[_consumer_to_proto(consumer)]))


def _consumer_to_proto(consumer: Consumer) -> pb.StoredConsumer:
    address, port = consumer.address or ("", 0)
    return pb.StoredConsumer(
        id=consumer.id,
        kind=consumer.kind,
        shard=consumer.shard,
        address=address,
        port=port,
        waiting_for=consumer.waiting_for,
        rejected={each.what: each.reason for each in consumer.refusals},
        refusals=map(refusal_to_proto, consumer.refusals),
        loaded=sorted(consumer.loaded),
        routes=consumer.routes,
        since=consumer.since,
        disconnected=consumer.disconnected,
        orphaned=consumer.orphaned,
        left=consumer.left,
        synced_since=consumer.synced_since,
        refused_of=consumer.refused_of,
        unsynced_since=consumer.unsynced_since,
        by_tenant={tenant: _arrears_to_proto(each) for tenant, each in (consumer.by_tenant or {}).items()},
        takes_part=consumer.tenants is not None,
        tenants=sorted(consumer.tenants or ()),
        unknown=consumer.unknown,
        loading=map(loading_to_proto, consumer.loading),
        refused_before=map(refusal_to_proto, consumer.refused_before),
        refused_numbers=consumer.refused_numbers,
        silent_since=consumer.silent_since,
        disobeys=consumer.disobeys,
        synced_by_tenant={
            tenant: pb.StoredSynced(version=version, at=at)
            for tenant, (version, at) in consumer.synced_by_tenant.items()
        },
    )


def loading_to_proto(loading: Loading) -> ModelLoading:
    """Return the wire form of what a host is loading."""
    return ModelLoading(
        model=loading.model,
        since=loading.since,
        fraction=-1.0 if loading.fraction is None else loading.fraction,
        text=loading.text,
    )


def loading_from_proto(message: ModelLoading) -> Loading:
    """Return what a host is loading."""
    return Loading(
        model=message.model,
        since=message.since,
        fraction=None if message.fraction < 0.0 else message.fraction,
        text=message.text,
    )


def _arrears_to_proto(arrears: Arrears) -> pb.StoredArrears:
    return pb.StoredArrears(
        waiting_for=arrears.waiting_for,
        refusals=map(refusal_to_proto, arrears.refusals),
        refused_of=arrears.refused_of,
        unsynced_since=arrears.unsynced_since,
    )


def _arrears_from_proto(message: pb.StoredArrears) -> Arrears:
    return Arrears(
        waiting_for=tuple(message.waiting_for),
        refusals=tuple(map(refusal_from_proto, message.refusals)),
        refused_of=message.refused_of,
        unsynced_since=message.unsynced_since,
    )


def _consumer_from_proto(message: pb.StoredConsumer) -> Consumer:
    return Consumer(
        id=message.id,
        kind=message.kind,
        shard=message.shard,
        address=(message.address, message.port) if message.address else None,
        waiting_for=tuple(message.waiting_for),
        refusals=_refusals(message),
        loaded=frozenset(message.loaded),
        routes=tuple(message.routes),
        since=message.since,
        disconnected=message.disconnected,
        orphaned=message.orphaned,
        left=message.left,
        synced_since=message.synced_since,
        refused_of=message.refused_of,
        unsynced_since=message.unsynced_since,
        by_tenant={tenant: _arrears_from_proto(each) for tenant, each in sorted(message.by_tenant.items())}
        or None,
        tenants=frozenset(message.tenants) if message.takes_part else None,
        unknown=tuple(message.unknown),
        loading=tuple(map(loading_from_proto, message.loading)),
        refused_before=tuple(map(refusal_from_proto, message.refused_before)),
        refused_numbers=tuple(message.refused_numbers),
        silent_since=message.silent_since,
        disobeys=message.disobeys,
        synced_by_tenant={
            tenant: (each.version, each.at) for tenant, each in sorted(message.synced_by_tenant.items())
        },
    )


def _failure(message: pb.StoredRollout) -> Failure | None:
    if not message.failure:
        return None
    return failure_from_proto(message.why_withdrawn, told=message.failure)


def _passed_over(message: pb.StoredRollout) -> Missing:
    if message.note and not message.HasField("passed_over"):
        return Missing(told=message.note.removeprefix(WITHOUT))
    return missing_from_proto(message.passed_over)


def _refusals(message: pb.StoredConsumer) -> tuple[Refusal, ...]:
    if message.rejected and not message.refusals:  # an older control plane's, which doesn't tell of what type
        return tuple(
            Refusal(consumer_kind=message.kind, consumer_id=message.id, resource=name, reason=reason)
            for name, reason in sorted(message.rejected.items())
        )
    return tuple(map(refusal_from_proto, message.refusals))


def _parse(message: Message, body: bytes) -> None:
    try:
        message.ParseFromString(body)
    except DecodeError as error:
        raise Malformed(f"no {type(message).__name__}: {error}") from error


def _check_format(found: int, what: str, newest: int = FORMAT) -> None:
    if not FORMAT <= found <= newest:
        known = f"up to {newest}" if newest > FORMAT else str(FORMAT)
        raise Malformed(f"a {what} of format {found}; this control plane knows {known}: upgrade it first")
