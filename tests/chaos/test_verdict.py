"""How the chaos harness judges: what it excuses, and what it doesn't."""

from dataclasses import replace
from pathlib import Path

from chaos.faults import BY_NAME
from chaos.fleet import POLICY
from chaos.load import Outcome
from chaos.pace import IDLE_SECONDS, MARGIN, SLOWEST, pace_of
from chaos.scenarios import MOMENTS, Row, phase_name
from chaos.shift import CANDIDATE, Shifted, Stood, went_back
from chaos.verdict import SLOW_SECONDS, Verdict, judge, lines_since
from controlplane.cli.expectation import Expectations, Expected
from lightbulb.model import RequestContext

BEGIN, BACK = 100.0, 103.0
FINE = Outcome(
    began=90.0,
    ended=90.1,
    sidecar="sidecar-2",
    objective="PaymentFraudDetection",
    user="user-1",
    generation=1,
    resolved="m@1",
    answered_by="m@1",
    shard="shard-a",
    error="",
)
REFUSED = "UNAVAILABLE: failed to connect to all addresses; Connection refused"
LOST = "UNAVAILABLE: upstream connect error or disconnect/reset before headers. reset reason: x"


class Given:
    """Rules that give everybody m@1."""

    model = "m@1"

    def of(self, objective: str, user: RequestContext) -> "Given":
        return self


RULES = {1: Given()}


class Everybody(Expectations):
    """Rules that give everybody m@1, as a plan says them."""

    def __init__(self) -> None:
        pass

    def of(self, objective: str, context: RequestContext) -> Expected:
        return Expected(model="m@1", routing_key="k", vip="v", shard="s", group="default")


def excused(name: str, outcome: Outcome, pace: float = 1.0) -> bool:
    return BY_NAME[name].down(outcome, BEGIN, BACK, pace)


def test_each_request_counts_once_and_a_slow_one_is_told() -> None:
    late = replace(FINE, ended=FINE.began + SLOW_SECONDS + 0.1)
    lost = replace(FINE, error=LOST, ended=FINE.began + 5)
    astray = replace(FINE, answered_by="m@2")
    verdict = judge([FINE, late, lost, astray], RULES, lambda _: False)
    assert replace(verdict, examples={}) == Verdict(requests=4, failed=1, misrouted=1, down=0, slow=1)
    assert len(verdict.examples) == 2


def test_a_misrouted_request_is_never_excused() -> None:
    assert judge([replace(FINE, resolved="m@2")], RULES, lambda _: True).misrouted == 1


def test_the_table_tells_what_was_hit_when_it_was_another_phase() -> None:
    row = Row(
        fault="nothing",
        moment="routing",
        hit="routing",
        verdict=judge([], RULES, lambda _: False),
        publish="active",
        converged=1.0,
    )
    assert row.when == "routing"
    assert replace(row, hit="retiring").when == "routing (hit retiring)"
    assert replace(row, hit="").when == "routing"


def test_phases_are_called_as_moments_are() -> None:
    assert {name: phase_name(phase) for name, phase in MOMENTS.items()} == {name: name for name in MOMENTS}


def test_a_host_that_stands_still_excuses_nothing() -> None:
    assert not excused("frozen: a host of a shard", replace(FINE, began=BEGIN, ended=BACK, error=LOST))


def test_a_killed_sidecar_excuses_its_own_clients_until_it_is_back_and_they_have_tried_again() -> None:
    fault = "kill -9: a sidecar"
    absent = replace(FINE, began=BEGIN + 1, ended=BEGIN + 1, error=REFUSED)
    assert excused(fault, absent)
    assert excused(fault, replace(absent, began=BACK + 0.5, ended=BACK + 0.5))
    assert not excused(fault, replace(absent, began=BACK + 1, ended=BACK + 1))
    assert not excused(fault, replace(absent, began=BEGIN - 2, ended=BEGIN - 1))
    assert not excused(fault, replace(absent, sidecar="sidecar-1"))


def test_on_a_slow_machine_trying_again_takes_longer() -> None:
    fault = "kill -9: a sidecar"
    late = replace(FINE, began=BACK + 1, ended=BACK + 1, error=REFUSED)
    assert excused(fault, late, pace=2.0)
    assert not excused(fault, replace(late, began=BACK + 2, ended=BACK + 2), pace=2.0)


