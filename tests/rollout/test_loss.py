"""Whether a head came of another, and what is given up when it didn't."""

from dataclasses import replace

import pytest

from controlplane.model import Plan
from controlplane.rollout.ending import end
from controlplane.rollout.lanes import NO_LANES, Lanes
from controlplane.rollout.loss import (
    MAX_LOST,
    SPARE,
    Seen,
    begun_again,
    continues,
    is_above,
    last_lost,
    raised,
    witnesses,
)
from controlplane.rollout.state import Generation, Moment, Phase, Rollout

KNOWN = Rollout(
    phase=Phase.SETTLED, entered=1.0, active=2, oldest=2, live=(1, 2), held=(2,), fence=7, desired_version=8
)
VERSION = 9


def lanes(**rollouts: Rollout) -> Lanes:
    found = NO_LANES
    for tenant, rollout in rollouts.items():
        found = found.after(tenant, rollout)
    return found


@pytest.mark.parametrize(
    ("after", "came_of_it"),
    [
        (KNOWN, True),
        (replace(KNOWN, phase=Phase.LOADING, target=3, desired_version=10), True),
        (replace(KNOWN, active=1, fence=10, desired_version=10), True),
        (replace(KNOWN, fence=6), False),
        (replace(KNOWN, desired_version=7), False),
        (replace(KNOWN, active=1), False),
        (replace(KNOWN, live=(2,)), False),
        (replace(KNOWN, live=(2,), fence=1000, desired_version=1000), True),
    ],
    ids=str,
)
def test_a_head_that_came_of_another_is_told_from_one_that_did_not(after: Rollout, came_of_it: bool) -> None:
    assert continues(lanes(a=KNOWN), VERSION, lanes(a=after, b=KNOWN)) is came_of_it


def test_a_tenant_that_is_missing_has_ended_if_the_store_has_its_generations() -> None:
    other = replace(KNOWN, active=4, live=(3, 4))
    before, after = lanes(a=KNOWN, b=other), lanes(a=KNOWN)
    assert continues(before, VERSION, after)
    assert witnesses(before, after, (1, 2, 3, 4, 5)) == {4, 5}
    assert witnesses(before, before, (1, 2, 3, 4, 5)) == {5}
    assert witnesses(NO_LANES, after, ()) == frozenset()


def test_a_tenants_end_is_no_loss_whichever_of_its_heads_was_seen_last() -> None:
    seen = [lanes(a=replace(KNOWN, desired_version=50), b=replace(KNOWN, live=(2,)))]
    nothing = Plan(tables=(), routes=(), assignments=())
    generations = {number: Generation(number=number, content_hash="", plan=nothing) for number in (1, 2)}
    for version in (VERSION + 1, VERSION + 2):
        seen.append(end(seen[-1], "b", generations, Moment(0.0, version)))
    assert "b" not in seen[-1].rollouts
    assert seen[1].rollouts["b"].active == 0
    for known, before in enumerate(seen):
        for after in seen[known:]:
            assert continues(before, VERSION + known, after)


def test_what_goes_on_is_above_and_else_as_it_was() -> None:
    at = Moment(5.0, 1009)
    after = raised(lanes(a=KNOWN), at)
    assert after == lanes(a=replace(KNOWN, fence=1009, desired_version=1009))
    assert is_above(after, VERSION)
    assert not is_above(lanes(a=KNOWN), VERSION)


def test_what_nobody_knows_is_begun_again_with_what_is_active() -> None:
    on_its_way = replace(KNOWN, phase=Phase.ROUTING, target=3)
    rollout = begun_again(lanes(a=on_its_way), Moment(5.0, 1009)).rollouts["a"]
    assert (rollout.phase, rollout.target, rollout.active) == (Phase.LOADING, 2, 0)
    assert (rollout.live, rollout.withdrawn, rollout.again) == ((), 3, True)
    assert rollout.fence == rollout.desired_version == 1009


@pytest.mark.parametrize(
    ("seen", "last"),
    [
        (Seen(9), 5),
        (Seen(12), 8 + SPARE),
        (Seen(1009, is_fork=True), 5),
        (Seen(900_000), 5 + MAX_LOST),
    ],
    ids=str,
)
def test_a_commit_that_nobody_knows_may_have_been_a_publish(seen: Seen, last: int) -> None:
    assert last_lost(5, VERSION, seen) == last
