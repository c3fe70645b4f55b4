"""The bet of a guard: fair in each interval, and what a verdict says of it."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.lifecycle import evidence as module
from controlplane.lifecycle.bins import Latencies
from controlplane.lifecycle.counters import Ledger, Sum
from controlplane.lifecycle.evidence import ODDS, Evidence, Wealth, begin, observe
from controlplane.lifecycle.evidence_codec import evidence_from_bytes, evidence_to_bytes
from controlplane.lifecycle.figures import NO_FIGURES, Arms, Counts, Interval
from controlplane.lifecycle.guards import Guards, parse_guards
from controlplane.lifecycle.judging import judge
from controlplane.lifecycle.verdict import Outcome, Verdict, percent, worst

shares = st.floats(0.0, 1.0)
counts = st.integers(0, 100_000)


def arms(candidate: int, bad: int, control: int = 0, control_bad: int = 0) -> Arms:
    return Arms(
        candidate=Counts(requests=candidate, bad=bad), control=Counts(requests=control, bad=control_bad)
    )


def after(guards: Guards, *intervals: Arms, evidence: Evidence | None = None, step: int = 0) -> Evidence:
    evidence = evidence or begin(guards, 17)
    for each in intervals:
        evidence = observe(guards, evidence, Interval(arms=each, reporting=10, live=10), step=step)
    return evidence


def only(guards: Guards, evidence: Evidence) -> Verdict:
    (verdict,) = judge(guards, evidence)
    return verdict


def wealth_of(evidence: Evidence) -> float:
    return math.exp(evidence.bets[0].wealth.log_evidence)


@given(share=shares, expected=shares, scale=st.floats(1.0, 5_000.0))
def test_a_bet_is_fair_and_never_loses_all(share: float, expected: float, scale: float) -> None:
    paid = module._paid(share, expected, scale)
    won, lost = module._paid(1.0, expected, scale), module._paid(0.0, expected, scale)
    for odds, factor, up, down in zip(ODDS, paid, won, lost, strict=True):
        stake = (odds - 1) * scale
        assert 1 / (1 + stake) <= factor * 1.000001 <= (1 + stake) * 1.000002
        assert expected * up + (1 - expected) * down == pytest.approx(1.0)
        assert factor == pytest.approx(1 + stake / (1 + stake * expected) * (share - expected), abs=1e-6)


@pytest.mark.parametrize("odds", [0, 3, 7])
def test_with_one_failure_an_interval_it_is_the_likelihood_ratio(odds: int) -> None:
    expected, times = 0.2, ODDS[odds]
    by_theory = times / (1 + (times - 1) * expected)
    assert module._paid(1.0, expected, 1.0)[odds] == pytest.approx(by_theory)


@pytest.mark.parametrize("before", [0, 1, 30])
@pytest.mark.parametrize(("text", "expected"), [("errors:1x", 0.25), ("errors:2x", 0.4)])
def test_the_wealth_of_all_bets_is_on_average_what_it_was(text: str, expected: float, before: int) -> None:
    guards = parse_guards([text])
    now = after(guards, *[arms(100, 1, 300, 2)] * before)
    won = wealth_of(after(guards, arms(100, 1, 300, 0), evidence=now))
    lost = wealth_of(after(guards, arms(100, 0, 300, 1), evidence=now))
    assert expected * won + (1 - expected) * lost == pytest.approx(wealth_of(now))


def test_the_wealth_against_a_bound_is_on_average_what_it_was() -> None:
    guards = parse_guards(["errors:0.1%"])
    won, lost = wealth_of(after(guards, arms(1, 1))), wealth_of(after(guards, arms(1, 0)))
    assert 0.001 * won + 0.999 * lost == pytest.approx(1.0)


@given(st.lists(st.tuples(counts, counts, counts, counts), max_size=20))
def test_whatever_is_counted_there_is_evidence(figures: list[tuple[int, int, int, int]]) -> None:
    guards = parse_guards(["errors:1x", "errors:0.01%"])
    evidence = after(guards, *(arms(*each) for each in figures))
    for bets in evidence.bets:
        assert sum(bets.wealth.parts) == pytest.approx(1.0)
        assert min(bets.wealth.parts) > 0
        assert bets.wealth.log_peak >= bets.wealth.log_evidence
    assert len(judge(guards, evidence)) == 2


@pytest.mark.parametrize("start", [-1e9, 1e9])
def test_years_of_intervals_overflow_nothing(start: float) -> None:
    guards = parse_guards(["errors:1x"])
    evidence = after(guards, arms(200, 1, 300, 1))
    wealth = Wealth(log_evidence=start, log_peak=start, intervals=10**9)
    bets = replace(evidence.bets[0], wealth=wealth)
    evidence = after(guards, arms(100, 1, 300, 3), evidence=replace(evidence, bets=(bets,)))
    assert evidence.bets[0].wealth.log_evidence == pytest.approx(start)
    assert only(guards, evidence).outcome is (Outcome.BREACH if start > 0 else Outcome.FINE)


@pytest.mark.parametrize(
    ("text", "nothing"),
    [
        ("errors:1.25x", arms(0, 0)),
        ("errors:1.25x", arms(500, 0, 9_500, 0)),  # requests, and none that failed
        ("errors:1.25x", arms(0, 0, 10_000, 20)),  # none for the candidate
        ("errors:1.25x", arms(10_000, 20)),  # none for the control
        ("errors:1%", arms(0, 0, 10_000, 20)),
        ("p99:250ms", arms(500, 20, 9_500, 20)),  # no histogram yet
    ],
)
def test_an_interval_without_events_changes_no_bet(text: str, nothing: Arms) -> None:
    guards = parse_guards([text])
    before = after(guards, arms(500, 2, 9_500, 3))
    assert wealth_of(after(guards, nothing, evidence=before)) == pytest.approx(wealth_of(before))


def test_silence_is_no_verdict_however_long() -> None:
    guards = parse_guards(["errors:1.25x"])
    verdict = only(guards, after(guards, *[NO_FIGURES] * 500))
    assert verdict.outcome is Outcome.NONE
    assert str(verdict) == "errors: 0 of 100 requests since the step"


def test_a_step_wants_a_sample_of_its_own_and_keeps_the_evidence() -> None:
    guards = parse_guards(["errors:1.25x"], min_sample=500)
    first = after(guards, arms(500, 1, 9_500, 10))
    assert only(guards, first).outcome is Outcome.FINE
    second = after(guards, arms(400, 1, 1_600, 2), evidence=first, step=1)
    assert str(only(guards, second)) == "errors: 400 of 500 requests since the step"
    assert second.bets[0].pair.candidate.total == 900


def test_a_relative_guard_wants_a_sample_of_the_control_too() -> None:
    guards = parse_guards(["errors:1.25x"])
    assert (
        str(only(guards, after(guards, arms(950, 1, 50, 0)))) == "errors: 50 of 100 requests of the control"
    )


def test_a_breach_says_its_figures_and_stays_one() -> None:
    guards = parse_guards(["errors:1.25x"], alpha=0.005)
    evidence = after(guards, *[arms(520, 7, 9_880, 10)] * 6)
    verdict = only(guards, evidence)
    assert verdict.outcome is Outcome.BREACH
    assert str(verdict) == "errors: 42 of 3,120 (1.35 %) against 60 of 59,280 (0.10 %), e = 1,485 ≥ 200"
    later = after(guards, *[arms(520, 0, 9_880, 50)] * 50, evidence=evidence)
    assert only(guards, later).outcome is Outcome.BREACH
    assert later.bets[0].wealth.log_evidence < math.log(200)


def test_a_small_sample_delays_a_breach() -> None:
    guards = parse_guards(["errors:1.25x"], min_sample=100)
    evidence = after(guards, *[arms(9, 5, 900, 0)] * 11)
    assert evidence.bets[0].wealth.log_peak > math.log(100)
    assert only(guards, evidence).outcome is Outcome.NONE
    assert only(guards, after(guards, arms(9, 5, 900, 0), evidence=evidence)).outcome is Outcome.BREACH


def test_guards_share_alpha() -> None:
    one = parse_guards(["errors:1.25x"], alpha=0.02)
    two = parse_guards(["errors:1.25x", "p99:250ms"], alpha=0.02)
    figures = [arms(520, 7, 9_880, 10)] * 4
    assert "e = 72 ≥ 50" in only(one, after(one, *figures)).text
    assert "e = 72 < 100" in judge(two, after(two, *figures))[0].text


@pytest.mark.parametrize(
    ("text", "figures", "catastrophe"),
    [
        ("errors:1.25x", arms(60, 45, 1_140, 3), True),
        ("errors:1.25x", arms(50, 50, 1_140, 3), True),
        ("errors:1.25x", arms(49, 49, 1_140, 3), False),  # too few
        ("errors:1.25x", arms(60, 30, 1_140, 3), False),  # half
        ("errors:1.25x", arms(60, 45, 1_140, 114), False),  # the control, too
        ("errors:1.25x", arms(60, 45, 9, 0), False),  # nothing to compare with
        ("errors:1%", arms(60, 45), True),
        ("errors:1%", arms(60, 45, 1_140, 114), False),
        ("p99:250ms", arms(60, 45, 1_140, 3), False),  # looks at something else
    ],
)
def test_a_catastrophe_needs_one_interval_and_no_statistics(
    text: str, figures: Arms, catastrophe: bool
) -> None:
    guards = parse_guards([text], min_sample=10_000)
    evidence = after(guards, figures, arms(500, 0, 9_500, 0))  # it stays one
    assert (only(guards, evidence).outcome is Outcome.CATASTROPHE) is catastrophe


def test_a_catastrophe_says_what_one_interval_brought() -> None:
    guards = parse_guards(["errors:1.25x"])
    verdict = only(guards, after(guards, arms(500, 0, 9_500, 9), arms(60, 45, 1_140, 3)))
    assert str(verdict) == "errors: 45 of 60 (75.0 %) against 3 of 1,140 (0.26 %), in one interval"


@pytest.mark.parametrize(
    ("reporting", "live", "outcome"),
    [(10, 10, Outcome.FINE), (8, 10, Outcome.FINE), (7, 10, Outcome.BLIND), (0, 1, Outcome.BLIND)],
)
def test_without_figures_of_more_than_a_fifth_of_the_sidecars_it_is_blind(
    reporting: int, live: int, outcome: Outcome
) -> None:
    guards = parse_guards(["errors:1.25x"])
    seen = after(guards, arms(500, 0, 9_500, 10))
    now = observe(guards, seen, Interval(reporting=reporting, live=live), step=0)
    verdict = only(guards, now)
    assert verdict.outcome is outcome
    if outcome is Outcome.BLIND:
        assert str(verdict) == f"errors: no figures from {live - reporting} of {live} sidecars"
        assert now.blind == 1
        assert observe(guards, now, Interval(reporting=reporting, live=live), step=0).blind == 2
    assert only(guards, after(guards, NO_FIGURES, evidence=now)).outcome is Outcome.FINE


def test_what_a_blind_guard_does_see_counts_and_undoes() -> None:
    guards = parse_guards(["errors:1.25x"])
    interval = Interval(arms=arms(60, 45, 1_140, 3), reporting=1, live=10)
    assert only(guards, observe(guards, begin(guards, 1), interval, step=0)).outcome.undoes


def took(candidate: Latencies, control: Latencies) -> Arms:
    return Arms(candidate=Counts(latencies=candidate), control=Counts(latencies=control))


def latencies(total: int, slow: int, slow_at: int, usual: int = 100_000) -> Latencies:
    return Latencies.of([(usual, total - slow), (slow_at, slow)])


def test_a_latency_against_a_bound_is_a_share_of_slow_requests() -> None:
    guards = parse_guards(["p99:250ms"])
    fine = took(latencies(500, 5, 400_000), Latencies())
    slow = took(latencies(500, 30, 400_000), Latencies())
    assert only(guards, after(guards, *[fine] * 50)).outcome is Outcome.FINE
    verdict = only(guards, after(guards, *[slow] * 8))
    assert verdict.outcome is Outcome.BREACH
    assert verdict.text.startswith("p99: 240 of 4,000 (6.00 %) took 250ms or longer, bound 1.00 %, e = ")


def test_a_relative_latency_learns_what_is_slow_of_the_control_and_keeps_to_it() -> None:
    guards = parse_guards(["p99:1.2x"])
    usual = took(latencies(100, 1, 200_000), latencies(1_900, 19, 200_000))
    learning = after(guards, usual, usual)
    assert str(only(guards, learning)) == "p99: learns what is slow: 3,800 of 5,000 requests of the control"
    learnt = after(guards, usual, evidence=learning)
    # The control's p99 is at the end of the bin of 100 ms, which is 110 ms.
    assert learnt.bets[0].threshold == 140_000
    slower = took(latencies(100, 40, 900_000), latencies(1_900, 900, 900_000))
    assert after(guards, *[slower] * 9, evidence=learnt).bets[0].threshold == 140_000


@pytest.mark.parametrize(
    ("candidate", "control", "outcome"),
    [
        ((500, 40), (9_500, 90), Outcome.BREACH),  # slower than the control, and than its p99 was
        ((500, 40), (9_500, 760), Outcome.FINE),  # both are slower than they were: the hour's doing
        ((500, 5), (9_500, 20), Outcome.FINE),  # slower than the control, but within the margin
        ((500, 40), (9_500, 0), Outcome.BREACH),
        ((5_000, 400), (5_000, 230), Outcome.BREACH),  # both are slower, the candidate most of all
    ],
)
def test_a_relative_latency_is_breached_beyond_its_margin_and_not_by_the_hour(
    candidate: tuple[int, int], control: tuple[int, int], outcome: Outcome
) -> None:
    guards = parse_guards(["p99:1.2x"])
    usual = took(latencies(500, 5, 200_000), latencies(9_500, 94, 200_000))
    now = took(latencies(*candidate, 400_000), latencies(*control, 400_000))
    evidence = after(guards, usual, *[now] * 60)
    verdict = only(guards, evidence)
    assert verdict.outcome is outcome
    assert " against " in verdict.text


def test_agreement_is_a_share_too_and_may_be_anything_from_0_to_1() -> None:
    guards = parse_guards(["agreement:0.9"])
    agrees = Arms(candidate=Counts(compared=200, disagreed=15.5))
    differs = Arms(candidate=Counts(compared=200, disagreed=60.5))
    assert only(guards, after(guards, *[agrees] * 60)).outcome is Outcome.FINE
    verdict = only(guards, after(guards, *[differs] * 12))
    assert verdict.outcome is Outcome.BREACH
    assert verdict.text.startswith("agreement: disagreement 726 of 2,400 (30.2 %), bound 10.0 %, e = ")


def test_who_was_fine_for_a_day_is_found_out_all_the_same() -> None:
    guards = parse_guards(["errors:1.25x"])
    day = after(guards, *[arms(2_500, 3, 7_500, 8)] * 8_640)
    assert only(guards, day).outcome is Outcome.FINE
    worse = after(guards, *[arms(2_500, 8, 7_500, 8)] * 60, evidence=day)
    assert only(guards, worse).outcome is Outcome.BREACH  # without what is kept back it takes hours


def test_the_worst_verdict_counts() -> None:
    found = [
        only(parse_guards(["errors:1%"]), after(parse_guards(["errors:1%"]), figures))
        for figures in (arms(500, 0), NO_FIGURES, arms(60, 45))
    ]
    assert [each.outcome for each in found] == [Outcome.FINE, Outcome.NONE, Outcome.CATASTROPHE]
    assert worst(found) is found[2]
    assert worst(found[:2]) is found[1]
    assert worst(()) is None


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.0, "0 %"), (0.0131, "1.31 %"), (0.001, "0.10 %"), (0.000052, "0.0052 %"), (0.523, "52.3 %")],
)
def test_a_share_is_told_to_two_digits(share: float, text: str) -> None:
    assert percent(share) == text


def test_evidence_is_read_as_it_was_written_with_its_ledger() -> None:
    guards = parse_guards(["errors:1.25x", "p99:1.2x", "p95:80ms"])
    usual = took(latencies(100, 1, 200_000), latencies(1_900, 19, 200_000))
    evidence = after(guards, arms(60, 45, 1_140, 3), usual, step=2)
    ledger = Ledger(sums=(Sum(sender="r", epoch=3, arms=usual),), forgotten=True)
    assert evidence_from_bytes(evidence_to_bytes(evidence, ledger)) == (evidence, ledger)
