"""Our errors <-> gRPC statuses with details, for both ends of a call to Lightbulb."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import grpc

from lightbulb.errors import (
    CannotListen,
    InvalidContext,
    LightbulbError,
    NotRouted,
    Overloaded,
    OverrideRefused,
    ReservedParameter,
    SidecarNotReady,
    TimedOut,
    TooLarge,
    Unavailable,
    UnknownObjective,
)
from lightbulb.rpc.details import CallStatus, ErrorKind, call_status, error_info, fitting
from lightbulb.v1 import lightbulb_pb2 as pb

DOMAIN = "resolve.lightbulb"

_CODE = grpc.StatusCode

KINDS: Mapping[type[LightbulbError], ErrorKind] = MappingProxyType(
    {
        InvalidContext: ErrorKind(code=_CODE.INVALID_ARGUMENT, reason="INVALID_REQUEST"),
        UnknownObjective: ErrorKind(code=_CODE.NOT_FOUND, reason="UNKNOWN_OBJECTIVE", resource="objective"),
        OverrideRefused: ErrorKind(code=_CODE.PERMISSION_DENIED, reason="OVERRIDE_REFUSED"),
        TooLarge: ErrorKind(code=_CODE.RESOURCE_EXHAUSTED, reason="REQUEST_TOO_LARGE"),
        Overloaded: ErrorKind(code=_CODE.RESOURCE_EXHAUSTED, reason="OVERLOADED", retry_after=1.0),
        TimedOut: ErrorKind(code=_CODE.DEADLINE_EXCEEDED, reason="TIMED_OUT"),
        SidecarNotReady: ErrorKind(code=_CODE.UNAVAILABLE, reason="SIDECAR_NOT_READY", retry_after=1.0),
        Unavailable: ErrorKind(code=_CODE.UNAVAILABLE, reason="NO_CONFIGURATION", retry_after=1.0),
        LightbulbError: ErrorKind(code=_CODE.INTERNAL, reason="INTERNAL"),
    }
)
"""What each error is on the wire. TooLarge and TimedOut are gRPC's own, which has no details."""

LOCAL = frozenset({NotRouted, ReservedParameter, CannotListen})
"""Errors that never leave the process in which they are raised."""

_BY_REASON: Mapping[str, type[LightbulbError]] = {kind.reason: error for error, kind in KINDS.items()}
_BY_CODE: Mapping[grpc.StatusCode, type[LightbulbError]] = {
    **{kind.code: error for error, kind in KINDS.items() if error not in {LightbulbError, Overloaded}},
    # The server shut down during the call. (When a caller cancels its own call, that never gets here.)
    _CODE.CANCELLED: Unavailable,
}
_BY_NUMBER = {code.value[0]: code for code in grpc.StatusCode}

Trailers = Iterable[Any] | None
"""Of keys and values, as each of gRPC's two kinds of call has them."""


def code_of(error: LightbulbError) -> grpc.StatusCode:
    """Return the code that a call ends with for this error."""
    return _kind_of(error).code


def status_of(error: LightbulbError) -> CallStatus:
    """Return how a call ends with this error."""
    return call_status(_kind_of(error), DOMAIN, str(error), about=error.about, path=error.path)


def error_of(code: grpc.StatusCode, message: str | None, trailers: Trailers = None) -> LightbulbError:
    """Return the error that a call ended with: by its details' reason, else by its code, never by its text.

    One of no particular kind is a LightbulbError.
    """
    info = error_info(trailers)
    if info is None or info.domain != DOMAIN:
        return _error(code, message, "", "", {})
    return _error(code, message, info.reason, info.path, info.about)


def error_of_call(failed: Any) -> LightbulbError:
    """Return the error that a call ended with; `failed` is what either kind of grpc's calls raised."""
    return error_of(failed.code(), failed.details(), failed.trailing_metadata())


def error_to_proto(error: LightbulbError) -> pb.ResolveError:
    """Return an error as a batch tells it."""
    kind = _kind_of(error)
    return pb.ResolveError(
        code=kind.code.value[0],
        message=fitting(str(error)),
        reason=kind.reason,
        field=fitting(error.path),
        metadata={key: fitting(value) for key, value in error.about.items()},
    )


def error_from_proto(message: pb.ResolveError) -> LightbulbError:
    """Return an error that a batch tells of."""
    code = _BY_NUMBER.get(message.code, _CODE.UNKNOWN)
    return _error(code, message.message, message.reason, message.field, message.metadata)


def _kind_of(error: LightbulbError) -> ErrorKind:
    return KINDS.get(type(error), KINDS[LightbulbError])


def _error(
    code: grpc.StatusCode, message: str | None, reason: str, path: str, about: Mapping[str, str]
) -> LightbulbError:
    kind = _BY_REASON.get(reason) or _BY_CODE.get(code, LightbulbError)
    text = f"{code.name}: {message}" if kind is LightbulbError else message or code.name
    error = kind(text, path=path)
    error.about = dict(about)
    return error
