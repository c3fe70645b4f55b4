"""The bytes of a request -> the bytes of its response, or a LightbulbError. No sockets, no waiting.

A generation has few different answers, and each is one object. So each is serialized once, and a call costs
a parse, a resolution and a look-up. A caller that names its sidecar is answered from the generation that
the sidecar routes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from google.protobuf.message import DecodeError

from lightbulb.errors import InvalidContext, LightbulbError, OverrideRefused, Unavailable
from lightbulb.model import HeldBack
from lightbulb.resolution.resolve import OverrideNotPermitted, Resolution, Resolver, Step
from lightbulb.rpc.answer import make_answer
from lightbulb.rpc.messages import MAX_BATCH, answer_to_proto, context_from_proto
from lightbulb.rpc.status import error_to_proto
from lightbulb.tables.known import NEIGHBOURS, known_resolver
from lightbulb.tables.values import EMPTY_TABLES, IN_STEP, Tables
from lightbulb.v1 import lightbulb_pb2 as pb

__all__ = ["NEIGHBOURS", "Responder"]


@dataclass(frozen=True, slots=True)
class _Encoded:
    """An answer in bytes: alone, and as one result of a batch. The bytes of results, joined, are a batch."""

    alone: bytes
    in_batch: bytes


def _encode(response: pb.ResolveResponse) -> _Encoded:
    result = pb.BatchResolveResult(response=response)
    return _Encoded(
        alone=response.SerializeToString(deterministic=True),
        in_batch=pb.BatchResolveResponse(results=[result]).SerializeToString(deterministic=True),
    )


@dataclass(frozen=True, slots=True)
class _Page:
    """The objectives of one generation that were asked for, and its answers that were serialized.

    `before` has the answers from the tables before these. An objective that didn't change has the same
    Resolutions as before, so their answers needn't be serialized again.
    """

    number: int
    resolvers: dict[str, Resolver]
    answers: dict[Resolution, _Encoded]
    before: Mapping[Resolution, _Encoded]


@dataclass(frozen=True, slots=True)
class _Desk:
    """The tables, and a page for each generation that was asked for.

    `active` is objective -> the page of its tenant's active generation, of those that were asked for.
    """

    tables: Tables
    active: dict[str, _Page]
    pages: dict[int, _Page]
    before: Mapping[int, _Page]

    def active_page(self, objective: str) -> _Page:
        page = self.page(self.tables.generation_for("", self.tables.tenant_of(objective)))
        if objective in self.tables.objectives:  # of others there is no end
            self.active[objective] = page
        return page

    def page(self, number: int) -> _Page:
        page = self.pages.get(number)
        if page is None:
            page = self.pages[number] = _make_page(number, self.before)
        return page


def _make_page(number: int, before: Mapping[int, _Page]) -> _Page:
    last = before.get(number)
    return _Page(number, {}, {}, {} if last is None else last.answers)


def _make_desk(tables: Tables, last: _Desk) -> _Desk:
    if last.tables.objectives is tables.objectives and last.tables.generations == tables.generations:
        return replace(last, tables=tables)  # only sidecars have changed
    return _Desk(tables, {}, {}, last.pages)


class Responder:
    """Answers from the tables that `tables` returns. Threads may share it."""

    def __init__(self, tables: Callable[[], Tables]) -> None:
        self._tables = tables
        self._desk = _Desk(EMPTY_TABLES, {}, {}, {})

    def resolve(self, data: bytes) -> bytes:
        """Return the ResolveResponse to a ResolveRequest; raise LightbulbError."""
        try:
            request = pb.ResolveRequest.FromString(data)
        except DecodeError as error:
            raise InvalidContext(f"not a lightbulb.v1.ResolveRequest: {error}") from error
        return _answer(self._take_desk(), request).alone

    def batch_resolve(self, data: bytes) -> bytes:
        """Return the BatchResolveResponse to a BatchResolveRequest. All answers are from the same tables.

        Raises LightbulbError when the batch as a whole can't be answered.
        """
        try:
            requests = pb.BatchResolveRequest.FromString(data).requests
        except DecodeError as error:
            raise InvalidContext(f"not a lightbulb.v1.BatchResolveRequest: {error}") from error
        if len(requests) > MAX_BATCH:
            raise InvalidContext(
                f"{len(requests)} requests in a batch; {MAX_BATCH} are allowed", path="requests"
            )
        desk = self._take_desk()
        return b"".join([_result(desk, request) for request in requests])

    def _take_desk(self) -> _Desk:
        desk, tables = self._desk, self._tables()
        if desk.tables is not tables:
            desk = self._desk = _make_desk(tables, desk)
        if not tables.generations:
            raise Unavailable("no configuration yet: the control plane hasn't sent a generation; retry")
        return desk


def _answer(desk: _Desk, request: pb.ResolveRequest) -> _Encoded:
    objective, sidecar = request.objective, request.sidecar
    if not sidecar or desk.tables.sidecars.get(sidecar) is IN_STEP:
        page = desk.active.get(objective) or desk.active_page(objective)
    else:
        page = desk.page(desk.tables.generation_for(sidecar, desk.tables.tenant_of(objective)))
    resolver = page.resolvers.get(objective) or _look_up(desk.tables, page, objective)
    context = context_from_proto(request.context)
    steps: list[Step] | None = [] if request.explain else None
    try:
        resolution = resolver.resolve(
            context, override=request.override_model, client=request.client, steps=steps
        )
    except OverrideNotPermitted as error:
        raise OverrideRefused(
            str(error), objective=request.objective, model=request.override_model
        ) from error
    if steps is not None:
        held_back = desk.tables.held_back(objective, page.number)
        return _encode_answer(page.number, resolver, resolution, steps, held_back)
    encoded = page.answers.get(resolution)
    if encoded is None:
        encoded = page.before.get(resolution) or _encode_answer(page.number, resolver, resolution)
        page.answers[resolution] = encoded
    return encoded


def _look_up(tables: Tables, page: _Page, objective: str) -> Resolver:
    resolver = page.resolvers[objective] = known_resolver(tables, objective, page.number)
    return resolver


def _result(desk: _Desk, request: pb.ResolveRequest) -> bytes:
    try:
        return _answer(desk, request).in_batch
    except LightbulbError as error:
        result = pb.BatchResolveResult(error=error_to_proto(error))
        return pb.BatchResolveResponse(results=[result]).SerializeToString()


def _encode_answer(
    number: int,
    resolver: Resolver,
    resolution: Resolution,
    steps: Iterable[Step] = (),
    held_back: HeldBack | None = None,
) -> _Encoded:
    answer = make_answer(resolver.table, resolution, number, steps, held_back)
    return _encode(answer_to_proto(answer))
