"""The errors of the control plane's API -> gRPC statuses with details."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any, NoReturn, TypeVar

import grpc
import grpc.aio

from controlplane.admin.commits import LostGeneration, UnknownGeneration
from controlplane.admin.compiler_process import CompilerFailed
from controlplane.admin.compilers import Stopping, TooManyPublishes
from controlplane.admin.outcome import RequestIdUsed
from controlplane.admin.tenants import NoRolloutOfPlatform
from controlplane.lifecycle.operations import (
    ControlRefused,
    InvalidShift,
    NoShift,
    NotInThisState,
    NotServed,
    ShiftStands,
    ToItself,
    TooManyControls,
)
from controlplane.lifecycle.shadow_operations import (
    InvalidShadow,
    NoShadow,
    OfItself,
    ShadowStands,
    TooManyShadows,
)
from controlplane.planning.routing import Inconsistent
from controlplane.replica.archive import NotKept
from controlplane.replica.figures import NothingCounted
from controlplane.rollout.controlled import NotObeyed
from controlplane.rollout.handover import (
    NotEverywhere,
    NotOffered,
    NotTheirs,
    OfferedToAnother,
    TooManyHandovers,
)
from controlplane.rollout.holding import NotHeldBack
from controlplane.rollout.loss import KnowsLess
from controlplane.rollout.operations import (
    BeforeHandover,
    LayerTaken,
    MakesRoom,
    Moved,
    NoOther,
    NoRoom,
    NotAPublisher,
    NothingActive,
    NotLoaded,
    NotPinned,
    OfAnotherTenant,
    OnItsWay,
    Refused,
    TooManyPinned,
    UnknownTenant,
)
from controlplane.store.contract import (
    CommitsLost,
    Conflict,
    Corrupt,
    Fenced,
    NotFound,
    StoreError,
    TooLarge,
    Unreachable,
    WrongStore,
)
from lightbulb.resolution.codec import Malformed
from lightbulb.rpc.details import CallStatus, ErrorKind, call_status

DOMAIN = "control-plane.lightbulb"

Context = grpc.aio.ServicerContext[Any, Any]
Service = TypeVar("Service")
Request = TypeVar("Request")
Response = TypeVar("Response")
Method = Callable[[Service, Request], Awaitable[Response]]
Handler = Callable[[Service, Request, Context], Awaitable[Response]]


class InvalidRequest(Exception):
    """A request beyond what is taken; `path` is the part of it that is wrong."""

    def __init__(self, message: str, *, path: str) -> None:
        """Hold a message, and the field that programs are told of."""
        super().__init__(message)
        self.path = path


class TooManyWatchers(Exception):
    """As many watch this replica as may."""


_CODE = grpc.StatusCode


def _refused(reason: str, retry_after: float | None = None) -> ErrorKind:
    return ErrorKind(code=_CODE.FAILED_PRECONDITION, reason=reason, retry_after=retry_after)


def _internal(reason: str) -> ErrorKind:
    return ErrorKind(code=_CODE.INTERNAL, reason=reason)


KINDS: Mapping[type[Exception], ErrorKind] = MappingProxyType(
    {
        InvalidRequest: ErrorKind(code=_CODE.INVALID_ARGUMENT, reason="INVALID_REQUEST"),
        TooManyWatchers: ErrorKind(
            code=_CODE.RESOURCE_EXHAUSTED, reason="TOO_MANY_WATCHERS", retry_after=5.0
        ),
        RequestIdUsed: ErrorKind(code=_CODE.ALREADY_EXISTS, reason="REQUEST_ID_USED"),
        TooManyPublishes: ErrorKind(
            code=_CODE.RESOURCE_EXHAUSTED, reason="TOO_MANY_PUBLISHES", retry_after=30.0
        ),
        CompilerFailed: _internal("COMPILER_FAILED"),
        Stopping: ErrorKind(code=_CODE.UNAVAILABLE, reason="STOPPING", retry_after=1.0),
        NothingActive: _refused("NOTHING_ACTIVE"),
        NotLoaded: _refused("GENERATION_NOT_LOADED"),
        OnItsWay: _refused("GENERATION_ON_ITS_WAY"),
        NoOther: _refused("NO_OTHER_GENERATION"),
        Moved: _refused("NEWEST_MOVED"),
        TooManyPinned: _refused("TOO_MANY_PINNED"),
        MakesRoom: _refused("GENERATION_MAKES_ROOM"),
        NotPinned: _refused("GENERATION_NOT_PINNED"),
        OfAnotherTenant: _refused("GENERATION_OF_ANOTHER_TENANT"),
        UnknownTenant: ErrorKind(code=_CODE.NOT_FOUND, reason="UNKNOWN_TENANT"),
        NoRolloutOfPlatform: _refused("NO_ROLLOUT_OF_PLATFORM"),
        NotAPublisher: ErrorKind(code=_CODE.PERMISSION_DENIED, reason="NOT_A_PUBLISHER"),
        NoRoom: _refused("NO_ROOM"),
        LayerTaken: _refused("LAYER_TAKEN"),
        BeforeHandover: _refused("GENERATION_BEFORE_HANDOVER"),
        NotOffered: _refused("OBJECTIVE_NOT_OFFERED"),
        NotTheirs: _refused("OBJECTIVE_NOT_SERVED"),
        OfferedToAnother: _refused("OBJECTIVE_OFFERED_TO_ANOTHER"),
        NotEverywhere: _refused("GENERATION_NOT_EVERYWHERE", retry_after=5.0),
        TooManyHandovers: ErrorKind(code=_CODE.RESOURCE_EXHAUSTED, reason="TOO_MANY_HANDOVERS"),
        InvalidShift: ErrorKind(code=_CODE.INVALID_ARGUMENT, reason="INVALID_SHIFT"),
        NoShift: _refused("NO_SHIFT"),
        ShiftStands: _refused("SHIFT_STANDS"),
        NotInThisState: _refused("NOT_IN_THIS_STATE"),
        NotServed: _refused("MODEL_NOT_SERVED"),
        ToItself: _refused("SHIFT_TO_ITSELF"),
        TooManyControls: ErrorKind(code=_CODE.RESOURCE_EXHAUSTED, reason="TOO_MANY_CONTROLS"),
        InvalidShadow: ErrorKind(code=_CODE.INVALID_ARGUMENT, reason="INVALID_SHADOW"),
        NoShadow: _refused("NO_SHADOW"),
        ShadowStands: _refused("SHADOW_STANDS"),
        TooManyShadows: ErrorKind(code=_CODE.RESOURCE_EXHAUSTED, reason="TOO_MANY_SHADOWS"),
        OfItself: _refused("SHADOW_OF_ITSELF"),
        ControlRefused: _refused("CONTROL_REFUSED"),
        NotHeldBack: _refused("NOT_HELD_BACK"),
        NotObeyed: _refused("LIGHTBULB_TOO_OLD"),
        KnowsLess: _refused("REPLICA_KNOWS_LESS"),
        Refused: _refused("REFUSED"),
        UnknownGeneration: ErrorKind(
            code=_CODE.NOT_FOUND, reason="UNKNOWN_GENERATION", resource="generation"
        ),
        NotKept: ErrorKind(code=_CODE.NOT_FOUND, reason="CONTENT_NOT_KEPT", resource="generation"),
        LostGeneration: ErrorKind(code=_CODE.NOT_FOUND, reason="GENERATION_LOST", resource="generation"),
        NothingCounted: ErrorKind(code=_CODE.NOT_FOUND, reason="NOTHING_COUNTED", resource="objective"),
        NotFound: ErrorKind(code=_CODE.NOT_FOUND, reason="NOT_FOUND"),
        Conflict: ErrorKind(code=_CODE.ABORTED, reason="CONFLICT", retry_after=0.1),
        TooLarge: ErrorKind(code=_CODE.RESOURCE_EXHAUSTED, reason="GENERATION_TOO_LARGE"),
        Unreachable: ErrorKind(code=_CODE.UNAVAILABLE, reason="STORE_UNREACHABLE", retry_after=1.0),
        Inconsistent: _internal("PLAN_INCONSISTENT"),
        Fenced: _internal("LEASE_LOST"),
        Corrupt: _internal("STORE_CORRUPT"),
        CommitsLost: _refused("STORE_LOST_COMMITS"),
        WrongStore: _internal("STORE_WRONG"),
        Malformed: _internal("STORE_MALFORMED"),
        StoreError: _internal("STORE_FAILED"),
        OSError: ErrorKind(code=_CODE.RESOURCE_EXHAUSTED, reason="SYSTEM_REFUSES"),
    }
)
"""What each error is on the wire. A workspace's problems are no error: the response has them all."""


