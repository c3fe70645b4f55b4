"""Answers that were compared keep a shift from beginning, or undo it, and none counts twice."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controlplane.lifecycle import operations
from controlplane.lifecycle.advance import Acked, advance
from controlplane.lifecycle.agreement import (
    MAX_MODELS,
    MAX_TELLERS,
    NOTHING_COMPARED,
    AllCompared,
    Compared,
    Models,
    TooMuchCompared,
    heard,
    sums_of,
)
from controlplane.lifecycle.counters import Ledger
from controlplane.lifecycle.figures import Counts
from controlplane.lifecycle.guards import parse_guards
from controlplane.lifecycle.operations import At
from controlplane.lifecycle.state import Control, ShiftState
from controlplane.lifecycle.verdict import Outcome
from controlplane.lifecycle.watching import NOT_JUDGED, Judged, Told, watch, watched
from tests.lifecycle.scenes import scene, wanted

MODELS = Models(objective="Ranking", primary="ranker@1", candidate="ranker@2")
OTHERS = replace(MODELS, candidate="ranker@3")
GUARDS = parse_guards(["agreement:0.9"], interval=10.0)
WANTED = replace(wanted(500, 5_000, every=60.0), guards=GUARDS)
STARTING = operations.start(None, WANTED, scene(), At(1.0, 17))


def told(pairs: int, disagreement: float, *, epoch: int = 1, models: Models = MODELS) -> Compared:
    return Compared(epoch=epoch, counts={models: Counts(compared=pairs, disagreed=disagreement)})


def known(*each: Compared, teller: str = "records") -> AllCompared:
    found = NOTHING_COMPARED
    for one in each:
        found = heard(found, teller, one)
    return found


def brought(ledger: Ledger, *replicas: AllCompared) -> tuple[Ledger, Counts]:
    ledger, arms = ledger.take(sums_of(MODELS, replicas))
    return ledger, arms.candidate


def test_what_is_told_again_and_to_whichever_replica_counts_once() -> None:
    one, other = known(told(100, 4.0)), known(told(150, 6.0))
    ledger, first = brought(Ledger(), one, other, known(told(100, 4.0)))
    assert (first.compared, first.disagreed) == (150, 6.0)
    ledger, again = brought(ledger, one, other)
    assert again.compared == 0
    two_places = known(told(40, 1.0), teller="another place")
    _, more = brought(ledger, one, other, two_places)
    assert (more.compared, more.disagreed) == (40, 1.0)


def test_who_begins_anew_is_counted_from_there_and_an_old_word_is_passed_over() -> None:
    ledger, _ = brought(Ledger(), known(told(100, 4.0)))
    anew = known(told(100, 4.0), told(30, 2.0, epoch=2), told(900, 9.0))
    ledger, more = brought(ledger, anew)
    assert (more.compared, more.disagreed) == (30, 2.0)
    _, late = brought(ledger, known(told(5_000, 9.0)), anew)
    assert late.compared == 0


@pytest.mark.parametrize(("pairs", "disagreement"), [(90, 4.0), (110, 3.0), (110, 15.0)])
def test_a_sum_that_cant_have_grown_from_the_one_before_is_passed_over(
    pairs: int, disagreement: float
) -> None:
    found = known(told(100, 4.0), told(pairs, disagreement), told(7, 1.0, models=OTHERS))
    assert found["records"].counts[MODELS] == Counts(compared=100, disagreed=4.0)
    assert found["records"].counts[OTHERS].compared == 7


def test_tellers_are_bounded_and_those_who_are_known_go_on() -> None:
    found = NOTHING_COMPARED
    for number in range(MAX_TELLERS):
        found = heard(found, str(number), told(1, 0.0))
    with pytest.raises(TooMuchCompared, match="tell by one of their names"):
        heard(found, "one more", told(1, 0.0))
    assert heard(found, "0", told(2, 0.0))["0"].counts[MODELS].compared == 2


def test_models_of_a_teller_are_bounded_and_a_later_epoch_makes_room() -> None:
    many = {replace(MODELS, objective=f"O{number}"): Counts(compared=1) for number in range(MAX_MODELS)}
    found = known(Compared(epoch=1, counts=many))
    with pytest.raises(TooMuchCompared, match="begin a later epoch"):
        heard(found, "records", told(1, 0.0))
    assert heard(found, "records", told(2, 0.0, epoch=2))["records"].counts[MODELS].compared == 2


def judged(control: Control, *intervals: AllCompared, reporting: int = 2) -> Judged:
    it = watch(control.shift, b"", 0.0)
    for turn, each in enumerate(intervals, 1):
        sums = sums_of(MODELS, [each])
        it = watched(it, control.shift, Told(sums=sums, reporting=reporting, live=2), 10.0 * turn)
    return it.judged


def looked(control: Control, seen: Judged, now: float = 50.0) -> Control | None:
    return advance(control, scene(), Acked(), 5.0, At(now, 18), seen)


def test_nobody_is_moved_before_enough_answers_agree() -> None:
    few = judged(STARTING, known(told(99, 2.0)))
    assert few.verdicts[0].outcome is Outcome.NONE
    assert few.verdicts[0].text.startswith("agreement: 99 of 100 pairs of answers; `lightbulb shadow tell`")
    for seen in (NOT_JUDGED, few):
        assert looked(STARTING, seen) is STARTING
    begun = looked(STARTING, judged(STARTING, known(told(100, 2.0))))
    assert begun is not None
    assert (begun.shift.state, begun.shift.basis_points) == (ShiftState.RUNNING, 500)


def test_nobody_is_moved_by_answers_that_differ_though_they_are_too_few_to_say_so() -> None:
    seen = judged(STARTING, known(told(120, 60.0)))
    assert seen.verdicts[0].outcome is Outcome.NONE
    assert seen.verdicts[0].text == (
        "agreement: disagreement 60 of 120 (50.0 %), bound 10.0 %: nobody is moved before it is within that"
    )
    assert looked(STARTING, seen) is STARTING


def test_answers_that_differ_end_a_shift_before_anybody_was_moved() -> None:
    worse = [known(told(100 * turn, 40.0 * turn)) for turn in range(1, 9)]
    seen = judged(STARTING, *worse)
    assert seen.verdicts[0].outcome is Outcome.BREACH
    ended = looked(STARTING, seen)
    assert ended is not None
    assert ended.shift.state is ShiftState.ABORTING
    assert "by its guard agreement: disagreement 320 of 800 (40.0 %), bound 10.0 %" in ended.shift.why


def test_a_step_needs_no_further_pairs_and_no_sidecar_tells_of_them() -> None:
    running = looked(STARTING, judged(STARTING, known(told(100, 2.0))))
    assert running is not None
    running = replace(running, shift=replace(running.shift, in_force=50.0))
    both = known(told(100, 2.0)), known(told(100, 2.0))
    it = watch(STARTING.shift, b"", 0.0)
    it = watched(it, STARTING.shift, Told(sums=sums_of(MODELS, [both[0]]), reporting=0, live=2), 10.0)
    it = watched(it, running.shift, Told(sums=sums_of(MODELS, [both[1]]), reporting=0, live=2), 20.0)
    assert (it.evidence.step, it.judged.verdicts[0].outcome) == (500, Outcome.FINE)
    stepped = looked(running, it.judged, now=120.0)
    assert stepped is not None
    assert stepped.shift.basis_points == 5_000
