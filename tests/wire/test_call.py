"""A call without grpcio: from headers and parts of a body to a reply. Pure."""

import base64
from itertools import pairwise
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightbulb.errors import InvalidContext
from lightbulb.rpc.details import error_info
from lightbulb.rpc.status import status_of
from lightbulb.wire.call import Call, begin
from lightbulb.wire.reply import Headers, Reply, ended, percent
from tests.depth import examples
from tests.wire.calls import ECHO, LIMITS, framed, headers, status

METHODS = {ECHO.encode(): lambda data: data[::-1]}
STATUSES = {"0", "3", "4", "8", "12", "13"}


def begun(said: Headers) -> Call:
    call = begin(said, METHODS, LIMITS, now=0.0)
    assert isinstance(call, Call)
    return call


def reply_to(said: Headers, *parts: bytes, now: float = 0.0) -> Reply:
    call = begin(said, METHODS, LIMITS, now=0.0)
    if isinstance(call, Reply):
        return call
    for part in parts[:-1]:
        early = call.take(part, end=False, now=now)
        if early is not None:
            return early
    last = call.take(parts[-1], end=True, now=now)
    assert last is not None
    return last


def test_a_request_in_one_part_is_answered_with_one_message_and_trailers() -> None:
    reply = reply_to(headers(), framed(b"abc"))
    assert reply.body == framed(b"cba")
    assert reply.trailers == ((b"grpc-status", b"0"),)
    assert dict(reply.headers)[b"content-type"] == b"application/grpc"


@pytest.mark.parametrize(
    ("said", "body", "expected"),
    [
        (headers(method=b"GET"), b"", "405"),
        (headers(content_type=b"application/json"), b"", "415"),
        (headers(content_type=b"application/grpc+json"), b"", "415"),
        (headers(content_type=b"application/grpc-web"), b"", "415"),
        (headers(content_type=b"application/grpc; charset=utf-8"), framed(b""), "0"),
        (headers(content_type=b"application/grpc+proto"), framed(b""), "0"),
        (headers("/test.Echo/Other"), framed(b""), "12"),
        (headers(grpc_encoding=b"br"), framed(b""), "12"),
        (headers(grpc_encoding=b"identity"), framed(b""), "0"),
        (headers(grpc_encoding=b"gzip"), framed(b"abc", packed=True), "0"),
        (headers(grpc_encoding=b"gzip"), framed(b"abc"), "0"),
        (headers(grpc_encoding=b"gzip"), b"\1\0\0\0\3abc", "3"),
        (
            headers(grpc_encoding=b"gzip"),
            framed(b"abc", packed=True)[:1] + b"\0\0\0\5" + b"\x1f\x8b\b\0\0",
            "3",
        ),
        (headers(grpc_encoding=b"gzip"), framed(bytes(100_000), packed=True), "8"),
        (headers(), framed(b"abc", packed=True), "13"),
        (headers(), b"\2\0\0\0\0", "13"),
        (headers(), b"", "12"),
        (headers(), framed(b"abc")[:-1], "3"),
        (headers(), framed(b"abc")[:3], "3"),
        (headers(), framed(b"abc") * 2, "3"),
        (headers(), framed(bytes(1000)), "0"),
        (headers(), framed(bytes(1001)), "8"),
        (headers(user_agent=b"x" * 1990), framed(b""), "8"),
        (headers(grpc_timeout=b"1"), framed(b""), "13"),
        (headers(grpc_timeout=b"123456789S"), framed(b""), "13"),
        (headers(grpc_timeout=b"1S"), framed(b""), "0"),
    ],
)
def test_what_a_call_ends_with(said: Headers, body: bytes, expected: str) -> None:
    assert status(reply_to(said, body)) == expected


@pytest.mark.parametrize(
    ("timeout", "seconds"),
    [
        (b"2S", 2.0),
        (b"300m", 0.3),
        (b"5u", 5e-6),
        (b"7n", 7e-9),
        (b"1M", LIMITS.call),
        (b"99999999H", LIMITS.call),
    ],
)
def test_a_request_that_comes_after_its_deadline_is_not_answered(timeout: bytes, seconds: float) -> None:
    said = headers(grpc_timeout=timeout)
    assert begun(said).until == pytest.approx(seconds)
    assert status(reply_to(said, framed(b""), now=seconds * 1.01)) == "4"
    assert status(reply_to(said, framed(b""), now=seconds * 0.99)) == "0"


def test_too_much_is_refused_before_it_has_come() -> None:
    call = begun(headers())
    assert call.take(framed(bytes(1001))[:4], end=False, now=0.0) is None
    early = call.take(framed(bytes(1001))[4:5], end=False, now=0.0)
    assert early is not None
    assert status(early) == "8"
    two = begun(headers()).take(framed(b"ab") + b"x", end=False, now=0.0)
    assert two is not None
    assert status(two) == "3"


BODIES = st.one_of(
    st.binary(max_size=60),
    st.builds(framed, st.binary(max_size=1100), st.booleans()),
    st.builds(
        lambda one, cut: one[:cut],
        st.builds(framed, st.binary(max_size=40), st.booleans()),
        st.integers(0, 50),
    ),
)
SAID = st.builds(
    headers,
    st.sampled_from([ECHO, "/", "*"]),
    st.sampled_from([b"POST", b"PUT"]),
    content_type=st.one_of(st.just(b"application/grpc"), st.binary(max_size=20)),
    grpc_encoding=st.one_of(st.just(b"gzip"), st.binary(max_size=5)),
    grpc_timeout=st.one_of(st.just(b"10S"), st.binary(max_size=10)),
)


@settings(max_examples=examples(800))
@given(BODIES, st.lists(st.integers(0, 1200), max_size=5), st.booleans())
def test_a_body_in_parts_is_answered_as_one_in_whole_and_no_bytes_break_a_call(
    body: bytes, cuts: list[int], packs: bool
) -> None:
    said = headers(grpc_encoding=b"gzip") if packs else headers()
    places = [0, *sorted(cuts), len(body)]
    parts = [body[one:other] for one, other in pairwise(places)]
    whole = reply_to(said, body)
    assert status(whole) in STATUSES
    assert status(reply_to(said, *parts)) == status(whole)
    if status(whole) == "0":
        assert reply_to(said, *parts) == whole


@settings(max_examples=examples(400))
@given(SAID, BODIES)
def test_no_headers_break_a_call(said: Headers, body: bytes) -> None:
    assert status(reply_to(said, body)) in STATUSES | {"405", "415"}


@settings(max_examples=examples(400))
@given(st.text())
def test_a_message_travels_as_printable_bytes_and_is_read_as_it_was(text: str) -> None:
    sent = percent(text)
    assert all(0x20 <= byte < 0x7F for byte in sent)
    assert sent.strip() == sent
    assert unquote(sent.decode()) == text.encode("utf-8", "replace").decode()


def test_an_error_ends_with_its_headers_and_has_its_details() -> None:
    reply = ended(status_of(InvalidContext("no ☂", path="context")))
    assert (reply.body, reply.trailers) == (b"", ())
    said = dict(reply.headers)
    assert (said[b"grpc-status"], said[b"grpc-message"]) == (b"3", b"no %E2%98%82")
    info = error_info([("grpc-status-details-bin", unbased(said[b"grpc-status-details-bin"]))])
    assert info is not None
    assert info.path == "context"


def unbased(text: bytes) -> bytes:
    return base64.b64decode(text + b"=" * (-len(text) % 4))