def status_of(error: Exception) -> CallStatus:
    """Return how a call ends with an error of `KINDS`."""
    text = str(error)
    if isinstance(error, Unreachable):
        text = f"the store: {error}; nothing has changed, unless only its answer was lost: see the history"
    if isinstance(error, Inconsistent):
        text = f"no sidecar could serve this; nothing has changed: {error}"
    if isinstance(error, OSError):
        text = f"the control plane's system refuses: {error.strerror or error}; see its log, disk and limits"
    about, path = getattr(error, "about", {}), getattr(error, "path", "")
    kind = next(KINDS[each] for each in type(error).__mro__ if each in KINDS)
    return call_status(kind, DOMAIN, text, about=about, path=path)


async def abort(context: Context, status: CallStatus) -> NoReturn:
    """End a call."""
    await context.abort(status.code, status.details, trailing_metadata=status.trailing_metadata)
    raise AssertionError("abort raises")


def answered(method: Method[Service, Request, Response]) -> Handler[Service, Request, Response]:
    """Return a unary method for gRPC, which ends its call with the status of what `method` raises."""

    @functools.wraps(method)
    async def answer(service: Service, request: Request, context: Context) -> Response:
        try:
            return await method(service, request)
        except tuple(KINDS) as error:
            status = status_of(error)
        return await abort(context, status)

    return answer
