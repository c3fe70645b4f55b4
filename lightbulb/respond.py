"""Bytes of a request -> bytes of its response, or a LightbulbError. No sockets, no waiting.

One generation has few different answers, each the same object whenever it is given; so each is
serialized once, and answering costs a parse, a resolution and a look-up.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from google.protobuf.message import DecodeError

from lightbulb.answer import make_answer
from lightbulb.errors import InvalidContext, LightbulbError, OverrideRefused, Unavailable, UnknownObjective
from lightbulb.feed import EMPTY_TABLES, Tables
from lightbulb.messages import MAX_BATCH, MAX_FIELD, answer_to_proto, context_from_proto
from lightbulb.resolve import OverrideNotPermitted, Resolution, Resolver, Step
from lightbulb.status import code_of, details_of
from lightbulb.v1 import lightbulb_pb2 as pb

NEIGHBOURS = 200
"""Objectives that an unknown name is compared with, at most: comparing is slow, and anyone can ask."""


@dataclass(frozen=True, slots=True)
class _Encoded:
    """An answer on the wire: alone, and as one result of a batch (a repeated field's elements join)."""

    alone: bytes
    in_batch: bytes


def _encode(response: pb.ResolveResponse) -> _Encoded:
    result = pb.BatchResolveResult(response=response)
    return _Encoded(
        alone=response.SerializeToString(deterministic=True),
        in_batch=pb.BatchResolveResponse(results=[result]).SerializeToString(deterministic=True),
    )


@dataclass(frozen=True, slots=True)
class _Desk:
    """Tables, and the answers of theirs that have been serialized: at most all that they can give."""

    tables: Tables
    encoded: dict[Resolution, _Encoded]


class Responder:
    """Answers from what `tables` returns. Threads may share it: tables and answers change together."""

    def __init__(self, tables: Callable[[], Tables]) -> None:
        self._tables = tables
        self._desk = _Desk(EMPTY_TABLES, {})

    def resolve(self, data: bytes) -> bytes:
        """Return the ResolveResponse to a ResolveRequest; raise LightbulbError."""
        try:
            request = pb.ResolveRequest.FromString(data)
        except DecodeError as error:
            raise InvalidContext(f"not a lightbulb.v1.ResolveRequest: {error}") from error
        return _answer(self._take_desk(), request).alone

    def batch_resolve(self, data: bytes) -> bytes:
        """Return the BatchResolveResponse to a BatchResolveRequest, all of it from one generation.

        Raises LightbulbError when the batch as a whole can't be answered.
        """
        try:
            requests = pb.BatchResolveRequest.FromString(data).requests
        except DecodeError as error:
            raise InvalidContext(f"not a lightbulb.v1.BatchResolveRequest: {error}") from error
        if len(requests) > MAX_BATCH:
            raise InvalidContext(f"{len(requests)} requests in a batch; {MAX_BATCH} are allowed")
        desk = self._take_desk()
        return b"".join([_result(desk, request) for request in requests])

    def _take_desk(self) -> _Desk:
        desk, tables = self._desk, self._tables()
        if desk.tables is not tables:
            desk = self._desk = _Desk(tables, {})
        if not tables.generation.number:
            raise Unavailable("no configuration yet: the control plane hasn't sent a generation; retry")
        return desk


def _answer(desk: _Desk, request: pb.ResolveRequest) -> _Encoded:
    tables = desk.tables
    resolver = tables.resolvers.get(request.objective)
    if resolver is None:
        raise UnknownObjective(_unknown(request.objective, tables))
    context = context_from_proto(request.context)
    steps: list[Step] | None = [] if request.explain else None
    try:
        resolution = resolver.resolve(
            context, override=request.override_model, client=request.client, steps=steps
        )
    except OverrideNotPermitted as error:
        raise OverrideRefused(str(error)) from error
    if steps is not None:
        return _encode_answer(tables, resolver, resolution, steps)
    encoded = desk.encoded.get(resolution)
    if encoded is None:
        encoded = desk.encoded[resolution] = _encode_answer(tables, resolver, resolution)
    return encoded


def _result(desk: _Desk, request: pb.ResolveRequest) -> bytes:
    try:
        return _answer(desk, request).in_batch
    except LightbulbError as error:
        refusal = pb.ResolveError(code=code_of(error).value[0], message=details_of(error))
        result = pb.BatchResolveResult(error=refusal)
        return pb.BatchResolveResponse(results=[result]).SerializeToString()


def _encode_answer(
    tables: Tables, resolver: Resolver, resolution: Resolution, steps: Iterable[Step] = ()
) -> _Encoded:
    answer = make_answer(resolver.table, resolution, tables.generation.number, steps)
    return _encode(answer_to_proto(answer))


def _unknown(objective: str, tables: Tables) -> str:
    if not objective:
        return "no objective named"
    name = objective[:MAX_FIELD]
    nearest = get_close_matches(name, _neighbours(name, sorted(tables.resolvers)), n=3, cutoff=0.5)
    hint = f"; did you mean {' or '.join(nearest)}?" if nearest else ""
    return f"unknown objective {name!r}{hint}"


def _neighbours(name: str, names: list[str]) -> list[str]:
    """Return `names` (sorted) or, of very many, those around the place where `name` would stand."""
    place = bisect_left(names, name)
    begin = max(0, min(place - NEIGHBOURS // 2, len(names) - NEIGHBOURS))
    return names[begin : begin + NEIGHBOURS]
