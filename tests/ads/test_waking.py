"""Time that counts for whoever is waited for."""

from lightbulb.ads.server.waking import WakingClock


def test_of_a_time_in_which_nothing_was_read_little_counts() -> None:
    clock = WakingClock(iter((100.0, 101.0, 102.5, 132.5, 133.5)).__next__, longest=2.0)
    assert [clock() for _ in range(4)] == [1.0, 2.5, 4.5, 5.5]
