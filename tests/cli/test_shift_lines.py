"""What people read of shifts that rules began, of new defaults, and of guards."""

from controlplane.cli.consumers import state_of
from controlplane.cli.shifts import new_default_lines, shift_lines, waiting_lines
from lightbulb.v1 import control_plane_pb2 as pb

NOTE = "p99:251ms is judged as 260ms, the next edge of the bins that Envoy counts durations in"
ERRORS = pb.GuardVerdict(guard="errors:1%", outcome="fine", text="errors: 0 of 200 (0 %), bound 1.00 %")
SLOW = pb.GuardVerdict(guard="p99:251ms", note=NOTE)
RULE = "pay.js:3 defineShiftRule"


def test_a_line_of_a_shift_says_which_rule_began_it_and_how_its_guards_are_judged() -> None:
    shift = pb.Shift(
        number=17,
        objective="Pay",
        model="next@2",
        basis_points=500,
        state=pb.SHIFT_STATE_RUNNING,
        author="ann",
        rule=RULE,
        guards=[ERRORS, SLOW],
    )
    assert list(shift_lines([shift])) == [
        f"Pay: shift 17 to next@2, at 5 %; by {RULE}, published by ann",
        "  guard errors:1% says fine: 0 of 200 (0 %), bound 1.00 %",
        f"  guard p99:251ms; {NOTE}",
    ]


def test_a_line_of_a_new_default_says_until_when_and_that_its_guards_are_blind() -> None:
    text = "errors: no figures from 2 of 2 sidecars"
    blind = pb.GuardVerdict(guard="errors:1%", outcome="blind", text=text)
    new = pb.NewDefault(
        objective="Pay", model="next@2", generation=7, until=60.0, guards=[blind], rule=RULE, author="ann"
    )
    judged = "Pay: the default next@2 is judged until 00:01:00 UTC; new in generation 7"
    assert list(new_default_lines([new])) == [
        f"{judged}; by {RULE}, published by ann",
        "  guard errors:1% says blind: no figures from 2 of 2 sidecars",
    ]


def test_a_shift_that_cant_begin_yet_says_what_it_waits_for() -> None:
    waiting = pb.WaitingShift(objective="Pay", waits_for="shift 12 to be over")
    assert list(waiting_lines([waiting])) == [
        "Pay: the shift of its rules begins later; it waits for shift 12 to be over"
    ]


def test_a_lightbulb_that_obeys_nothing_is_named() -> None:
    state = state_of(pb.Consumer(kind="lightbulb", disobeys=True))
    assert state == "synced; it obeys no shift and no hold-back: upgrade it"
