"""The one place where failures meet protos/lightbulb/v1/failure.proto: store, API and command line use it."""

from __future__ import annotations

from google.protobuf.message import DecodeError, Message

from controlplane.rollout.failure import MAX_LISTED, Failure, FailureKind, Laggard, Missing, Refusal
from lightbulb.v1 import failure_pb2 as pb

_KINDS = {kind.value: kind for kind in FailureKind}


def refusal_to_proto(refusal: Refusal) -> pb.Refusal:
    """Return the wire form of a refusal."""
    return pb.Refusal(
        consumer_kind=refusal.consumer_kind,
        consumer_id=refusal.consumer_id,
        resource_type=refusal.resource_type,
        resource=refusal.resource,
        reason=refusal.reason,
    )


def refusal_from_proto(message: pb.Refusal) -> Refusal:
    """Return a refusal."""
    return Refusal(
        consumer_kind=message.consumer_kind,
        consumer_id=message.consumer_id,
        resource_type=message.resource_type,
        resource=message.resource,
        reason=message.reason,
    )


def missing_to_proto(missing: Missing) -> pb.Missing | None:
    """Return the wire form of those who are missing; None when nobody is, or only a text tells who."""
    if missing.told or not missing:
        return None
    laggards = [
        pb.Laggard(
            consumer_kind=each.consumer_kind,
            consumer_id=each.consumer_id,
            shard=each.shard,
            resource_types=each.resource_types,
            disconnected=each.disconnected,
        )
        for each in missing.laggards
    ]
    return pb.Missing(refusals=map(refusal_to_proto, missing.refusals), laggards=laggards, more=missing.more)


def missing_from_proto(message: pb.Missing) -> Missing:
    """Return those who are missing; as bounded as they were written, whoever wrote them."""
    laggards = (
        Laggard(
            consumer_kind=each.consumer_kind,
            consumer_id=each.consumer_id,
            shard=each.shard,
            resource_types=tuple(each.resource_types),
            disconnected=each.disconnected,
        )
        for each in message.laggards[:MAX_LISTED]
    )
    return Missing(
        refusals=tuple(refusal_from_proto(each).bounded() for each in message.refusals[:MAX_LISTED]),
        laggards=tuple(each.bounded() for each in laggards),
        more=message.more,
    )


def failure_to_proto(failure: Failure | None) -> pb.Failure | None:
    """Return the wire form of a failure; None when there is none, or only a text tells why."""
    if failure is None or failure.kind is FailureKind.TOLD:
        return None
    return pb.Failure(
        kind=failure.kind.value,
        missing=missing_to_proto(failure.missing),
        seconds=failure.seconds,
        superseded_by=failure.by,
        rollback=failure.rollback,
    )


def failure_from_proto(message: pb.Failure, told: str) -> Failure:
    """Return a failure; of one that isn't known here, or isn't there, what its text says."""
    kind = _KINDS.get(message.kind, FailureKind.TOLD)
    if kind is FailureKind.TOLD:
        return Failure(kind=kind, missing=Missing(told=told))
    return Failure(
        kind=kind,
        missing=missing_from_proto(message.missing),
        seconds=message.seconds,
        by=message.superseded_by,
        rollback=message.rollback,
    )


def cause_to_bytes(cause: Failure | Missing) -> bytes:
    """Return why something happened, for the audit trail; empty when there is nothing to tell."""
    message = missing_to_proto(cause) if isinstance(cause, Missing) else failure_to_proto(cause)
    return b"" if message is None else message.SerializeToString(deterministic=True)


def parse_cause(cause: bytes, message: Message) -> None:
    """Read why something happened into `message`, which stays empty when that can't be read."""
    try:
        message.ParseFromString(cause)
    except DecodeError:
        message.Clear()
