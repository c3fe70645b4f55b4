"""A connection without grpcio, in memory: a real client of HTTP/2 at one end, and the clock in our hands."""

import random
from typing import Any

import ngh2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightbulb.wire.limits import Limits
from lightbulb.wire.session import Broken, Held, Session
from tests.depth import examples
from tests.wire.calls import ECHO, LIMITS, framed, headers

METHODS = {ECHO.encode(): lambda data: data[::-1]}
PING = bytes((0, 0, 8, 6, 0, 0, 0, 0, 0)) + b"a probe."


class Pair:
    """A session and its client. `now` is the session's time."""

    def __init__(self, limits: Limits = LIMITS, client: dict[int, int] | None = None) -> None:
        self.now = 0.0
        self.held = Held()
        self.session = Session(METHODS, limits, self.held, self.now)
        self.client = ngh2.Connection(ngh2.Role.CLIENT)
        self.client.initiate_connection(client or {})
        self.seen: list[Any] = []
        self.pump()

    def pump(self) -> None:
        """Carry bytes until both are silent."""
        carried = True
        while carried:
            asked, said = self.client.data_to_send(), self.session.to_send()
            if asked:
                self.session.receive(asked, self.now)
            if said and self.client.want_read:
                self.client.receive_data(said)
            carried = bool(asked or said)
        self.seen += self.client.events()

    def call(self, *parts: bytes, end: bool = True, **more: bytes) -> int:
        stream = self.client.send_request(headers(**more))
        for part in parts:
            self.client.send_data(stream, part)
        if end:
            self.client.end_stream(stream)
        self.pump()
        return stream

    def status(self, stream: int) -> str | None:
        """Return what the call ended with; None while it is under way; "reset" of one that was reset."""
        for event in self.seen:
            if getattr(event, "stream_id", None) == stream:
                if isinstance(event, ngh2.StreamReset):
                    return "reset"
                if isinstance(event, ngh2.ResponseReceived | ngh2.TrailersReceived) and (
                    found := dict(event.headers).get(b"grpc-status")
                ):
                    return found.decode()
        return None

    def goaways(self) -> list[int]:
        return [event.last_stream_id for event in self.seen if isinstance(event, ngh2.GoAwayReceived)]


def test_calls_are_answered_whole_or_in_parts() -> None:
    pair = Pair()
    streams = [pair.call(framed(b"ab")), pair.call(*(bytes((each,)) for each in framed(b"ab")))]
    assert [pair.status(stream) for stream in streams] == ["0", "0"]
    bodies = [event.data for event in pair.seen if isinstance(event, ngh2.DataReceived)]
    assert bodies == [framed(b"ba")] * 2
    assert pair.held.bytes == 0


def test_the_client_is_told_of_the_limits_and_more_calls_than_allowed_are_refused() -> None:
    pair = Pair(Limits(streams=2))
    told = next(event.settings for event in pair.seen if isinstance(event, ngh2.SettingsReceived))
    assert told[ngh2.Setting.MAX_CONCURRENT_STREAMS] == 2
    assert pair.client.remote_settings[ngh2.Setting.MAX_HEADER_LIST_SIZE] == Limits().header_bytes


def test_headers_that_are_too_long_end_the_call_and_far_too_long_ones_the_connection() -> None:
    pair = Pair()
    assert pair.status(pair.call(framed(b""), user_agent=b"x" * 3000)) == "8"
    assert pair.status(pair.call(framed(b""))) == "0"
    with pytest.raises(Broken):
        pair.call(framed(b""), user_agent=b"x" * 10_000)


def test_what_is_held_for_all_is_bounded_and_let_go_of() -> None:
    pair = Pair(Limits(message_bytes=1000, held_bytes=1500))
    part = framed(bytes(1000))[:800]
    first, second = pair.call(part, end=False), pair.call(part, end=False)
    assert (pair.status(first), pair.status(second)) == (None, "8")
    assert pair.held.bytes == 800
    pair.client.reset_stream(first)
    pair.pump()
    assert pair.held.bytes == 0
    pair.call(part, end=False)
    pair.session.close()
    assert pair.held.bytes == 0


def test_answers_that_are_not_taken_are_bounded_and_let_go_of() -> None:
    pair = Pair(Limits(held_bytes=1500), client={ngh2.Setting.INITIAL_WINDOW_SIZE: 0})
    first, second = pair.call(framed(bytes(1000))), pair.call(framed(bytes(1000)))
    assert (pair.status(first), pair.status(second)) == (None, "8")
    pair.client.reset_stream(first)
    pair.pump()
    assert pair.held.bytes == 0
    pair.call(framed(bytes(1000)))
    pair.session.close()
    assert pair.held.bytes == 0


