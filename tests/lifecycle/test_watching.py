"""Whoever leads next goes on with what was learnt of a shift, and counts nothing twice."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.lifecycle import operations
from controlplane.lifecycle.counters import Sum
from controlplane.lifecycle.figures import Arms, Counts
from controlplane.lifecycle.guards import parse_guards
from controlplane.lifecycle.operations import At
from controlplane.lifecycle.state import Shift
from controlplane.lifecycle.verdict import Outcome
from controlplane.lifecycle.watching import Told, Watch, watch, watched
from tests.lifecycle.scenes import scene, wanted

GUARDS = parse_guards(["errors:1.25x"], interval=10.0)
SHIFT = replace(
    operations.start(None, replace(wanted(500), guards=GUARDS), scene(), At(1.0, 17)).shift, in_force=2.0
)


def told(requests: int, bad: int, *, reporting: int = 2) -> Told:
    """What a replica counted since it began: as many in both arms, of which the candidate's failed."""
    arms = Arms(candidate=Counts(requests=requests, bad=bad), control=Counts(requests=requests))
    return Told(sums=(Sum(sender="one", epoch=1, arms=arms),), reporting=reporting, live=2)


def begun(shift: Shift = SHIFT) -> Watch:
    return watch(replace(shift, in_force=0.0), b"", 0.0)


def test_an_interval_is_looked_at_once_it_is_over() -> None:
    it = begun()
    assert watched(it, SHIFT, told(200, 0), 9.9) is it
    it = watched(it, SHIFT, told(200, 0), 10.0)
    assert it.judged.verdicts[0].outcome is Outcome.FINE
    assert watched(it, SHIFT, told(900, 900), 19.9) is it
    assert watched(it, SHIFT, told(900, 700), 20.0).judged.verdicts[0].outcome is Outcome.CATASTROPHE


def test_no_traffic_is_no_verdict_and_too_few_sidecars_are_none_either() -> None:
    it = watched(begun(), SHIFT, Told(reporting=2, live=2), 10.0)
    assert it.judged.verdicts[0].outcome is Outcome.NONE
    for turn in range(5):
        it = watched(it, SHIFT, told(500, 0, reporting=1), 20.0 + 10 * turn)
        assert it.judged.verdicts[0].outcome is Outcome.BLIND
    assert it.judged.blind == 5


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 30), st.booleans()), min_size=1, max_size=12))
def test_a_leader_that_dies_costs_nothing_that_it_wrote_down(intervals: list[tuple[int, int, bool]]) -> None:
    whole, pieces, requests, bad = begun(), begun(), 0, 0
    for turn, (more, failed, dies) in enumerate(intervals, 1):
        requests, bad = requests + more, bad + min(failed, more)
        now = 10.0 * turn
        whole = watched(whole, SHIFT, told(requests, bad), now)
        pieces = watched(pieces, SHIFT, told(requests, bad), now)
        if dies:
            pieces = watch(SHIFT, pieces.to_bytes(), now)
    assert pieces.evidence == whole.evidence
    assert pieces.judged == whole.judged


def test_who_finds_nothing_counts_nothing_that_may_have_been_counted() -> None:
    for kept in (b"", b"\xff", begun(replace(SHIFT, number=16)).to_bytes()):
        it = watched(watch(SHIFT, kept, 0.0), SHIFT, told(900, 900), 10.0)
        assert it.evidence.bets[0].pair.candidate.total == 0
        it = watched(it, SHIFT, told(1_000, 900), 20.0)
        assert it.evidence.bets[0].pair.candidate.total == 100


def test_other_guards_begin_anew_but_count_nothing_twice() -> None:
    it = watched(begun(), SHIFT, told(200, 0), 10.0)
    other = replace(SHIFT, guards=parse_guards(["errors:2x"]))
    it = watched(it, other, told(200, 0), 11.0)
    it = watched(it, other, told(300, 0), 21.0)
    assert it.evidence.bets[0].pair.candidate.total == 100
