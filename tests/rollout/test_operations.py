"""What may be asked of a rollout, and what it answers to what it may not."""

from dataclasses import replace

import pytest

from controlplane.rollout.operations import (
    Moved,
    Refused,
    activate,
    check_newest,
    make_room,
    outlived,
    pin,
    publish,
    releasable,
    roll_back,
    unpin,
)
from controlplane.rollout.state import MAX_LIVE, MAX_PINNED, MAX_UNDONE, Phase, Rollout
from tests.rollout.rollouts import at, rollout


def test_a_publish_sets_out_beside_what_is_live() -> None:
    before = rollout(Phase.RETIRING, held=(1, 2))
    following = publish(before, 3, None, at(5.0, 9))
    assert (following.phase, following.target, following.entered) == (Phase.LOADING, 3, 5.0)
    assert (following.active, following.live, following.held) == (2, (1, 2), (1, 2))
    assert following.loaded == (1, 2, 3)
    assert following.routed == (1, 2)


def test_a_publish_that_needs_room_lets_the_oldest_leave_first() -> None:
    before = rollout(live=(1, 2, 3), active=3, held=(3,))
    assert releasable(before) == (1, 2)
    following = publish(before, 4, (1,), at(5.0, 9))
    assert (following.phase, following.live, following.leaving) == (Phase.RELEASING, (2, 3), (1,))
    assert 1 in following.loaded
    assert 1 not in following.routed
    assert 4 not in following.loaded


def test_what_is_held_active_or_pinned_may_not_leave() -> None:
    assert releasable(rollout(live=(1, 2, 3, 4), active=4, held=(3, 4), pinned=(1,))) == (2,)
    assert releasable(None) == ()


@pytest.mark.parametrize("phase", [Phase.RELEASING, Phase.LOADING, Phase.ROUTING])
def test_a_second_publish_supersedes_the_first(phase: Phase) -> None:
    following = publish(rollout(phase), 4, None, at(5.0, 9))
    assert (following.target, following.withdrawn, following.active) == (4, 3, 2)
    assert following.phase is Phase.LOADING
    assert (3 in following.leaving) is (phase is Phase.ROUTING)


RETIRING = rollout(Phase.RETIRING, live=(1, 2, 3), active=3, held=(2, 3), oldest=2, desired_version=4)


def test_a_publish_waits_for_what_clients_may_hold_and_must_make_room() -> None:
    waiting = publish(RETIRING, 4, (1, 2), at(5.0, 9))
    assert waiting == replace(RETIRING, phase=Phase.WAITING, target=4, release=(1, 2))
    assert 4 in waiting.needed
    assert 4 not in waiting.loaded
    assert outlived(RETIRING) == (1, 2)
    assert outlived(replace(RETIRING, pinned=(2,))) == (1,)
    assert outlived(None) == ()


def test_who_comes_after_one_that_waits_doesnt_wait_from_anew() -> None:
    waiting = publish(RETIRING, 4, (1, 2), at(5.0, 9))
    following = publish(waiting, 5, (1, 2), at(6.0, 10))
    assert following == replace(waiting, target=5, withdrawn=4)
    releasing = make_room(following, (1, 2), at(70.0, 11))
    assert (releasing.phase, releasing.live, releasing.leaving) == (Phase.RELEASING, (3,), (1, 2))
    assert publish(releasing, 6, (), at(75.0, 12)).entered == 70.0


def test_one_that_waits_is_withdrawn_by_a_rollback_and_a_pin_is_told_of_it() -> None:
    waiting = publish(RETIRING, 4, (1, 2), at(5.0, 9))
    assert roll_back(waiting, 2, at(6.0, 10)).live == (1, 3, 2)
    assert roll_back(waiting, 0, at(6.0, 10)).release == ()
    assert pin(waiting, 3).pinned == (3,)
    with pytest.raises(Refused, match="2 leaves to make room for generation 4, which waits"):
        pin(waiting, 2)


def test_marks_of_what_is_live_are_kept() -> None:
    live = tuple(range(MAX_LIVE, 0, -1))
    gone = tuple(range(1000, 1000 + MAX_UNDONE))
    back = roll_back(rollout(live=live, active=1, held=(1,), undone=gone), MAX_LIVE, at(5.0))
    assert set(back.undone) >= set(live) - {MAX_LIVE}
    assert len(back.undone) == MAX_UNDONE


def test_a_rollback_is_one_pointer() -> None:
    following = roll_back(rollout(Phase.SETTLED, live=(1, 2, 3), active=3, held=(3,)), 1, at(5.0, 9))
    assert (following.active, following.fence, following.live, following.held) == (1, 9, (2, 3, 1), (3, 1))
    assert set(following.routed) == set(following.loaded) == {1, 2, 3}


def test_a_rollback_without_a_number_goes_to_what_was_active_before() -> None:
    back = roll_back(rollout(live=(1, 2, 3), active=3, held=(3,)), 0, at(5.0))
    assert (back.active, back.undone) == (2, (3,))


