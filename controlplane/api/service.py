"""The control plane's gRPC API: protobuf in, an Operator's work, protobuf out; errors as statuses."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

from controlplane.admin.commits import MAX_NUMBER, Caller
from controlplane.admin.compilers import Stopping
from controlplane.admin.operator import Back, Operator
from controlplane.admin.outcome import move_to_message
from controlplane.admin.problem_codec import problem_to_message
from controlplane.admin.resume import resume
from controlplane.admin.tenants import check_tenant, is_known
from controlplane.api.errors import (
    KINDS,
    Context,
    InvalidRequest,
    TooManyWatchers,
    abort,
    answered,
    status_of,
)
from controlplane.api.history import difference, event, history_entry
from controlplane.api.shadows import asked_of as shadow_asked_of
from controlplane.api.shifts import asked_of, decided, notes
from controlplane.api.status import status
from controlplane.model import PLATFORM, Workspace, misnamed
from controlplane.planning.difference import Difference, differences
from controlplane.problems import WorkspaceError
from controlplane.replica.replica import Replica
from controlplane.rollout.events import withdrawn_of
from controlplane.rollout.taking import table_of
from controlplane.rules.workspace import MAX_FILES
from controlplane.store.contract import MAX_PAGE, LogEntry, StoreError
from lightbulb.model import DEFAULT_TENANT
from lightbulb.v1 import control_plane_pb2 as pb
from lightbulb.v1 import control_plane_pb2_grpc as pb_grpc

log = logging.getLogger(__name__)

_Asked = (
    pb.PublishRequest
    | pb.RollbackRequest
    | pb.PinRequest
    | pb.ResumeStoreRequest
    | pb.OfferRequest
    | pb.TakeRequest
    | pb.ShiftRequest
    | pb.ShadowRequest
)

PAGE = 20
MAX_PAGES = 50
"""Pages of the log that are looked through for one tenant's lines."""

NEWS_SECONDS = 1.0
PAUSE_SECONDS = 0.05
MAX_WATCHERS = 200
MAX_TEXT = 4_000
"""Characters of a message, an author or a revision."""


