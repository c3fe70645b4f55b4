"""Maps our errors to gRPC statuses and back."""

from __future__ import annotations

import grpc

from lightbulb.errors import (
    InvalidContext,
    LightbulbError,
    OverrideRefused,
    TimedOut,
    TooLarge,
    Unavailable,
    UnknownObjective,
)

_CODES: tuple[tuple[type[LightbulbError], grpc.StatusCode], ...] = (
    (InvalidContext, grpc.StatusCode.INVALID_ARGUMENT),
    (UnknownObjective, grpc.StatusCode.NOT_FOUND),
    (OverrideRefused, grpc.StatusCode.PERMISSION_DENIED),
    (TooLarge, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (TimedOut, grpc.StatusCode.DEADLINE_EXCEEDED),
    (Unavailable, grpc.StatusCode.UNAVAILABLE),
)
_BY_TYPE = dict(_CODES)
_BY_CODE = {
    **{code: kind for kind, code in _CODES},
    # The server shut down during the call. (When a caller cancels its own call, that never gets here.)
    grpc.StatusCode.CANCELLED: Unavailable,
}
_BY_NUMBER = {code.value[0]: code for code in grpc.StatusCode}

DETAILS_LIMIT = 2000
"""Bytes of a status message. It travels in the trailers, percent-encoded, so up to three times as long; gRPC
allows 8 KiB of trailers."""


def code_of(error: LightbulbError) -> grpc.StatusCode:
    """Return the status that a call ends with for this error."""
    return _BY_TYPE.get(type(error), grpc.StatusCode.INTERNAL)


def details_of(error: LightbulbError) -> str:
    """Return the error's text, cut to what fits a status."""
    text = str(error).encode("utf-8", "replace")
    return text[:DETAILS_LIMIT].decode("utf-8", "ignore") + ("…" if len(text) > DETAILS_LIMIT else "")


def error_of(code: grpc.StatusCode, details: str | None) -> LightbulbError:
    """Return the error for a status; a plain LightbulbError if the status has none of its own."""
    kind = _BY_CODE.get(code)
    return LightbulbError(f"{code.name}: {details}") if kind is None else kind(details or code.name)


def error_of_number(number: int, message: str) -> LightbulbError:
    """Return the error for a google.rpc.Code."""
    return error_of(_BY_NUMBER.get(number, grpc.StatusCode.UNKNOWN), message)