def test_pressed_again_a_rollback_goes_further_back_and_never_to_what_was_undone() -> None:
    state = rollout(live=(1, 2, 3), active=3, held=(3,))
    state = roll_back(roll_back(state, 0, at(5.0)), 0, at(6.0))
    assert (state.active, state.undone) == (1, (3, 2))
    with pytest.raises(Refused, match=r"rolled back from: 2, 3. To make one of them active .* name it"):
        roll_back(state, 0, at(7.0))


def test_a_rollback_past_several_undoes_them_all() -> None:
    state = roll_back(rollout(live=(1, 2, 3), active=3, held=(3,)), 1, at(5.0))
    assert (state.active, state.undone) == (1, (2, 3))


def test_who_names_an_undone_generation_takes_its_mark_away_and_may_go_back_again() -> None:
    undone = roll_back(rollout(live=(1, 2, 3), active=3, held=(3,)), 0, at(5.0))
    again = roll_back(undone, 3, at(6.0))
    assert (again.active, again.undone) == (3, ())
    assert roll_back(again, 0, at(7.0)).active == 2


def test_a_publish_leaves_the_marks_and_what_it_replaced_is_gone_back_to() -> None:
    undone = roll_back(rollout(live=(1, 2, 3), active=3, held=(3,)), 0, at(5.0))
    on_its_way = publish(undone, 4, None, at(6.0))
    active = activate(replace(on_its_way, phase=Phase.ROUTING, live=(*on_its_way.live, 4)), 4, at(7.0))
    assert active.undone == (3,)
    assert roll_back(active, 0, at(8.0)).active == 2


def test_two_who_undo_the_same_generation_undo_one() -> None:
    state = rollout(live=(1, 2, 3), active=3, held=(3,))
    check_newest(state, 3)
    with pytest.raises(Moved, match=r"somebody rolled back from it already, and now 2 is"):
        check_newest(roll_back(state, 0, at(5.0)), 3)
    with pytest.raises(Moved, match=r"others changed it meanwhile, and now 3 is"):
        check_newest(state, 2)
    with pytest.raises(Moved, match="now none is"):
        check_newest(None, 1)


@pytest.mark.parametrize("phase", [Phase.LOADING, Phase.ROUTING])
@pytest.mark.parametrize(("number", "active"), [(0, 2), (1, 1), (2, 2)])
def test_a_rollback_withdraws_what_is_on_its_way(phase: Phase, number: int, active: int) -> None:
    following = roll_back(rollout(phase), number, at(5.0, 9))
    assert (following.active, following.target, following.withdrawn) == (active, 0, 3)
    assert str(following.failure) == f"superseded by the rollback to generation {active}"


def test_a_rollback_to_what_is_active_changes_nothing() -> None:
    before = rollout()
    assert roll_back(before, 2, at(5.0)) is before


@pytest.mark.parametrize(
    ("state", "number", "message"),
    [
        (None, 1, "nothing is active yet; publish"),
        (rollout(Phase.LOADING, active=0, live=(), held=()), 1, "nothing is active yet"),
        (rollout(), 7, r"generation 7 is not loaded; loaded are 1, 2$"),
        (rollout(Phase.LOADING), 3, "on its way already"),
        (rollout(live=(2,)), 0, "no generation but 2 is loaded; name one of `lightbulb history`"),
        (rollout(active=1, live=(1,), held=(1,)), 0, "no generation but 1 is loaded$"),
    ],
)
def test_a_rollback_that_cant_be_says_what_to_do(state: Rollout | None, number: int, message: str) -> None:
    with pytest.raises(Refused, match=message):
        roll_back(state, number, at(5.0))


def test_pins_hold_until_they_are_released_and_are_bounded() -> None:
    pinned = pin(rollout(), 1)
    assert pinned.pinned == (1,)
    assert pin(pinned, 1) is pinned
    assert unpin(pinned, 1).pinned == ()
    with pytest.raises(Refused, match="generation 5 is not loaded; loaded are 1, 2"):
        pin(rollout(), 5)
    with pytest.raises(Refused, match="generation 1 is not pinned; none is"):
        unpin(rollout(), 1)
    full = tuple(range(1, MAX_PINNED + 1))
    with pytest.raises(Refused, match="unpin one"):
        pin(rollout(live=(*full, 9), pinned=full, active=9), 9)


def test_what_is_leaving_makes_room_first_when_the_target_needs_it() -> None:
    before = rollout(Phase.UNLOADING, live=(2,), leaving=(1,))
    assert publish(before, 3, None, at(5.0)).phase is Phase.LOADING
    assert publish(before, 3, None, at(5.0)).loaded == (1, 2, 3)
    waiting = publish(before, 3, (), at(5.0))
    assert (waiting.phase, waiting.loaded) == (Phase.RELEASING, (1, 2))
