"""When requests leave, and which together: decided without a socket or a clock."""

import pytest

from lightbulb.client import departures as limits
from lightbulb.client.departures import MAX_BYTES, SLOW_SECONDS, Departures
from lightbulb.errors import LightbulbError, TooLarge
from lightbulb.rpc.messages import MAX_BATCH
from lightbulb.v1 import lightbulb_pb2 as pb

REQUEST = pb.ResolveRequest(objective="o")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def leaving(clock: Clock) -> Departures[str]:
    return Departures(clock)


def names(departure: limits.Departure[str] | None) -> str:
    return "" if departure is None else "".join(departure.requests)


def test_the_first_leaves_at_once_and_what_comes_meanwhile_leaves_as_one(leaving: Departures[str]) -> None:
    first = leaving.arrive("a", REQUEST)
    assert first is not None
    assert first.is_only("a")
    assert [leaving.arrive(name, REQUEST) for name in "bcd"] == [None] * 3
    assert "c" in leaving
    leaving.give_up("c")
    second = leaving.land(first)
    assert (names(second), second.is_only("b"), len(leaving)) == ("bd", False, 0)
    assert leaving.land(second) is None
    assert names(leaving.arrive("e", REQUEST)) == "e"


def test_a_call_that_stands_still_holds_up_nobody(leaving: Departures[str], clock: Clock) -> None:
    still = leaving.arrive("a", REQUEST)
    assert leaving.arrive("b", REQUEST) is None
    clock.now += SLOW_SECONDS
    beside = leaving.leave()
    assert names(beside) == "b"
    assert leaving.arrive("c", REQUEST) is None
    assert leaving.land(still) is None  # another one is under way, and not for long
    assert names(leaving.land(beside)) == "c"


def test_calls_requests_and_bytes_are_bounded(
    leaving: Departures[str], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MAX_UNDER_WAY", 2)
    monkeypatch.setattr(limits, "MAX_WAITING", MAX_BATCH + 1)
    first = leaving.arrive("a", REQUEST)
    clock.now += SLOW_SECONDS
    assert names(leaving.arrive("b", REQUEST)) == "b"
    clock.now += SLOW_SECONDS
    for number in range(MAX_BATCH + 1):
        assert leaving.arrive(f"{number}", REQUEST) is None
    with pytest.raises(TooLarge, match="back off"):
        leaving.arrive("one more", REQUEST)
    full = leaving.land(first)
    assert (len(full.requests), len(leaving)) == (MAX_BATCH, 1)

    large = pb.ResolveRequest(objective="o" * (MAX_BYTES // 2))
    for name in "xyz":
        leaving.arrive(name, large)
    assert [names(full := leaving.land(full)) for _ in range(3)] == [f"{MAX_BATCH}x", "y", "z"]


def test_one_that_is_closed_names_who_waits_and_takes_no_more(leaving: Departures[str]) -> None:
    first = leaving.arrive("a", REQUEST)
    leaving.arrive("b", REQUEST)
    assert leaving.close() == ("b",)
    assert leaving.land(first) is None
    with pytest.raises(LightbulbError, match="closed"):
        leaving.arrive("c", REQUEST)