class AdminService(pb_grpc.ControlPlaneServicer):
    """protos/lightbulb/v1/control_plane.proto, at one replica."""

    def __init__(self, replica: Replica, operator: Operator) -> None:
        """Serve what `replica` knows, and have `operator` do what is asked: the one of this replica."""
        self._replica = replica
        self._operator = operator
        self._watchers = 0
        self._ended = False

    @answered
    async def Publish(self, request: pb.PublishRequest) -> pb.PublishResponse:  # noqa: N802 - gRPC's name
        """Evaluate, compile, plan and begin to activate; answer with all problems when there are any."""
        if len(request.files) > MAX_FILES:
            raise InvalidRequest(f"{len(request.files)} files; at most {MAX_FILES}", path="files")
        caller = _caller(request)
        if request.dry_run and caller.tenant != PLATFORM:
            raise InvalidRequest("dry_run is of the platform's own workspace alone", path="dry_run")
        workspace = Workspace(files={file.path: file.content for file in request.files})
        if len(workspace.files) < len(request.files):
            twice = Counter(file.path for file in request.files).most_common(1)[0][0]
            raise InvalidRequest(f"the file {twice!r} is there more than once", path="files")
        try:
            outcome = await self._operator.publish(workspace, caller, dry_run=request.dry_run)
        except WorkspaceError as error:
            return pb.PublishResponse(problems=map(problem_to_message, error.problems))
        return pb.PublishResponse(
            generation=outcome.generation,
            content_hash=outcome.content_hash or await self._content_hash(outcome.generation),
            unchanged=outcome.unchanged,
            version=outcome.version or self._replica.known.version,
            warnings=map(problem_to_message, outcome.warnings),
            moves=map(move_to_message, outcome.moves),
            replanned=outcome.replanned,
        )

    @answered
    async def Rollback(self, request: pb.RollbackRequest) -> pb.RollbackResponse:  # noqa: N802 - gRPC's name
        """Make a loaded generation active, or load it again."""
        caller = _caller(request)
        back = Back(
            number=request.generation,
            reload=request.reload,
            dry_run=request.dry_run,
            expected_newest=request.expected_newest,
            objective=request.objective,
        )
        if request.objective:
            _check_objective(request.objective)
            if request.reload:
                raise InvalidRequest("one objective goes back to what is loaded", path="reload")
        outcome = await self._operator.roll_back(back, caller)
        return pb.RollbackResponse(
            generation=outcome.generation,
            unchanged=outcome.unchanged,
            on_its_way=outcome.on_its_way,
            version=outcome.version or self._replica.known.version,
            left=outcome.left,
            answered_from=outcome.answered_from,
        )

    @answered
    async def Offer(self, request: pb.OfferRequest) -> pb.OfferResponse:  # noqa: N802 - gRPC's name
        """Offer an objective to another tenant, or take that back."""
        caller = _caller(request)
        _check_objective(request.objective)
        _check_name(request.to, path="to")
        outcome = await self._operator.handovers.offer(
            request.objective, request.to or DEFAULT_TENANT, caller, back=request.back
        )
        return pb.OfferResponse(
            unchanged=outcome.unchanged,
            version=outcome.version or self._replica.known.version,
            until=outcome.until,
        )

    @answered
    async def Take(self, request: pb.TakeRequest) -> pb.TakeResponse:  # noqa: N802 - gRPC's name
        """Take an objective that another tenant offers."""
        caller = _caller(request)
        _check_objective(request.objective)
        try:
            outcome = await self._operator.handovers.take(request.objective, caller)
        except WorkspaceError as error:
            return pb.TakeResponse(problems=map(problem_to_message, error.problems))
        return pb.TakeResponse(
            generation=outcome.generation,
            unchanged=outcome.unchanged,
            version=outcome.version or self._replica.known.version,
        )

    @answered
    async def Shift(self, request: pb.ShiftRequest) -> pb.ShiftResponse:  # noqa: N802 - gRPC's name
        """Begin a shift of an objective's users, or do something to one."""
        caller = _caller(request)
        _check_objective(request.objective)
        asked = asked_of(request, caller)
        outcome = await self._operator.shifts.shift(asked, caller)
        return pb.ShiftResponse(
            shift=outcome.shift,
            unchanged=outcome.unchanged,
            version=outcome.version or self._replica.known.version,
            notes=notes(self._replica, asked, caller.tenant),
        )

    @answered
    async def Shadow(self, request: pb.ShadowRequest) -> pb.ShadowResponse:  # noqa: N802 - gRPC's name
        """Have copies of an objective's requests sent to another model, or change or stop that."""
        caller = _caller(request)
        _check_objective(request.objective)
        outcome = await self._operator.shadows.shadow(shadow_asked_of(request, caller), caller)
        return pb.ShadowResponse(
            shadows=outcome.shadows,
            unchanged=outcome.unchanged,
            version=outcome.version or self._replica.known.version,
        )

    @answered
    async def Pin(self, request: pb.PinRequest) -> pb.PinResponse:  # noqa: N802 - gRPC's name
        """Keep a generation loaded, or let it go."""
        caller = _caller(request)
        pinned = await self._operator.pin(request.generation, caller, release=request.release)
        return pb.PinResponse(pinned=sorted(pinned))

    @answered
    async def GetStatus(self, request: pb.GetStatusRequest) -> pb.GetStatusResponse:  # noqa: N802 - gRPC's name
        """Return where the rollout stands, and what each consumer has acknowledged."""
        await self._check_tenant(request.tenant)
        return status(self._replica, request.tenant)

    async def Watch(self, request: pb.WatchRequest, context: Context) -> AsyncIterator[pb.GetStatusResponse]:  # noqa: N802 - gRPC's signature
        """Yield the status now and after every change."""
        try:
            await self._check_tenant(request.tenant)
        except tuple(KINDS) as error:
            await abort(context, status_of(error))
        if self._watchers >= MAX_WATCHERS:
            await abort(context, status_of(TooManyWatchers(f"{MAX_WATCHERS} watch already; try later")))
        self._watchers += 1
        try:
            told, last = -1, None
            while not self._ended:
                told = await self._replica.wait_for_news(told, NEWS_SECONDS)
                now = status(self._replica, request.tenant)
                if now != last:
                    yield now
                    last = now
                await asyncio.sleep(PAUSE_SECONDS)
            await abort(context, status_of(Stopping("this control plane is stopping; watch again")))
        finally:
            self._watchers -= 1

    def end_watches(self) -> None:
        """End those who watch, as UNAVAILABLE: this replica stops."""
        self._ended = True
        self._replica.tell()

    @answered
    async def GetHistory(self, request: pb.GetHistoryRequest) -> pb.GetHistoryResponse:  # noqa: N802 - gRPC's name
        """Return lines of the log, the newest first."""
        limit = min(request.limit or PAGE, MAX_PAGE)
        before = min(request.before, MAX_NUMBER) or None
        _check_name(request.tenant)
        entries = await self._blocking(self._log, before, limit, request.tenant)
        if not entries and request.tenant != PLATFORM:
            await self._check_tenant(request.tenant)
        events = await self._blocking(self._replica.store.events)
        lanes, withdrawn = self._replica.known.lanes, withdrawn_of(events)
        return pb.GetHistoryResponse(entries=[history_entry(entry, lanes, withdrawn) for entry in entries])

    @answered
    async def Diff(self, request: pb.DiffRequest) -> pb.DiffResponse:  # noqa: N802 - gRPC's name
        """Return what differs between two generations."""
        one, other = await self._blocking(self._operator.pair, getattr(request, "from"), request.to)
        found = await self._blocking(differences, one.plan, other.plan)
        lanes = self._replica.known.lanes

        def by_operator(each: Difference) -> str:
            if each.kind != "objective":
                return ""
            return decided(lanes, other.tenant, each.name, table_of(other, each.name))

        return pb.DiffResponse(differences=[difference(each, by_operator(each)) for each in found])

    @answered
    async def GetEvents(self, request: pb.GetEventsRequest) -> pb.GetEventsResponse:  # noqa: N802 - gRPC's name
        """Return lines of the audit trail, the newest first."""
        limit = min(request.limit or PAGE, MAX_PAGE)
        _check_name(request.tenant)
        wanted = MAX_PAGE if request.tenant else limit
        events = await self._blocking(self._replica.store.events, limit=wanted)
        own = [each for each in events if request.tenant in {"", each.tenant}]
        if not own and request.tenant != PLATFORM:
            await self._check_tenant(request.tenant)
        return pb.GetEventsResponse(events=map(event, own[:limit]))

    @answered
    async def ResumeStore(self, request: pb.ResumeStoreRequest) -> pb.ResumeStoreResponse:  # noqa: N802 - gRPC's name
        """Go on with a store that lost commits."""
        done = await resume(self._replica, _caller(request), dry_run=request.dry_run)
        lost = done.given_up
        return pb.ResumeStoreResponse(
            unchanged=done.unchanged,
            was_at=done.was_at,
            seen=done.seen.version,
            seen_by=done.seen.by,
            version=done.version,
            restored=done.restored,
            lost_from=lost[0] if lost else 0,
            lost_to=lost[-1] if lost else 0,
            begins_again=done.begins_again,
            replica=self._replica.name,
            known=done.known,
        )

    async def _check_tenant(self, tenant: str) -> None:
        """Raise InvalidRequest, UnknownTenant or NoRolloutOfPlatform unless there is a tenant; empty: any."""
        _check_name(tenant)
        # Another replica may have heard of it first.
        if tenant and not is_known(self._replica.known, tenant):
            known = await self._replica.refresh()
            if not is_known(known, tenant):
                check_tenant(known.platform, tenant)

    def _log(self, before: int | None, limit: int, tenant: str) -> list[LogEntry]:
        """Return lines of the log, the newest first; of a tenant, or of all. Blocking."""
        found: list[LogEntry] = []
        for _ in range(MAX_PAGES if tenant else 1):
            page = self._replica.store.log(before=before, limit=MAX_PAGE if tenant else limit)
            found += [each for each in page if tenant in {"", each.tenant}]
            if not page or len(found) >= limit:
                break
            before = page[-1].number
        return found[:limit]

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


