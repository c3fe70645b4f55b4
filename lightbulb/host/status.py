"""A host's errors -> gRPC statuses.

A model that isn't loaded is ABORTED, with the trailing metadata `x-lightbulb-reason: model-not-loaded`:
what the caller resolved is out of date, and it should resolve again and retry once, which is what gRPC
means by ABORTED: retry at a higher level. It is not NOT_FOUND, which a sidecar says of an unknown key and
which nobody retries; and not UNAVAILABLE, which proxies retry by themselves with the same model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, NoReturn

import grpc
import grpc.aio

from lightbulb.host.errors import (
    BadInput,
    Busy,
    CannotLoad,
    HostError,
    ModelFailed,
    NotAssigned,
    NotLoaded,
    brief,
)
from lightbulb.model import MODEL_NOT_LOADED, REASON_HEADER
from lightbulb.rpc.details import MESSAGE_BYTES, CallStatus, ErrorKind, call_status

DOMAIN = "host.lightbulb"

_CODE = grpc.StatusCode

KINDS: Mapping[type[HostError], ErrorKind] = MappingProxyType(
    {
        BadInput: ErrorKind(code=_CODE.INVALID_ARGUMENT, reason="BAD_INPUT"),
        NotLoaded: ErrorKind(code=_CODE.ABORTED, reason="MODEL_NOT_LOADED", retry_after=0.0),
        Busy: ErrorKind(code=_CODE.RESOURCE_EXHAUSTED, reason="HOST_BUSY", retry_after=0.1),
        NotAssigned: ErrorKind(code=_CODE.FAILED_PRECONDITION, reason="MODEL_NOT_ASSIGNED"),
        CannotLoad: ErrorKind(code=_CODE.FAILED_PRECONDITION, reason="MODEL_CANNOT_LOAD"),
        ModelFailed: ErrorKind(code=_CODE.INTERNAL, reason="MODEL_FAILED"),
    }
)
"""What each error is on the wire."""

_RESOLVE_AGAIN = (REASON_HEADER, MODEL_NOT_LOADED)


def status_of(error: HostError) -> CallStatus:
    """Return how a call ends; it holds nothing of the error, whose traceback holds the request."""
    text = brief(str(error), MESSAGE_BYTES)
    status = call_status(KINDS[type(error)], DOMAIN, text, about=dict(error.about), path=error.path)
    if isinstance(error, NotLoaded):
        return replace(status, trailing_metadata=(_RESOLVE_AGAIN, *status.trailing_metadata))
    return status


async def abort(context: grpc.aio.ServicerContext[Any, Any], status: CallStatus) -> NoReturn:
    """End a call."""
    await context.abort(status.code, status.details, trailing_metadata=status.trailing_metadata)
    raise AssertionError("abort raises")
