"""The short form of `make chaos`: a few faults, each at one moment, with real Envoys and a real Redis."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos.faults import BY_NAME
from chaos.handover import handed_over
from chaos.loss import fails_over, fails_over_with_tenants
from chaos.pace import measured_pace
from chaos.scenarios import Row, Stage, naive, operations, refused, stage, strike
from chaos.shift import holds_through
from chaos.shift_states import shifting, strike_in_shift
from chaos.teams import OthersChanged, Teams, at_once, teams
from tests.depth import is_deep

pytestmark = pytest.mark.envoy

PAUSE_SECONDS = 0.01 if is_deep() else 0.04
"""Between two requests of a client; on a slow machine as many times as long as all else is given there.

So as many requests meet each step on any machine. Clients that don't pause use a machine of two cores up.
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("chaos")
    pace = measured_pace()
    with stage(folder, seed=3, pace=pace, workers=3, pause=PAUSE_SECONDS * pace) as running:
        yield running


def assert_nobody_noticed(row: Row) -> None:
    assert row.verdict.requests > 0
    assert (row.verdict.failed, row.verdict.misrouted) == (0, 0), dict(row.verdict.examples)
    assert row.converged is not None, row


def test_the_naive_order_fails_requests_or_the_harness_sees_nothing(tmp_path: Path) -> None:
    with stage(tmp_path, seed=3, naive=True) as running:
        row = naive(running, 4)
    assert row.outcome == "fails, as it should", row


def test_publishes_moves_and_rollbacks_at_random_are_noticed_by_nobody(made: Stage) -> None:
    row = operations(made, 8 if is_deep() else 5)
    assert_nobody_noticed(row)
    assert row.publish == "active"


def test_who_was_shifted_stays_shifted_over_publishes_and_a_leader_that_is_killed(made: Stage) -> None:
    row = holds_through(made, 10 if is_deep() else 2)
    assert_nobody_noticed(row)
    assert row.publish == "active"


def test_a_model_that_hosts_refuse_is_noticed_by_nobody(made: Stage) -> None:
    row = refused(made, "9", "a model that hosts refuse")
    assert_nobody_noticed(row)
    assert row.publish == "withdrawn"


@pytest.mark.parametrize(
    ("fault", "moment"),
    [
        ("kill -9: leading control plane", "loading"),
        ("kill -9: a Lightbulb", "routing"),
        ("kill -9: Redis", "retiring"),
        ("partitioned: a sidecar's relay", "routing"),
        ("kill -9: a sidecar", "unloading"),
        ("frozen: a host of a shard", "loading"),
    ],
)
def test_what_is_down_is_down_and_nobody_else_notices(made: Stage, fault: str, moment: str) -> None:
    assert_nobody_noticed(strike(made, BY_NAME[fault], moment))


def test_a_redis_that_fails_over_and_lost_a_publish_is_noticed_by_nobody(made: Stage) -> None:
    row = fails_over(made, planes=False)
    assert_nobody_noticed(row)
    assert row.publish == "active"


def test_a_leader_that_is_killed_while_a_shift_is_taken_back_is_noticed_by_nobody(made: Stage) -> None:
    row = strike_in_shift(shifting(made), BY_NAME["kill -9: leading control plane"], "clearing")
    assert_nobody_noticed(row)
    assert (row.hit, row.publish) == ("clearing", row.expected)


@pytest.fixture(scope="module")
def four(made: Stage) -> Iterator[Teams]:
    """The same fleet, with four tenants from now on."""
    with teams(made) as running:
        yield running


def test_four_tenants_at_once_are_noticed_by_nobody(four: Teams) -> None:
    row = at_once(four, 10)
    assert_nobody_noticed(row)
    assert row.publish == "active"


def test_a_redis_that_fails_over_with_all_control_planes_is_noticed_by_nobody(four: Teams) -> None:
    row = fails_over_with_tenants(four)
    assert_nobody_noticed(row)
    assert row.publish == "active"


def test_an_objective_that_changes_hands_is_noticed_by_nobody(four: Teams) -> None:
    row = handed_over(four, 2)
    assert_nobody_noticed(row)
    assert row.publish == "active"


def test_the_harness_sees_that_somebody_else_changed_what_is_active(four: Teams) -> None:
    four.adopt()
    team = four.teams[1]
    team.publish()
    team.check()
    live = team.plane.status().live_generations
    team.plane.roll_back(next(each for each in live if four.sources.of(each) != team.asked))
    with pytest.raises(OthersChanged, match=team.tenant):
        team.check()
