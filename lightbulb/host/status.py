"""A host's errors -> gRPC statuses.

A model that isn't loaded is ABORTED, with the trailing metadata `x-lightbulb-reason: model-not-loaded`:
what the caller resolved is out of date, and it should resolve again and retry once, which is what gRPC
means by ABORTED: retry at a higher level. It is not NOT_FOUND, which a sidecar says of an unknown key and
which nobody retries; and not UNAVAILABLE, which proxies retry by themselves with the same model.
"""

from __future__ import annotations

from dataclasses import dataclass
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
from lightbulb.rpc.status import DETAILS_LIMIT

_CODES: dict[type[HostError], grpc.StatusCode] = {
    BadInput: grpc.StatusCode.INVALID_ARGUMENT,
    NotLoaded: grpc.StatusCode.ABORTED,
    Busy: grpc.StatusCode.RESOURCE_EXHAUSTED,
    NotAssigned: grpc.StatusCode.FAILED_PRECONDITION,
    CannotLoad: grpc.StatusCode.FAILED_PRECONDITION,
    ModelFailed: grpc.StatusCode.INTERNAL,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """How a call ends: a status, its text, cut to what fits, and trailing metadata."""

    code: grpc.StatusCode
    details: str
    trailers: tuple[tuple[str, str], ...] = ()


def refusal_of(error: HostError) -> Refusal:
    """Return the status of an error; it holds nothing of the error, whose traceback holds the request."""
    return Refusal(
        code=_CODES[type(error)],
        details=brief(str(error), DETAILS_LIMIT),
        trailers=((REASON_HEADER, MODEL_NOT_LOADED),) if isinstance(error, NotLoaded) else (),
    )


async def abort(context: grpc.aio.ServicerContext[Any, Any], refusal: Refusal) -> NoReturn:
    """End a call."""
    await context.abort(refusal.code, refusal.details, trailing_metadata=refusal.trailers)
    raise AssertionError("abort raises")
