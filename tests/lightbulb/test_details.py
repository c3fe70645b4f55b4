"""Every error tells programs why, in what gRPC's own details say, and within what trailers may hold."""

import base64
import re
from collections.abc import Iterator, Mapping
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from hypothesis import given
from hypothesis import strategies as st

from lightbulb.errors import InvalidContext, LightbulbError, Unavailable, UnknownObjective
from lightbulb.host import status as host_status
from lightbulb.host.errors import HostError
from lightbulb.rpc import status
from lightbulb.rpc.details import (
    HEADER_BYTES,
    MESSAGE_BYTES,
    TRAILER,
    CallStatus,
    ErrorKind,
    call_status,
    error_info,
    fitting,
)

GRPC_BYTES = 8 * 1024
"""What gRPC takes of trailers."""

HOSTILE = ("x" * 200_000, "\x1b\r\n\x00" * 50_000, "%" * 200_000, "é" * 100_000, "😀" * 50_000, "\ud800" * 99)
KINDS = {**status.KINDS, **host_status.KINDS}
KIND = st.sampled_from(sorted(set(KINDS.values()), key=lambda kind: kind.reason))
TEXTS = st.one_of(st.text(), st.sampled_from(HOSTILE))


def subclasses(kind: type[Exception]) -> Iterator[type[Exception]]:
    """Those of the product; a test's own may be around for a while."""
    for each in kind.__subclasses__():
        if each.__module__.startswith("tests."):
            continue
        yield each
        yield from subclasses(each)


def sent_bytes(ending: CallStatus) -> int:
    """Return what a call's end takes in HTTP/2's reckoning: names, values, and 32 bytes an entry."""
    plain = frozenset(range(0x20, 0x7F)) - {ord("%")}
    message = sum(1 if byte in plain else 3 for byte in ending.details.encode())
    headers = [("grpc-status", 2), ("grpc-message", message)]
    for name, value in ending.trailing_metadata:
        size = len(base64.b64encode(value)) if isinstance(value, bytes) else len(value)
        headers.append((name, size))
    return sum(len(name) + size + 32 for name, size in headers)


def read(ending: CallStatus) -> tuple[status_pb2.Status, Mapping[str, Any]]:
    """Return a status, and its details by type, as Google's own classes read them."""
    trailer = dict(ending.trailing_metadata)[TRAILER]
    assert isinstance(trailer, bytes)
    found = status_pb2.Status.FromString(trailer)
    details = {}
    for packed in found.details:
        message = getattr(error_details_pb2, packed.TypeName().rpartition(".")[2])()
        assert packed.Unpack(message)
        details[type(message).__name__] = message
    return found, details


def test_every_error_of_lightbulb_has_a_row_or_never_leaves_its_process() -> None:
    kinds = {LightbulbError, *subclasses(LightbulbError)}
    assert kinds == status.KINDS.keys() | status.LOCAL


def test_every_error_of_a_host_has_a_row() -> None:
    assert set(subclasses(HostError)) == set(host_status.KINDS)


@pytest.mark.parametrize("kinds", [status.KINDS, host_status.KINDS])
def test_a_reason_is_one_errors_alone(kinds: Mapping[type, ErrorKind]) -> None:
    reasons = [kind.reason for kind in kinds.values()]
    assert len(set(reasons)) == len(reasons)
    assert all(re.fullmatch(r"[A-Z][A-Z0-9_]+[A-Z0-9]", reason) for reason in reasons)


@pytest.mark.parametrize("kind", sorted(set(KINDS.values()), key=lambda kind: kind.reason))
def test_a_status_says_the_same_as_the_call_and_has_the_details_of_its_code(kind: ErrorKind) -> None:
    about = {"objective": "Ranking", "model": "rank@1"}
    ending = call_status(kind, "test.lightbulb", "that is wrong", about=about, path="context.user_id")
    found, details = read(ending)
    assert (ending.code, ending.details) == (kind.code, "that is wrong")
    assert (found.code, found.message) == (kind.code.value[0], "that is wrong")
    info = details.pop("ErrorInfo")
    assert (info.reason, info.domain, dict(info.metadata)) == (kind.reason, "test.lightbulb", about)
    if kind.code is grpc.StatusCode.INVALID_ARGUMENT:
        (violation,) = details.pop("BadRequest").field_violations
        assert (violation.field, violation.description) == ("context.user_id", "that is wrong")
    if kind.code is grpc.StatusCode.FAILED_PRECONDITION:
        (violation,) = details.pop("PreconditionFailure").violations
        assert (violation.type, violation.subject) == (kind.reason, "objective Ranking")
    if kind.code is grpc.StatusCode.NOT_FOUND:
        resource = details.pop("ResourceInfo")
        assert (resource.resource_type, resource.resource_name) == ("objective", "Ranking")
    if kind.code in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.ABORTED}:
        assert kind.retry_after is not None
    if kind.retry_after is not None:
        retry = details.pop("RetryInfo").retry_delay
        assert retry.ToMilliseconds() == round(kind.retry_after * 1000)
    assert details == {}
    assert error_info(ending.trailing_metadata) is not None


