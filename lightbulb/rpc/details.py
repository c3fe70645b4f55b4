"""How a call ends: a status, its text, and `google.rpc.Status` details for programs, all bounded.

An edge has one table: error type -> ErrorKind. `call_status` makes of both what gRPC ends a call with; the
details travel in the trailer `grpc-status-details-bin`, and `error_info` reads them. Pure.

    ErrorInfo            always: reason, domain, and what the error is about
    BadRequest           INVALID_ARGUMENT: which field is wrong
    ResourceInfo         NOT_FOUND: what there is none of
    PreconditionFailure  FAILED_PRECONDITION: what must be so first
    RetryInfo            what may work when it is tried again
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from lightbulb.discovery import error_details_pb2 as pb
from lightbulb.discovery.status_pb2 import BadRequest, Status

TRAILER = "grpc-status-details-bin"

MESSAGE_BYTES = 2000
"""Of a status message, as UTF-8."""

HEADER_BYTES = 4700
"""Of a status message as it travels: percent-encoded in `grpc-message`, and in base64 in the details.

gRPC bounds all trailers at 8 KiB; what the details hold beside the message takes 2 KiB at most.
"""

NAME_BYTES = 96
"""Of a name in the details."""

TEXT_BYTES = 240
"""Of a description in the details; the message has the whole text."""

MAX_ABOUT = 4
"""Entries of metadata."""

_TYPE = "type.googleapis.com/google.rpc."
_UNRESERVED = frozenset(range(0x20, 0x7F)) - {0x25}
NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorKind:
    """What an error type is on the wire. `reason` is in UPPER_SNAKE_CASE, and never changes its meaning.

    `retry_after`: seconds until the same may work; None: it won't. `resource` is the key of `about` that
    names what there is none of.
    """

    code: grpc.StatusCode
    reason: str
    retry_after: float | None = None
    resource: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorInfo:
    """What a program is told of an error: why, what it is about, and which part of the request is wrong."""

    reason: str
    domain: str
    path: str = ""
    about: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    retry_after: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallStatus(grpc.Status):
    """How a call ends; for `abort_with_status`, or in parts for `abort` of grpc.aio."""

    code: grpc.StatusCode
    details: str
    trailing_metadata: tuple[tuple[str, str | bytes], ...]


def call_status(
    kind: ErrorKind, domain: str, message: str, *, about: Mapping[str, str] = NOTHING, path: str = ""
) -> CallStatus:
    """Return how a call ends with an error of a kind; `path` names the part of the request that is wrong."""
    text = fitting(message)
    info = ErrorInfo(reason=kind.reason, domain=domain, path=path, about=about, retry_after=kind.retry_after)
    status = Status(code=kind.code.value[0], message=text)
    for detail in _details(kind, info, text):
        packed = detail.SerializeToString(deterministic=True)
        status.details.add(type_url=_TYPE + detail.DESCRIPTOR.name, value=packed)
    return CallStatus(
        code=kind.code, details=text, trailing_metadata=((TRAILER, status.SerializeToString()),)
    )


def error_info(trailers: Iterable[Any] | None) -> ErrorInfo | None:
    """Return what a call's trailers tell of its error; None when they tell nothing that can be read."""
    found = next((value for key, value in trailers or () if key == TRAILER), None)
    if not isinstance(found, bytes):
        return None
    try:
        return _info(Status.FromString(found))
    except DecodeError:
        return None


def fitting(text: str) -> str:
    """Return a status message of a text, cut to what fits the trailers; lone surrogates become `?`."""
    if len(text) <= MESSAGE_BYTES and text.isascii() and text.isprintable() and "%" not in text:
        return text
    whole = text[: MESSAGE_BYTES + 1].encode("utf-8", "replace")
    room, end = float(HEADER_BYTES), 0
    for byte in whole[:MESSAGE_BYTES]:
        room -= (1 if byte in _UNRESERVED else 3) + 4 / 3
        if room < 0:
            break
        end += 1
    return whole[:end].decode("utf-8", "ignore") + ("…" if end < len(whole) else "")


def _details(kind: ErrorKind, info: ErrorInfo, text: str) -> list[Any]:
    about = {_cut(key): _cut(value) for key, value in list(info.about.items())[:MAX_ABOUT]}
    details: list[Any] = [pb.ErrorInfo(reason=info.reason, domain=info.domain, metadata=about)]
    brief = _cut(text, TEXT_BYTES)
    match kind.code:
        case grpc.StatusCode.INVALID_ARGUMENT:
            violation = BadRequest.FieldViolation(field=_cut(info.path), description=brief)
            details.append(BadRequest(field_violations=[violation]))
        case grpc.StatusCode.FAILED_PRECONDITION:
            subject = " ".join(f"{key} {value}" for key, value in list(about.items())[:1])
            details.append(
                pb.PreconditionFailure(
                    violations=[
                        pb.PreconditionFailure.Violation(type=info.reason, subject=subject, description=brief)
                    ]
                )
            )
        case grpc.StatusCode.NOT_FOUND:
            name = about.get(kind.resource, "")
            details.append(
                pb.ResourceInfo(resource_type=kind.resource, resource_name=name, description=brief)
            )
        case _:
            pass
    if kind.retry_after is not None:
        delay = {"seconds": int(kind.retry_after), "nanos": round(kind.retry_after % 1 * 1e9)}
        details.append(pb.RetryInfo(retry_delay=delay))
    return details


def _info(status: Any) -> ErrorInfo | None:
    packed = {each.type_url.removeprefix(_TYPE): each.value for each in status.details}
    if "ErrorInfo" not in packed:
        return None
    info = pb.ErrorInfo.FromString(packed["ErrorInfo"])
    violations = BadRequest.FromString(packed.get("BadRequest", b"")).field_violations
    retry = pb.RetryInfo.FromString(packed["RetryInfo"]).retry_delay if "RetryInfo" in packed else None
    return ErrorInfo(
        reason=info.reason,
        domain=info.domain,
        path=violations[0].field if violations else "",
        about=dict(info.metadata),
        retry_after=None if retry is None else retry.seconds + retry.nanos / 1e9,
    )


def _cut(text: str, limit: int = NAME_BYTES) -> str:
    return text[:limit].encode("utf-8", "replace")[:limit].decode("utf-8", "ignore")
