"""Which records make a pair, and what becomes of those that don't."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controlplane.comparison.gathering import Gathered, Gathering, TooManyShadows
from controlplane.comparison.pairs import Kind, counts_of
from controlplane.comparison.reporting import make_reports
from lightbulb.comparison.answers import BytesAnswer
from lightbulb.comparison.record import Record
from tests.comparison.records import pair, ranking, record, score, shadows


def gathered(*requests: tuple[Record, ...], outcomes=None, only: tuple[str, ...] = ()) -> dict[str, Gathered]:
    gathering = Gathering(outcomes or {}, only)
    for records in requests:
        gathering.add(records)
    gathering.finish()
    return dict(gathering.each)


def request(number: int, **changes) -> Record:
    return record(request=f"r-{number}", user=f"{number:016x}", **changes)


def test_both_sides_of_a_request_are_a_pair_and_one_alone_is_counted_by_its_side() -> None:
    one, two, three = map(request, range(3))
    counted = gathered((one, shadows(one)), (two,), (shadows(three),))["s1"].counted
    assert (counted.sent, counted.arrived, counted.pairs) == (2, 2, 1)
    assert (counted.alone_primary, counted.alone_shadow) == (1, 1)


def test_a_record_that_is_there_twice_counts_once() -> None:
    one = request(1)
    answered_again = shadows(one, answer=ranking(9))
    found = gathered((one, shadows(one), replace(one, answer=ranking(8)), answered_again))["s1"]
    assert (found.counted.pairs, found.counted.repeated) == (1, 2)
    assert found.totals.means[:, 0].sum(axis=0).tolist() == [pytest.approx(1.0), 1.0]


def test_requests_whose_ids_only_hash_alike_are_kept_apart() -> None:
    one, two = request(1), request(2)
    counted = gathered((one, shadows(two)))["s1"].counted
    assert (counted.pairs, counted.alone_primary, counted.alone_shadow) == (0, 1, 1)


def test_tests_and_replays_are_left_out() -> None:
    one = request(1, traffic="test")
    counted = gathered((one, shadows(one)))["s1"].counted
    assert (counted.not_live, counted.pairs, counted.sent) == (1, 0, 0)


def test_several_shadows_of_a_request_are_compared_each_with_the_primary() -> None:
    one = request(1, shadows=("s1", "s2"))
    found = gathered((one, shadows(one), shadows(one, shadows=("s2",), answer=ranking(7))))
    assert {shadow: each.counted.pairs for shadow, each in found.items()} == {"s1": 1, "s2": 1}
    assert gathered((one, shadows(one)), only=("s2",)).keys() == {"s2"}


def test_more_shadows_than_are_compared_at_a_time_are_refused() -> None:
    with pytest.raises(TooManyShadows, match="more than 16 shadows, for example s0"):
        gathered((request(1, shadows=tuple(f"s{number}" for number in range(17))),))


def test_a_shadow_of_the_primarys_own_model_is_the_noise_floor() -> None:
    """Of 40 users each, the shadow's answers are as far off as the floor's, and so it agrees."""
    requests = []
    for number in range(40):
        one = request(number, shadows=("s1", "s0"))
        other = ranking(2, 1, 3)
        floor = shadows(one, shadows=("s0",), model="ranker@1", answer=other)
        requests.append((one, shadows(one, answer=other), floor))
    (report,) = make_reports(gathered(*requests), least=0.99)
    agreement = report.lines[0]
    assert (report.shadow, report.floor, report.verdict.word) == ("s1", "s0", "agrees")
    assert agreement.floor is not None
    assert agreement.candidate.value == agreement.floor.value < 0.99
    assert "less the noise floor's is 0.000" in report.verdict.why


def test_a_shadow_that_fails_agrees_in_nothing_and_a_primary_that_fails_is_left_out() -> None:
    one, two, three = map(request, range(3))
    (report,) = make_reports(
        gathered(
            (one, shadows(one)),
            (two, shadows(two, status="INTERNAL", answer=None)),
            (replace(three, status="INTERNAL", answer=None), shadows(three)),
        ),
        least=0.9,
    )
    figures = {line.name: line for line in report.lines}
    assert (figures["agreement"].candidate.value, figures["agreement"].pairs) == (0.5, 2)
    assert figures["errors, shadow"].candidate.value == figures["errors, primary"].candidate.value
    assert (report.counted.nothing, report.verdict.word) == (1, "too few")
    assert report.verdict.missing > 0


def test_scores_agree_within_their_tolerance_and_not_when_one_is_no_number() -> None:
    nan = float("nan")
    pairs = [
        pair(score(0.5, 0.7, tolerance=0.02), score(0.51, 0.8)),
        pair(score(0.5), score(nan)),
        pair(score(nan), score(nan)),
        pair(score(0.5), score(0.5, 0.6)),
        pair(score(), score()),
        pair(score(0.5), ranking(1)),
    ]
    assert [each.kind for each in pairs] == [*[Kind.SCORE] * 5, Kind.MIXED]
    compared = counts_of(pairs)
    assert (compared.compared, compared.disagreed) == (6, pytest.approx(0.5 + 1 + 0 + 1 + 0 + 1))


def test_answers_without_a_meaning_agree_if_they_are_the_same() -> None:
    same, other = BytesAnswer(digest="ab", size=2), BytesAnswer(digest="cd", size=2)
    counts = counts_of([pair(same, same), pair(same, other)])
    assert (counts.compared, counts.disagreed) == (2, 1.0)


def test_probabilities_are_held_against_what_came_true() -> None:
    """Of 10 requests 8 came true: the primary says 0.8, which is right on average, the shadow 0.6."""
    requests, outcomes = [], {}
    for number in range(10):
        one = request(number, answer=score(0.8))
        requests.append((one, shadows(one, answer=score(0.6))))
        outcomes[one.request] = (float(number < 8),)
    (report,) = make_reports(gathered(*requests, outcomes=outcomes), least=0.9)
    figures = {line.name: line.candidate.value for line in report.lines}
    assert figures["calibration error, primary"] == pytest.approx(0.0)
    assert figures["calibration error, shadow"] == pytest.approx(0.2)
    assert figures["Brier score, primary"] == pytest.approx(0.8 * 0.04 + 0.2 * 0.64)
    assert figures["score drift"] == pytest.approx(-0.2)
    assert figures["score difference, p50"] == pytest.approx(0.2, rel=0.1)
    assert [(band.scores, band.found) for band in report.plots.calibration[1]] == [(10, pytest.approx(0.8))]


def test_the_pairs_that_agree_least_are_listed_and_failures_are_not() -> None:
    requests = []
    for number in range(30):
        one = request(number)
        answer = ranking(1, 2, 3) if number % 3 else ranking(3, 2, 1)
        failed = {"status": "INTERNAL", "answer": None} if number == 3 else {"answer": answer}
        requests.append((one, shadows(one, **failed)))
    (report,) = make_reports(gathered(*requests), least=0.9)
    assert [each.pair.primary.request for each in report.worst] == [
        f"r-{number}" for number in range(0, 30, 3) if number != 3
    ]
