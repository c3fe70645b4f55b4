"""A rollout takes its steps in order, each gated on its consumers, and waits for nobody for ever."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from controlplane.rollout.advance import (
    Occupant,
    Progress,
    advance,
    ends_at,
    kept,
    load_seconds,
    loading_until,
    retire_after,
)
from controlplane.rollout.failure import Failure, FailureKind, Missing, without
from controlplane.rollout.operations import publish
from controlplane.rollout.state import Phase, Rollout
from lightbulb.model import ModelAssignment
from tests.rollout.rollouts import (
    DONE,
    KEEP_OLD,
    LAGGING,
    MANY_LAGGING,
    POLICY,
    REFUSED,
    at,
    generation,
    rollout,
)


def after(state: Rollout, progress: Progress, now: float, delay: float = KEEP_OLD) -> Rollout:
    return advance(state, progress, POLICY, delay, at(now, 7))


@pytest.mark.parametrize(
    ("phase", "progress", "now", "expected"),
    [
        (Phase.WAITING, DONE, KEEP_OLD - 0.1, Phase.WAITING),
        (Phase.WAITING, LAGGING, KEEP_OLD + 100, Phase.WAITING),
        (Phase.WAITING, DONE, KEEP_OLD, Phase.RELEASING),
        (Phase.RELEASING, DONE, 1.9, Phase.RELEASING),
        (Phase.RELEASING, DONE, 2.0, Phase.LOADING),
        (Phase.RELEASING, LAGGING, 4.9, Phase.RELEASING),
        (Phase.RELEASING, LAGGING, 5.0, Phase.LOADING),  # nobody holds what is released
        (Phase.LOADING, LAGGING, 9.9, Phase.LOADING),
        (Phase.LOADING, LAGGING, 10.0, Phase.RETIRING),
        (Phase.LOADING, REFUSED, 0.0, Phase.RETIRING),
        (Phase.LOADING, DONE, 0.0, Phase.ROUTING),
        (Phase.ROUTING, LAGGING, 4.9, Phase.ROUTING),
        (Phase.ROUTING, REFUSED, 0.0, Phase.RETIRING),
        (Phase.ROUTING, DONE, 0.0, Phase.RETIRING),
        (Phase.RETIRING, DONE, KEEP_OLD - 0.1, Phase.RETIRING),
        (Phase.RETIRING, LAGGING, KEEP_OLD + 100, Phase.RETIRING),
        (Phase.RETIRING, DONE, KEEP_OLD, Phase.SETTLED),
        (Phase.UNLOADING, LAGGING, 100.0, Phase.UNLOADING),
        (Phase.UNLOADING, DONE, 1.9, Phase.UNLOADING),
        (Phase.UNLOADING, DONE, 2.0, Phase.SETTLED),
        (Phase.SETTLED, REFUSED, 100.0, Phase.SETTLED),
    ],
)
def test_a_step_is_taken_when_its_gate_opens(
    phase: Phase, progress: Progress, now: float, expected: Phase
) -> None:
    release = (1,) if phase is Phase.WAITING else ()
    assert after(rollout(phase, release=release), progress, now).phase is expected


def test_what_waits_makes_room_once_nobody_is_told_of_what_must_leave() -> None:
    waiting = rollout(Phase.WAITING, held=(1, 2), oldest=1, release=(1,))
    told = after(waiting, DONE, 1.0)
    assert (told.phase, told.oldest, told.entered) == (Phase.WAITING, 2, 1.0)
    assert after(told, DONE, KEEP_OLD).phase is Phase.WAITING
    room = after(told, DONE, 1.0 + KEEP_OLD)
    assert (room.phase, room.live, room.held, room.leaving) == (Phase.RELEASING, (2,), (2,), (1,))
    assert room.release == ()


@pytest.mark.parametrize("live", [(1, 2), ()])
def test_what_waits_for_another_tenant_does_so_until_it_has_left_or_stays_or_its_time_is_over(
    live: tuple[int, ...],
) -> None:
    before = rollout(live=live, active=live[-1], held=live[-1:]) if live else None
    waiting = publish(before, 9, None, at(0.0), awaits=(7, 8), awaits_until=50.0)
    theirs = Occupant(tenant="other", generation=8)
    assert after(waiting, replace(DONE, occupants=(theirs,)), 49.9) == waiting
    assert (waiting.phase, waiting.routed, waiting.loaded) == (Phase.WAITING, live, live)

    gone = after(waiting, DONE, 49.9, delay=0.0)
    assert (gone.phase, gone.target, gone.live, gone.leaving) == (Phase.LOADING, 9, live, ())
    assert gone.held == (before.held if before is not None else ())

    for now, stays in ((1.0, True), (50.0, False)):
        withdrawn = after(waiting, replace(DONE, occupants=(replace(theirs, stays=stays),)), now)
        assert (withdrawn.phase, withdrawn.target, withdrawn.live) == (Phase.RETIRING, 0, live)
        assert withdrawn.failure == Failure(kind=FailureKind.NO_ROOM, by=8)
        assert (withdrawn.awaits, withdrawn.awaits_until) == ((), 0.0)


@pytest.mark.parametrize(
    ("phase", "progress", "now", "reason"),
    [
        (Phase.LOADING, REFUSED, 0.0, "refused: host h1: m@2: no such fact"),
        (Phase.LOADING, LAGGING, 10.0, "waiting for sidecar s1 for more than 10 s"),
        (Phase.ROUTING, REFUSED, 0.0, "refused: host h1"),
        (Phase.ROUTING, MANY_LAGGING, 5.0, "waiting for sidecar s0; "),
    ],
)
def test_a_publish_is_withdrawn_and_what_was_active_stays_so(
    phase: Phase, progress: Progress, now: float, reason: str
) -> None:
    before = rollout(phase)
    withdrawn = after(before, progress, now)
    assert (withdrawn.active, withdrawn.live, withdrawn.target) == (2, (1, 2), 0)
    assert (withdrawn.withdrawn, withdrawn.fence) == (3, before.fence)
    assert reason in str(withdrawn.failure)
    assert 3 not in withdrawn.routed
    # what some sidecar may already route stays loaded until all have let go
    assert (3 in withdrawn.loaded) is (phase is Phase.ROUTING)


def test_a_publish_loads_for_as_long_as_its_models_say_and_no_longer() -> None:
    waiting = replace(LAGGING, load_seconds=3_610.0)
    assert after(rollout(Phase.LOADING), waiting, 3_609.9).phase is Phase.LOADING
    withdrawn = after(rollout(Phase.LOADING), waiting, 3_610.0)
    assert str(withdrawn.failure) == "waiting for sidecar s1 for more than 3610 s"
    assert loading_until(rollout(Phase.LOADING, entered=5.0), waiting, POLICY) == 3_615.0
    assert loading_until(rollout(Phase.LOADING, entered=5.0), LAGGING, POLICY) == 15.0
    assert loading_until(publish(None, 1, None, at(5.0)), waiting, POLICY) == 0.0  # the first waits on
    assert loading_until(rollout(Phase.ROUTING, entered=5.0), waiting, POLICY) == 0.0


@pytest.mark.parametrize(
    ("target", "live", "seconds"),
    [
        ({"a": (0.0,)}, (), 10),
        ({}, (), 10),
        ({"a": (300.0, 0.0)}, (), 310),
        ({"a": (300.0, 200.0)}, (), 510),  # a host loads one after the other
        ({"a": (300.0, 200.0)}, ("m@0",), 210),  # what is live already isn't loaded anew
        ({"a": (300.0,), "b": (400.0,)}, (), 410),  # hosts of two shards load side by side
        ({"a": (300.0,), "b": (400.0,)}, ("m@0",), 410),  # live on shard a alone
    ],
)
def test_the_new_models_of_a_shard_are_waited_for_together(
    target: Mapping[str, tuple[float, ...]], live: tuple[str, ...], seconds: float
) -> None:
    placed = {
        shard: tuple(
            ModelAssignment(name="m", version=str(number), memory_mib=1, load_timeout=timeout)
            for number, timeout in enumerate(timeouts)
        )
        for shard, timeouts in target.items()
    }
    assert load_seconds(placed, {"a": frozenset(live)}, POLICY) == seconds


def test_a_few_laggards_are_passed_over_once_their_deadline_is_over_and_named() -> None:
    gone_on = after(rollout(Phase.ROUTING), LAGGING, 5.0)
    assert (gone_on.active, gone_on.phase) == (3, Phase.RETIRING)
    assert gone_on.passed_over == Missing(laggards=LAGGING.lagging)
    assert without(gone_on.passed_over) == "went on without sidecar s1"


@pytest.mark.parametrize(
    ("phase", "seconds"), [(Phase.RELEASING, 5.0), (Phase.LOADING, 10.0), (Phase.ROUTING, 5.0)]
)
def test_nobody_is_late_for_a_time_in_which_nobody_led(phase: Phase, seconds: float) -> None:
    waiting = rollout(phase)
    for now, same in ((104.9, True), (100.0 + seconds, False)):
        moment = replace(at(now, 7), led_since=100.0)
        assert (advance(waiting, MANY_LAGGING, POLICY, KEEP_OLD, moment) is waiting) is same


def test_activation_is_one_pointer_with_a_higher_fence() -> None:
    active = after(rollout(Phase.ROUTING), DONE, 3.0)
    assert (active.active, active.target, active.live, active.held) == (3, 0, (1, 2, 3), (2, 3))
    assert (active.fence, active.desired_version, active.entered) == (7, 7, 3.0)
    assert active.oldest == 2  # somebody may not have been told of 3 yet


@pytest.mark.parametrize("progress", [LAGGING, MANY_LAGGING, REFUSED])
def test_the_first_generation_waits_for_as_long_as_it_takes(progress: Progress) -> None:
    first = publish(None, 1, None, at(0.0))
    assert after(first, progress, 1e6) is first
    routing = after(first, DONE, 1.0)
    assert after(routing, progress, 1e6) is routing
    assert after(routing, DONE, 2.0).active == 1


def test_once_everybody_has_come_this_far_nobody_is_told_of_anything_older() -> None:
    retiring = rollout(Phase.RETIRING, live=(1, 2), held=(1, 2), oldest=1)
    assert after(retiring, LAGGING, 1e6) is retiring
    told = after(retiring, DONE, 50.0)
    assert (told.phase, told.oldest, told.entered, told.desired_version) == (Phase.RETIRING, 2, 50.0, 7)
    assert after(told, DONE, 50.0 + KEEP_OLD - 0.1) is told  # from now on it counts
    assert after(told, DONE, 50.0 + KEEP_OLD).phase is Phase.SETTLED


def test_retirement_is_counted_from_when_the_last_came_into_step() -> None:
    late = Progress(total=2, since=100.0)
    retiring = rollout(Phase.RETIRING, live=(1, 2, 3, 4), held=(3, 4), active=4, oldest=4)
    assert after(retiring, late, 100.0 + KEEP_OLD - 0.1) is retiring
    assert after(retiring, late, 100.0 + KEEP_OLD).phase is Phase.UNLOADING


def test_what_leaves_the_window_is_unrouted_first_and_unloaded_later() -> None:
    retiring = rollout(Phase.RETIRING, live=(1, 2, 3, 4, 5), held=(4, 5), active=5, oldest=5, pinned=(1,))
    unloading = after(retiring, DONE, KEEP_OLD)
    assert (unloading.phase, unloading.live, unloading.held) == (Phase.UNLOADING, (1, 3, 4, 5), (5,))
    assert (unloading.leaving, unloading.desired_version) == ((2,), 7)
    assert 2 not in unloading.routed
    assert 2 in unloading.loaded
    settled = after(unloading, DONE, KEEP_OLD + 2)
    assert (settled.phase, settled.loaded) == (Phase.SETTLED, (1, 3, 4, 5))


@pytest.mark.parametrize(
    ("live", "active", "pinned", "window", "expected"),
    [
        ((1, 2, 3, 4), 4, (), 2, (2, 3, 4)),
        ((1, 2, 3, 4), 4, (1,), 1, (1, 3, 4)),
        ((1, 2, 3, 4), 2, (), 1, (2, 4)),
        ((1, 2), 2, (), 0, (2,)),
        ((1,), 1, (), 5, (1,)),
        ((1, 2, 3), 3, (), 3, (1, 2, 3)),
    ],
)
def test_the_window_keeps_what_was_active_last(
    live: tuple[int, ...], active: int, pinned: tuple[int, ...], window: int, expected: tuple[int, ...]
) -> None:
    assert kept(rollout(live=live, active=active, pinned=pinned), window) == expected


def test_old_keys_live_for_a_cache_lifetime_a_request_and_a_margin() -> None:
    assert retire_after([generation(1), generation(2)], 2, POLICY) == KEEP_OLD
    assert retire_after([generation(2)], 2, POLICY) == 0.0


@pytest.mark.parametrize(
    ("state", "progress", "end"),
    [
        (rollout(Phase.RETIRING, held=(1, 2), oldest=2, entered=10.0), DONE, 10.0 + KEEP_OLD),
        (
            rollout(Phase.RETIRING, held=(1, 2), oldest=2, entered=10.0),
            replace(DONE, since=12.0),
            12.0 + KEEP_OLD,
        ),
        (rollout(Phase.RETIRING, held=(1, 2), oldest=1, entered=10.0), DONE, 0.0),
        (rollout(Phase.RETIRING, held=(1, 2), oldest=2, entered=10.0), LAGGING, 0.0),
        (rollout(Phase.UNLOADING, leaving=(1,), entered=10.0), DONE, 10.0 + POLICY.unload),
        (rollout(Phase.RELEASING, leaving=(1,), entered=10.0), DONE, 10.0 + POLICY.unload),
        (rollout(Phase.WAITING, held=(1, 2), oldest=2, entered=10.0), DONE, 10.0 + KEEP_OLD),
        (rollout(Phase.ROUTING, entered=10.0), DONE, 0.0),
        (rollout(Phase.SETTLED, entered=10.0), DONE, 0.0),
    ],
)
def test_a_phase_that_waits_for_time_alone_says_until_when(
    state: Rollout, progress: Progress, end: float
) -> None:
    assert ends_at(state, progress, POLICY, KEEP_OLD) == end
