"""What an operation came to, and how the store keeps that for a request that is repeated."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from google.protobuf.message import DecodeError

from controlplane.admin.problem_codec import problem_from_message, problem_to_message
from controlplane.planning.replan import Moved
from controlplane.problems import Problem
from lightbulb.resolution.codec import Malformed
from lightbulb.v1 import control_plane_pb2, store_pb2

_OUTCOME = struct.Struct(">Q??")
"""How 0.1.0 wrote down what a request came to; then, for each that was pinned, `_PINNED`."""

_PINNED = struct.Struct(">Q")


Move = tuple[str, Moved]
"""A tenant, and what of it moved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of it: `unchanged` when it was so already, `on_its_way` when it is still to be activated.

    `pinned`: of a pin, all that is pinned then. `left`: of a rollback, the generation that it left.
    """

    generation: int
    unchanged: bool = False
    on_its_way: bool = False
    pinned: tuple[int, ...] = ()
    left: int = 0
    version: int = 0
    """Version of the rollout that has it; 0 where the release before wrote it down."""
    content_hash: str = ""
    """Of a publish: that of the generation; empty likewise."""
    request_digest: bytes = b""
    """The digest of the request that it answers; empty likewise."""
    warnings: tuple[Problem, ...] = ()
    """Of a publish: what there is to say of its workspace."""
    moves: tuple[Move, ...] = ()
    """Of the platform's publish: tenant, and what of it moved."""
    replanned: tuple[str, ...] = ()
    """Of the platform's publish: the tenants that were planned anew."""
    until: float = 0.0
    """Of an offer: until when it can be taken."""
    shift: int = 0
    """Of a shift: its number."""
    answered_from: int = 0
    """Of a rollback of one objective: the generation that it is answered from."""
    shadows: tuple[str, ...] = ()
    """Of shadows: the ids of those that it is about."""


class RequestIdUsed(Exception):
    """Another request had this id: there is no telling which of the two its caller means."""

    def __init__(self, outcome: Outcome) -> None:
        """Say what the first one was about."""
        super().__init__(
            f"this request id was used for another request, about generation {outcome.generation}, which was "
            "carried out; nothing has changed now. Repeat a request as it was, or give it an id of its own"
        )
        self.about = {"generation": str(outcome.generation)}


def outcome_to_bytes(outcome: Outcome) -> bytes:
    """Return the outcome for the store."""
    return store_pb2.StoredOutcome(
        generation=outcome.generation,
        unchanged=outcome.unchanged,
        on_its_way=outcome.on_its_way,
        pinned=outcome.pinned,
        left=outcome.left,
        version=outcome.version,
        content_hash=outcome.content_hash,
        request_digest=outcome.request_digest,
        warnings=map(problem_to_message, outcome.warnings),
        moves=map(move_to_message, outcome.moves),
        replanned=outcome.replanned,
        until=outcome.until,
        shift=outcome.shift,
        answered_from=outcome.answered_from,
        shadows=outcome.shadows,
    ).SerializeToString(deterministic=True)


def outcome_from_bytes(body: bytes) -> Outcome:
    """Return what `outcome_to_bytes` wrote, or the release before; raises Malformed."""
    try:
        if body[:1] == b"\0":  # no message begins so
            generation, unchanged, on_its_way = _OUTCOME.unpack_from(body)
            pinned = tuple(number for (number,) in _PINNED.iter_unpack(body[_OUTCOME.size :]))
            return Outcome(generation=generation, unchanged=unchanged, on_its_way=on_its_way, pinned=pinned)
        message = store_pb2.StoredOutcome.FromString(body)
    except (struct.error, DecodeError) as error:
        raise Malformed(f"what a request came to can't be read: {error}") from error
    return Outcome(
        generation=message.generation,
        unchanged=message.unchanged,
        on_its_way=message.on_its_way,
        pinned=tuple(message.pinned),
        left=message.left,
        version=message.version,
        content_hash=message.content_hash,
        request_digest=message.request_digest,
        warnings=tuple(map(problem_from_message, message.warnings)),
        moves=tuple(map(_move_from_message, message.moves)),
        replanned=tuple(message.replanned),
        until=message.until,
        shift=message.shift,
        answered_from=message.answered_from,
        shadows=tuple(message.shadows),
    )


def move_to_message(move: Move) -> control_plane_pb2.Move:
    """Return a move for the API, and for the store."""
    tenant, moved = move
    message = control_plane_pb2.Move(tenant=tenant, model=moved.model, to=moved.end)
    setattr(message, "from", moved.start)  # "from" is a Python keyword
    return message


def _move_from_message(message: control_plane_pb2.Move) -> Move:
    moved = Moved(model=message.model, start=getattr(message, "from"), end=message.to)
    return message.tenant, moved
