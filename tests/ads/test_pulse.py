"""Who stops saying that it lives is silent; who never said so isn't judged by it."""

import pytest

from lightbulb.ads.pulse import MAX_SECONDS, pulse_of
from lightbulb.ads.values import BEATS, BadNode, Node


def node(beats: str) -> Node:
    return Node(id="h1", metadata={"kind": "host", BEATS: beats} if beats else {"kind": "host"})


def test_three_heartbeats_in_a_row_that_dont_come_are_silence_and_one_ends_it() -> None:
    pulse = pulse_of(node("2"))
    for _ in range(2):
        assert [pulse.wait(1.0) for _ in range(5)] == 5 * [False]
        assert not pulse.beat()
    assert [pulse.wait(1.0) for _ in range(7)] == [*5 * [False], True, False]
    assert pulse.silent
    assert pulse.beat()
    assert not pulse.silent


def test_an_end_that_stood_still_itself_takes_it_for_one_moment() -> None:
    pulse = pulse_of(node("2"))
    assert not pulse.wait(1.0)  # whatever the clock says: what came meanwhile is read next
    assert not pulse.silent


def test_an_old_host_is_never_silent() -> None:
    pulse = pulse_of(node(""))
    assert not pulse.wait(3600.0)
    assert not pulse.silent


@pytest.mark.parametrize("beats", ["often", "0", "-1", "nan", "inf", str(MAX_SECONDS + 1)])
def test_a_pulse_that_cant_be_is_refused(beats: str) -> None:
    with pytest.raises(
        BadNode, match=r"host h1: metadata 'heartbeat' is .*, not a number of seconds up to 60"
    ):
        pulse_of(node(beats))
