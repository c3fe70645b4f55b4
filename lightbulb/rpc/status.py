"""Our errors <-> gRPC statuses, for every edge here."""

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
    # a call that met a server at the moment in which it shut down; a caller's own cancelling never gets here
    grpc.StatusCode.CANCELLED: Unavailable,
}
_BY_NUMBER = {code.value[0]: code for code in grpc.StatusCode}

DETAILS_LIMIT = 2000
"""Bytes of a status message: it travels in the trailers, up to three times as long (percent-encoded),
and gRPC bounds these at 8 KiB."""


def code_of(error: LightbulbError) -> grpc.StatusCode:
    """Return the status that a call ends with for this error."""
    return _BY_TYPE.get(type(error), grpc.StatusCode.INTERNAL)


def details_of(error: LightbulbError) -> str:
    """Return the error's text, cut to what fits a status."""
    text = str(error).encode("utf-8", "replace")
    return text[:DETAILS_LIMIT].decode("utf-8", "ignore") + ("…" if len(text) > DETAILS_LIMIT else "")


def error_of(code: grpc.StatusCode, details: str | None) -> LightbulbError:
    """Return the error that a status stands for; one of no particular kind is a LightbulbError."""
    kind = _BY_CODE.get(code)
    return LightbulbError(f"{code.name}: {details}") if kind is None else kind(details or code.name)


def error_of_number(number: int, message: str) -> LightbulbError:
    """Return the error that a google.rpc.Code stands for."""
    return error_of(_BY_NUMBER.get(number, grpc.StatusCode.UNKNOWN), message)