def test_a_fault_that_outlasts_a_wait_lasts_longer_on_a_slow_machine_and_others_dont() -> None:
    assert BY_NAME["cut off: a sidecar's relay"].seconds(3.0) > POLICY["routing"] * 3.0
    assert BY_NAME["frozen: a host of a shard"].seconds(3.0) == BY_NAME["frozen: a host of a shard"].hold


def test_the_pace_is_never_faster_than_usual_and_has_a_limit() -> None:
    assert pace_of(0.0) == 1.0
    assert pace_of(2 * IDLE_SECONDS) == 2 * MARGIN
    assert pace_of(3_600.0) == SLOWEST


def test_what_must_fail_is_as_it_should_be_when_it_does_and_blind_when_it_doesnt() -> None:
    naive = Row(
        fault="the naive order",
        moment="8 publishes",
        verdict=Verdict(requests=9, failed=3, misrouted=0, down=0),
        publish="-",
        expected="-",
        converged=0.0,
        must_fail=True,
    )
    assert (naive.outcome, naive.as_it_should) == ("fails, as it should", True)
    blind = replace(naive, verdict=Verdict(requests=9, failed=0, misrouted=0, down=0))
    assert (blind.outcome, blind.as_it_should) == ("WRONG: it should fail", False)
    assert (replace(blind, must_fail=False).outcome, replace(naive, must_fail=False).outcome) == (
        "ok",
        "WRONG",
    )


def test_a_killed_sidecar_excuses_nothing_that_an_envoy_or_a_lightbulb_says() -> None:
    during = replace(FINE, began=BEGIN + 1, ended=BEGIN + 1)
    for error in (
        LOST,
        "UNAVAILABLE: no healthy upstream",
        "NOT_FOUND: resolve again",
        "DEADLINE_EXCEEDED: x",
        "not resolved: Unavailable: x",
    ):
        assert not excused("kill -9: a sidecar", replace(during, error=error)), error


def test_a_killed_host_excuses_what_was_under_way_on_it_alone() -> None:
    fault = "kill -9: a host of a shard"
    lost = replace(FINE, began=BEGIN - 0.1, ended=BEGIN + 0.1, error=LOST)
    assert excused(fault, lost)
    assert not excused(fault, replace(lost, ended=BEGIN - 0.05))
    assert not excused(fault, replace(lost, began=BEGIN + 1, ended=BEGIN + 1.1))
    assert not excused(fault, replace(lost, error="UNAVAILABLE: no healthy upstream"))


def test_lines_begin_at_the_mark_or_later_also_when_it_is_within_one(tmp_path: Path) -> None:
    file = tmp_path / "load"
    file.write_text("one\ntwo\nthr")
    assert [lines_since(file, mark) for mark in (0, 1, 3, 4, 5, 8, 11)] == [
        ["one\n", "two\n", "thr"],
        ["two\n", "thr"],
        ["two\n", "thr"],
        ["two\n", "thr"],
        ["thr"],
        ["thr"],
        [],
    ]


def test_who_had_the_candidate_of_a_shift_and_is_answered_by_another_went_back() -> None:
    moved = replace(FINE, answered_by=CANDIDATE)
    after = replace(FINE, began=moved.ended + 0.1, ended=moved.ended + 0.2)
    stood = (Stood(2_500, 80.0, 95.0),)
    assert went_back([after, moved], stood) == [after]
    assert went_back([after], stood) == []  # nobody was moved before
    assert went_back([moved, replace(after, user="user-2")], stood) == []
    beside = replace(FINE, began=moved.ended - 0.05, ended=moved.ended + 0.2)
    assert went_back([moved, beside], stood) == []  # both were under way at once
    assert went_back([moved, after], (Stood(2_500, 95.0, 99.0),)) == []  # not while it stood there


def test_a_shift_is_expected_of_its_objectives_users_below_the_share_and_of_nobody_else() -> None:
    users = [RequestContext(user_id=f"user-{number}") for number in range(400)]
    found = [Shifted(Everybody(), 2_500).of("PaymentFraudDetection", user).model for user in users]
    assert 60 < found.count(CANDIDATE) < 140
    assert found.count("m@1") == 400 - found.count(CANDIDATE)
    assert {Shifted(Everybody(), 10_000).of("Other", user).model for user in users} == {"m@1"}
