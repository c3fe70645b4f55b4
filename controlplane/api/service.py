"""The control plane's gRPC API: protobuf in, an Operator's work, protobuf out; errors as statuses."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable
from typing import Any, NoReturn, TypeVar

import grpc
import grpc.aio

from controlplane.admin.operator import MAX_NUMBER, Caller, Operator
from controlplane.api.history import event, history_entry, problem
from controlplane.api.status import status
from controlplane.model import Workspace
from controlplane.planning.difference import differences
from controlplane.planning.routing import Inconsistent
from controlplane.problems import WorkspaceError
from controlplane.replica.replica import Replica
from controlplane.rollout.events import withdrawn_of
from controlplane.rollout.operations import Refused
from controlplane.rules.workspace import MAX_FILES
from controlplane.store.contract import (
    MAX_PAGE,
    Conflict,
    LogEntry,
    NotFound,
    StoreError,
    TooLarge,
    Unreachable,
)
from lightbulb.resolution.codec import Malformed
from lightbulb.v1 import control_plane_pb2 as pb
from lightbulb.v1 import control_plane_pb2_grpc as pb_grpc

log = logging.getLogger(__name__)

PAGE = 20
NEWS_SECONDS = 1.0
PAUSE_SECONDS = 0.05
MAX_WATCHERS = 200
MAX_TEXT = 4_000
"""Characters of a message, an author or a revision."""

Context = grpc.aio.ServicerContext[Any, Any]
T = TypeVar("T")

_CODES: tuple[tuple[type[Exception], grpc.StatusCode], ...] = (
    (Refused, grpc.StatusCode.FAILED_PRECONDITION),
    (NotFound, grpc.StatusCode.NOT_FOUND),
    (Conflict, grpc.StatusCode.ABORTED),
    (TooLarge, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (Unreachable, grpc.StatusCode.UNAVAILABLE),
    (StoreError, grpc.StatusCode.INTERNAL),
    (Malformed, grpc.StatusCode.INTERNAL),
)


class AdminService(pb_grpc.ControlPlaneServicer):
    """protos/lightbulb/v1/control_plane.proto, at one replica."""

    def __init__(self, replica: Replica, operator: Operator) -> None:
        """Serve what `replica` knows, and have `operator` do what is asked: the one of this replica."""
        self._replica = replica
        self._operator = operator
        self._watchers = 0

    async def Publish(self, request: pb.PublishRequest, context: Context) -> pb.PublishResponse:  # noqa: N802 - gRPC's name
        """Evaluate, compile, plan and begin to activate; answer with all problems when there are any."""
        if len(request.files) > MAX_FILES:
            await context.abort(
                grpc.StatusCode.INVALID_ARGUMENT, f"{len(request.files)} files; at most {MAX_FILES}"
            )
        caller = await _caller(request, context)
        workspace = Workspace(files={file.path: file.content for file in request.files})
        if len(workspace.files) < len(request.files):
            twice = Counter(file.path for file in request.files).most_common(1)[0][0]
            await context.abort(
                grpc.StatusCode.INVALID_ARGUMENT, f"the file {twice!r} is there more than once"
            )
        try:
            outcome = await _carried_out(self._operator.publish(workspace, caller), context)
        except WorkspaceError as error:
            return pb.PublishResponse(problems=map(problem, error.problems))
        except Inconsistent as error:
            await context.abort(
                grpc.StatusCode.INTERNAL, f"no sidecar could serve this; nothing has changed: {error}"
            )
        return pb.PublishResponse(
            generation=outcome.generation,
            content_hash=await self._content_hash(outcome.generation),
            unchanged=outcome.unchanged,
            version=self._replica.known.version,
        )

    async def Rollback(self, request: pb.RollbackRequest, context: Context) -> pb.RollbackResponse:  # noqa: N802 - gRPC's name
        """Make a loaded generation active, or load it again."""
        caller = await _caller(request, context)
        work = self._operator.roll_back(request.generation, caller, reload=request.reload)
        outcome = await _carried_out(work, context)
        return pb.RollbackResponse(
            generation=outcome.generation,
            unchanged=outcome.unchanged,
            on_its_way=outcome.on_its_way,
            version=self._replica.known.version,
        )

    async def Pin(self, request: pb.PinRequest, context: Context) -> pb.PinResponse:  # noqa: N802 - gRPC's name
        """Keep a generation loaded, or let it go."""
        caller = await _caller(request, context)
        work = self._operator.pin(request.generation, caller, release=request.release)
        return pb.PinResponse(pinned=sorted(await _carried_out(work, context)))

    async def GetStatus(self, request: pb.GetStatusRequest, context: Context) -> pb.GetStatusResponse:  # noqa: ARG002, N802 - gRPC's signature
        """Return where the rollout stands, and what each consumer has acknowledged."""
        return status(self._replica)

    async def Watch(self, request: pb.WatchRequest, context: Context) -> AsyncIterator[pb.GetStatusResponse]:  # noqa: ARG002, N802 - gRPC's signature
        """Yield the status now and after every change."""
        if self._watchers >= MAX_WATCHERS:
            await context.abort(
                grpc.StatusCode.RESOURCE_EXHAUSTED, f"{MAX_WATCHERS} watch already; try later"
            )
        self._watchers += 1
        try:
            told, last = -1, None
            while True:
                told = await self._replica.wait_for_news(told, NEWS_SECONDS)
                now = status(self._replica)
                if now != last:
                    yield now
                    last = now
                await asyncio.sleep(PAUSE_SECONDS)
        finally:
            self._watchers -= 1

    async def GetHistory(self, request: pb.GetHistoryRequest, context: Context) -> pb.GetHistoryResponse:  # noqa: N802 - gRPC's name
        """Return lines of the log, the newest first."""
        limit = min(request.limit or PAGE, MAX_PAGE)
        before = min(request.before, MAX_NUMBER) or None
        work = self._blocking(self._replica.store.log, before=before, limit=limit)
        entries = await _carried_out(work, context)
        events = await _carried_out(self._blocking(self._replica.store.events), context)
        rollout, withdrawn = self._replica.known.rollout, withdrawn_of(events)
        return pb.GetHistoryResponse(entries=[history_entry(entry, rollout, withdrawn) for entry in entries])

    async def Diff(self, request: pb.DiffRequest, context: Context) -> pb.DiffResponse:  # noqa: N802 - gRPC's name
        """Return what differs between two generations."""
        one, other = [
            (await _carried_out(self._blocking(self._operator.generation, number), context)).plan
            for number in (getattr(request, "from"), request.to)
        ]
        return pb.DiffResponse(
            differences=[
                pb.Difference(kind=each.kind, name=each.name, added=each.added, removed=each.removed)
                for each in await self._blocking(differences, one, other)
            ]
        )

    async def GetEvents(self, request: pb.GetEventsRequest, context: Context) -> pb.GetEventsResponse:  # noqa: N802 - gRPC's name
        """Return lines of the audit trail, the newest first."""
        limit = min(request.limit or PAGE, MAX_PAGE)
        events = await _carried_out(self._blocking(self._replica.store.events, limit=limit), context)
        return pb.GetEventsResponse(events=map(event, events))

    async def _content_hash(self, generation: int) -> str:
        """Return a generation's content hash; empty when it can't be read now, though all is done."""
        try:
            entry: LogEntry = await self._blocking(self._replica.store.entry, generation)
        except StoreError:
            return ""
        return entry.content_hash

    @staticmethod
    async def _blocking(work: Any, *arguments: Any, **named: Any) -> Any:
        return await asyncio.to_thread(work, *arguments, **named)


async def _carried_out(work: Awaitable[T], context: Context) -> T:
    """Return what work comes to, or end the call with the status of its error."""
    try:
        return await work
    except (Refused, StoreError, Malformed) as error:
        await _abort(error, context)


async def _abort(error: Exception, context: Context) -> NoReturn:
    code = next(code for kind, code in _CODES if isinstance(error, kind))
    text = str(error)
    if isinstance(error, Unreachable):
        text = f"the store: {error}; nothing has changed, unless only its answer was lost: see the history"
    await context.abort(code, text)
    raise AssertionError("abort raises")


async def _caller(
    request: pb.PublishRequest | pb.RollbackRequest | pb.PinRequest, context: Context
) -> Caller:
    texts = {
        name: getattr(request, name, "") for name in ("author", "message", "source_revision", "request_id")
    }
    for name, text in texts.items():
        if len(text) > MAX_TEXT:
            await context.abort(
                grpc.StatusCode.INVALID_ARGUMENT, f"{name} is longer than {MAX_TEXT} characters"
            )
    return Caller(**texts)
