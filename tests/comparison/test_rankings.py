"""Measures of two rankings, against their definitions and against cases that can be worked out by hand."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.comparison.rankings import Agreements, compare
from lightbulb.comparison.answers import RankingAnswer
from tests.comparison.records import ranking
from tests.depth import examples


def of(one: RankingAnswer, other: RankingAnswer) -> Agreements:
    return compare([one], [other])


def overlap_by_hand(one: Sequence[object], other: Sequence[object], p: float = 0.9) -> float:
    """Webber, Moffat and Zobel 2010, equation 32, term by term."""
    short, long = sorted((one, other), key=len)
    s, l = len(short), len(long)  # noqa: E741 - the paper's names
    if not l:
        return 1.0
    if not s:
        return 0.0

    def x(d: int) -> int:
        return len({*short[:d]} & {*long[:d]})

    seen = sum(x(d) / d * p**d for d in range(1, l + 1))
    beyond = sum(x(s) * (d - s) / (s * d) * p**d for d in range(s + 1, l + 1))
    return (1 - p) / p * (seen + beyond) + ((x(l) - x(s)) / l + x(s) / s) * p**l


def correlations_by_hand(one: RankingAnswer, other: RankingAnswer) -> tuple[float, float]:
    """Tau-b and rho of the items in common, by all pairs of them."""
    common = [item for item in one.ids if item in other.ids]
    ranks = [[_rank(each, item) for item in common] for each in (one, other)]
    agreeing = tied_one = tied_other = 0
    for a, b in itertools.combinations(range(len(common)), 2):
        signs = [np.sign(side[a] - side[b]) for side in ranks]
        agreeing += signs[0] * signs[1]
        tied_one, tied_other = tied_one + (signs[0] == 0), tied_other + (signs[1] == 0)
    pairs = math.comb(len(common), 2)
    scale = math.sqrt((pairs - tied_one) * (pairs - tied_other))
    averages = [
        [np.mean([sum(r < x for r in side), sum(r <= x for r in side) - 1]) for x in side] for side in ranks
    ]
    tau = agreeing / scale if scale else math.nan
    return tau, float(np.corrcoef(*averages)[0, 1]) if scale else math.nan


def _rank(answer: RankingAnswer, item: object) -> int:
    place = answer.ids.index(item)
    while place and answer.scores and answer.scores[place - 1] == answer.scores[place]:
        place -= 1
    return place


@st.composite
def rankings(draw: st.DrawFn) -> RankingAnswer:
    ids = draw(st.lists(st.integers(0, 12), max_size=9, unique=True))
    if not draw(st.booleans()):
        return ranking(*ids)
    return ranking(
        *ids, scores=sorted(draw(st.lists(st.integers(0, 4), min_size=len(ids), max_size=len(ids))))
    )


@settings(max_examples=examples(200))
@given(pairs=st.lists(st.tuples(rankings(), rankings()), min_size=1, max_size=8))
def test_many_at_once_are_measured_as_each_is_by_its_definition(pairs) -> None:
    found = compare([one for one, _ in pairs], [other for _, other in pairs])
    for row, (one, other) in enumerate(pairs):
        tau, rho = correlations_by_hand(one, other)
        assert found.overlap[row] == pytest.approx(overlap_by_hand(one.ids, other.ids))
        assert found.tau[row] == pytest.approx(tau, nan_ok=True)
        assert found.rho[row] == pytest.approx(rho, nan_ok=True)


def test_agreement_at_a_depth_is_the_share_in_common() -> None:
    found = of(ranking(1, 2, 3, 4, 5, 6), ranking(2, 1, 9, 8, 5, 7))
    assert found.at[0].tolist() == [0.0, 0.6, pytest.approx(3 / 6), pytest.approx(3 / 6)]


def test_the_same_lists_agree_and_disjoint_ones_do_not() -> None:
    same, none = of(ranking(1, 2, 3), ranking(1, 2, 3)), of(ranking(1, 2), ranking(3, 4))
    assert (same.overlap[0], same.tau[0], same.rho[0]) == (pytest.approx(1.0), 1.0, pytest.approx(1.0))
    assert (none.overlap[0], none.at[0].tolist()) == (0.0, [0.0] * 4)
    assert np.isnan([none.tau[0], none.rho[0]]).all()
    assert of(ranking(1, 2, 3), ranking(3, 2, 1)).tau[0] == -1.0


def test_empty_lists_agree_with_each_other_and_with_no_other() -> None:
    found = compare([ranking(), ranking(), ranking(1)], [ranking(), ranking(1), ranking()])
    assert found.overlap.tolist() == [1.0, 0.0, 0.0]
    assert found.at[:, 3].tolist() == [1.0, 0.0, 0.0]
    assert np.isnan(found.tau).all()


def test_a_list_of_another_length_is_taken_to_go_on_as_it_was() -> None:
    assert of(ranking(1, 2, 3), ranking(1, 2, 3, 4, 5)).overlap[0] == pytest.approx(1.0)
    assert of(ranking(1), ranking(1, 2, 3, 4)).at[0].tolist() == [1.0, 0.25, 0.25, 0.25]


def test_equal_scores_are_ties_and_what_is_no_number_is_none() -> None:
    tied, strict = ranking(1, 2, 3, scores=(0.5, 0.5, 0.1)), ranking(2, 1, 3, scores=(0.9, 0.8, 0.1))
    assert of(tied, strict).tau[0] == pytest.approx(2 / math.sqrt(2 * 3))
    nans = ranking(1, 2, 3, scores=(math.nan,) * 3)
    assert of(nans, strict).tau[0] == pytest.approx(1 / 3)
    assert np.isnan(of(nans, strict).scores[0]).all()


def test_an_item_that_is_there_twice_counts_at_its_first_place() -> None:
    assert of(ranking(1, 1, 2, scores=(3, 2, 1)), ranking(1, 2)).overlap[0] == pytest.approx(1.0)


def test_a_number_and_its_text_are_two_items_and_large_numbers_are_told_apart() -> None:
    assert of(ranking(5), ranking("5")).overlap[0] == 0.0
    assert of(ranking(2**64, 2**64 + 1), ranking(2**64, 2**64 + 1)).overlap[0] == pytest.approx(1.0)
    assert of(ranking(-1), ranking()).overlap[0] == 0.0
    assert of(ranking(3, -1), ranking(3)).at[0, 3] == 0.5