@given(KIND, TEXTS, st.dictionaries(st.sampled_from(["model", "objective", "host"]), TEXTS), TEXTS)
def test_whatever_it_is_about_a_status_fits_the_trailers(
    kind: ErrorKind, text: str, about: dict[str, str], path: str
) -> None:
    ending = call_status(kind, "control-plane.lightbulb", text, about=about, path=path)
    # What else a server sends, as `x-lightbulb-reason`, takes less than half a kilobyte.
    assert sent_bytes(ending) <= GRPC_BYTES - 512
    found, _ = read(ending)
    assert found.message == ending.details


@pytest.mark.parametrize("text", HOSTILE)
def test_everything_hostile_at_once_fits_the_trailers(text: str) -> None:
    about = {f"key{number}{text}": text for number in range(20)}
    for kind in KINDS.values():
        ending = call_status(kind, "control-plane.lightbulb", text, about=about, path=text)
        assert sent_bytes(ending) <= GRPC_BYTES - 512
        assert error_info(ending.trailing_metadata) is not None


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("", ""),
        ("a" * MESSAGE_BYTES, "a" * MESSAGE_BYTES),
        ("a" * (MESSAGE_BYTES + 1), "a" * MESSAGE_BYTES + "…"),
        ("lone \ud800", "lone ?"),
    ],
)
def test_a_text_is_cut_to_what_fits(text: str, kept: str) -> None:
    assert fitting(text) == kept


def test_a_text_that_grows_on_its_way_is_cut_sooner_and_between_characters() -> None:
    kept = fitting("é" * MESSAGE_BYTES)
    assert kept == "é" * (len(kept) - 1) + "…"
    assert HEADER_BYTES - 20 < len(kept.encode()) * (3 + 4 / 3) <= HEADER_BYTES + 20


@pytest.mark.parametrize(
    "trailers",
    [
        None,
        (),
        (("other", "x"),),
        ((TRAILER, "a text"),),
        ((TRAILER, b"\xff\xff"),),
        ((TRAILER, status_pb2.Status(code=5, message="no details").SerializeToString()),),
    ],
)
def test_trailers_that_tell_nothing_are_no_error(trailers: Any) -> None:
    assert error_info(trailers) is None
    assert type(status.error_of(grpc.StatusCode.NOT_FOUND, "why", trailers)) is UnknownObjective


@given(st.binary(max_size=200))
def test_bytes_of_whoever_is_in_between_do_no_harm(data: bytes) -> None:
    error = status.error_of(grpc.StatusCode.UNAVAILABLE, "why", ((TRAILER, data),))
    assert isinstance(error, LightbulbError)


def test_an_error_is_known_by_its_reason_and_not_by_its_code_or_text() -> None:
    ending = status.status_of(InvalidContext("no user", path="context.user_id"))
    error = status.error_of(grpc.StatusCode.UNKNOWN, "UNAVAILABLE, retry", ending.trailing_metadata)
    assert type(error) is InvalidContext
    assert error.path == "context.user_id"


def test_a_reason_of_another_domain_or_a_newer_lightbulb_is_known_by_its_code() -> None:
    strange = ErrorKind(code=grpc.StatusCode.UNAVAILABLE, reason="OF_TOMORROW")
    foreign = ErrorKind(code=grpc.StatusCode.UNAVAILABLE, reason="INVALID_REQUEST")
    for kind, domain in ((strange, status.DOMAIN), (foreign, "somebody.else")):
        trailers = call_status(kind, domain, "why").trailing_metadata
        assert type(status.error_of(grpc.StatusCode.UNAVAILABLE, "why", trailers)) is Unavailable


@pytest.mark.parametrize("kind", status.KINDS)
def test_an_error_of_a_batch_comes_back_as_it_was(kind: type[LightbulbError]) -> None:
    sent = kind("why", path="context", objective="Ranking")
    back = status.error_from_proto(status.error_to_proto(sent))
    assert (type(back), back.path, back.about) == (kind, "context", {"objective": "Ranking"})
