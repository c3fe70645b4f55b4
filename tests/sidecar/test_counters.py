"""What Envoy's statistics say of routes, and by how much that rose."""

import json

import pytest

from lightbulb.sidecar.counters import (
    Ended,
    Took,
    UnreadableStatistics,
    is_level,
    read_statistics,
    rise,
    statistics_path,
)

GOOD, TIMED_OUT = Ended("shift-17c", "0", "-"), Ended("shift-17c", "", "DR,UT")
STATISTICS = {
    "stats": [
        {"name": "lightbulb.requests.route.shift-17c.grpc.0.flags.-", "value": 40},
        {"name": "lightbulb.requests.route.shift-17c.grpc..flags.DR,UT", "value": 2},
        {"name": "lightbulb.other", "value": 1},
        {
            "histograms": {
                "details": [
                    {
                        "name": "lightbulb.duration.route.shift-17c",
                        "totals": [
                            {"lower_bound": 459999.99999999994, "width": 1e4, "count": 3},
                            {"lower_bound": 470000.0, "width": 1e4, "count": 39},
                        ],
                    }
                ]
            }
        },
    ]
}
READ = {GOOD: 40, TIMED_OUT: 2, Took("shift-17c", 460_000): 3, Took("shift-17c", 470_000): 39}


def test_statistics_are_read_by_route() -> None:
    assert read_statistics(json.dumps(STATISTICS).encode()) == READ


def test_what_became_of_copies_is_read_by_shadow_and_has_no_durations() -> None:
    copies = {"upstream_rq_2xx": 7, "upstream_rq_active_overflow": 2, "upstream_rq_total": 9}
    names = [{"name": f"cluster.shadow/17n.{name}", "value": value} for name, value in copies.items()]
    others = [{"name": "cluster.vip.upstream_rq_2xx", "value": 99}]
    read = read_statistics(json.dumps({"stats": [*STATISTICS["stats"], *names, *others]}).encode())
    assert read == READ | {
        Ended("shadow/17n", "", "upstream_rq_2xx"): 7,
        Ended("shadow/17n", "", "upstream_rq_active_overflow"): 2,
    }
    assert is_level(read) is is_level(READ) is True


def test_only_the_routes_that_are_wanted_are_asked_for() -> None:
    assert "route%5C.%28shift%5C-17c%7Cshift%5C-17k%29" in statistics_path(["shift-17k", "shift-17c"])
    assert "cluster" not in statistics_path(["shift-17k"])
    assert "route" not in statistics_path(["shadow/17"])
    assert "cluster%5C.%28shadow%2F17%29" in statistics_path(["shadow/17"])


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"stats": [{}]}', b'{"stats": [{"histograms": 1}]}', b"\xff"]
)
def test_what_is_no_statistics_is_told(body: bytes) -> None:
    with pytest.raises(UnreadableStatistics):
        read_statistics(body)


def test_counts_that_fell_began_anew_with_their_envoy() -> None:
    assert rise(READ, {GOOD: 41, TIMED_OUT: 2}) == {GOOD: 1}
    assert rise(READ, {GOOD: 5, TIMED_OUT: 2}) == {GOOD: 5}
    assert rise({}, READ) == READ


def test_durations_that_lag_behind_are_noticed() -> None:
    assert is_level(READ)
    assert not is_level({**READ, GOOD: 41})