def _caller(request: _Asked) -> Caller:
    texts = {
        name: getattr(request, name, "") for name in ("author", "message", "source_revision", "request_id")
    }
    for name, text in texts.items():
        if len(text) > MAX_TEXT:
            raise InvalidRequest(f"{name} is longer than {MAX_TEXT} characters", path=name)
    tenant = getattr(request, "tenant", "")
    _check_name(tenant)
    return Caller(
        **texts,
        tenant=tenant or DEFAULT_TENANT,
        digest=_digest(request) if texts["request_id"] else b"",
    )


def _check_name(tenant: str, path: str = "tenant") -> None:
    """Raise InvalidRequest for what can be no tenant's name; empty: none is named."""
    wrong = misnamed("a tenant", tenant) if tenant else ""
    if wrong:
        raise InvalidRequest(wrong, path=path)


def _check_objective(objective: str) -> None:
    """Raise InvalidRequest for what can be no objective's name."""
    wrong = misnamed("an objective", objective)
    if wrong:
        raise InvalidRequest(wrong, path="objective")


def _digest(request: _Asked) -> bytes:
    """Return what tells a request from others; a workspace is the same in whichever order its files come."""
    if isinstance(request, pb.PublishRequest):
        files = sorted(request.files, key=lambda file: file.path)
        request = pb.PublishRequest.FromString(request.SerializeToString())
        del request.files[:]
        request.files.extend(files)
    name = request.DESCRIPTOR.full_name.encode()
    return hashlib.sha256(name + b"\0" + request.SerializeToString(deterministic=True)).digest()