def test_a_request_that_does_not_come_is_given_up_and_so_is_an_answer_that_is_not_taken() -> None:
    pair = Pair(client={ngh2.Setting.INITIAL_WINDOW_SIZE: 0})
    silent, hurried = pair.call(framed(b"")[:3], end=False), pair.call(end=False, grpc_timeout=b"1S")
    untaken = pair.call(framed(b"abc"))
    seen = []
    for pair.now in (0.9, 1.1, LIMITS.call - 0.1, LIMITS.call + 0.1):
        assert pair.session.look(pair.now)
        pair.pump()
        seen.append([pair.status(stream) for stream in (silent, hurried, untaken)])
    assert seen == [[None, None, None], [None, "4", None], [None, "4", None], ["4", "4", "reset"]]
    assert pair.held.bytes == 0


def test_a_connection_that_never_says_hello_is_not_kept() -> None:
    session = Session(METHODS, LIMITS, Held(), now=5.0)
    assert session.look(4.9 + LIMITS.greeting)
    assert not session.look(5.1 + LIMITS.greeting)


def test_a_quiet_peer_is_pinged_and_one_that_does_not_answer_is_not_kept() -> None:
    pair = Pair()
    pair.now = LIMITS.ping_every + 1
    assert pair.session.look(pair.now)
    pair.pump()  # it answers
    pair.now += LIMITS.ping_timeout + 1
    assert pair.session.look(pair.now)
    pair.now += LIMITS.ping_every
    assert pair.session.look(pair.now)
    assert pair.session.look(pair.now + LIMITS.ping_timeout - 1)
    assert not pair.session.look(pair.now + LIMITS.ping_timeout + 1)


def test_who_leaves_takes_what_was_called_before_and_nothing_after() -> None:
    pair = Pair()
    early = pair.call(framed(b"")[:3], end=False)
    late = pair.client.send_request(headers())  # the client doesn't know yet
    pair.session.leave()
    pair.pump()
    assert pair.goaways() == [2**31 - 1, late]
    assert not pair.session.finished
    pair.client.send_data(early, framed(b"")[3:], end_stream=True)
    pair.client.send_data(late, framed(b""), end_stream=True)
    pair.pump()
    assert [pair.status(each) for each in (early, late)] == ["0", "0"]
    assert pair.session.finished
    pair.session.receive(PING, pair.now)  # it hasn't heard yet
    assert pair.session.to_send() == b""


def test_a_connection_without_a_call_for_long_is_closed_in_order() -> None:
    pair = Pair()
    pair.call(framed(b""))
    pair.now = LIMITS.idle + 1
    assert pair.session.look(pair.now)
    pair.pump()
    assert pair.goaways() == [2**31 - 1]
    assert not pair.client.want_read


def test_what_is_no_http2_breaks_the_connection() -> None:
    session = Session(METHODS, LIMITS, Held(), 0.0)
    with pytest.raises(Broken):
        session.receive(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n", 0.0)
    with pytest.raises(Broken):
        session.leave()


@settings(max_examples=examples(800))
@given(st.integers(0, 2**32), st.integers(0, 6), st.integers(1, 400))
def test_damaged_bytes_break_one_connection_at_most_and_nothing_is_left_of_it(
    seed: int, flips: int, step: int
) -> None:
    chance = random.Random(seed)
    data = bytearray(_said())
    for _ in range(flips):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    held = Held()
    session = Session(METHODS, LIMITS, held, 0.0)
    whole = bytes(data[: chance.randrange(len(data))] if chance.random() < 0.3 else data)
    try:
        for at in range(0, len(whole), step):
            session.receive(whole[at : at + step], 0.0)
            while session.to_send():
                pass
        session.look(LIMITS.call + 1)
        session.leave()
        session.to_send()
    except Broken:
        pass
    session.close()
    assert held.bytes == 0


def _said() -> bytes:
    """Return what a client says that calls a few times."""
    client = ngh2.Connection(ngh2.Role.CLIENT)
    client.initiate_connection({})
    for packed, end in ((False, True), (True, True), (False, False)):
        stream = client.send_request(headers(grpc_encoding=b"gzip", grpc_timeout=b"9S"))
        client.send_data(stream, framed(b"abc" * 20, packed), end_stream=end)
    client.ping(b"12345678")
    return client.data_to_send()
