"""Buckets change hands as little as they can: half the L1 distance of the shares, whatever came before."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.model import Buckets
from controlplane.planning.buckets import Moved, moved, packed, repacked, shares_of
from lightbulb.model import BASIS_POINTS

Shares = Mapping[int, int]


def of(*ranges: tuple[int, int, int]) -> tuple[Buckets[int], ...]:
    return tuple(Buckets(begin=begin, end=end, owner=owner) for begin, end, owner in ranges)


def owners(ranges: Sequence[Buckets[int]]) -> list[int]:
    """Return the owner of each bucket."""
    return [each.owner for each in ranges for _ in range(each.begin, each.end)]


@st.composite
def shares(draw: st.DrawFn, cells: int = 6) -> Shares:
    """Draw which of some cells there are, and how many buckets each has; some may have none."""
    numbers = draw(st.sets(st.integers(1, cells), min_size=1))
    points = st.integers(0, BASIS_POINTS) | st.integers(0, 20).map(lambda twentieth: twentieth * 500)
    cuts = sorted(draw(st.lists(points, min_size=len(numbers) - 1, max_size=len(numbers) - 1)))
    ends = [*cuts, BASIS_POINTS]
    begins = [0, *cuts]
    return {number: end - begin for number, begin, end in zip(sorted(numbers), begins, ends, strict=True)}


def with_some(share: Shares) -> Shares:
    return {owner: count for owner, count in share.items() if count}


@given(st.lists(shares(), min_size=2, max_size=12))
def test_a_chain_of_weights_moves_only_who_must_move(chain: list[Shares]) -> None:
    ranges = packed(chain[0])
    for before, after in pairwise(chain):
        old, ranges = ranges, repacked(ranges, after)
        assert shares_of(ranges) == with_some(after)
        assert [each.begin for each in ranges] == [0, *(each.end for each in ranges[:-1])]
        assert ranges[-1].end == BASIS_POINTS
        assert all(one.owner != other.owner for one, other in pairwise(ranges))
        numbers = before.keys() | after.keys()
        distance = sum(abs(before.get(each, 0) - after.get(each, 0)) for each in numbers)
        changed = [pair for pair in zip(owners(old), owners(ranges), strict=True) if pair[0] != pair[1]]
        assert len(changed) * 2 == distance
        assert not any(after.get(owner, 0) >= before[owner] for owner, _ in changed), "it may stay"
        assert {(each.source, each.target): each.count for each in moved(old, ranges)} == {
            pair: changed.count(pair) for pair in set(changed)
        }
        cells = len(numbers)
        assert len(ranges) <= 2 * cells * cells, "it falls to pieces"


@given(shares(), shares())
def test_where_an_owner_stands_in_the_file_makes_no_difference(before: Shares, after: Shares) -> None:
    turned = dict(reversed(after.items()))
    assert repacked(packed(before), after) == repacked(packed(before), turned)
    assert packed(before) == packed(dict(reversed(before.items())))


@given(shares())
def test_the_same_shares_move_nobody(share: Shares) -> None:
    assert repacked(packed(share), share) == packed(share)
    assert moved(packed(share), packed(share)) == ()


def test_shares_are_packed_in_the_order_of_their_owners() -> None:
    assert packed({3: 2_000, 1: 8_000, 2: 0}) == of((0, 8_000, 1), (8_000, 10_000, 3))


def test_a_ramp_of_two_treatments_takes_from_the_control_alone() -> None:
    ranges = packed({1: 8_000, 2: 1_000, 3: 1_000})
    ramped = repacked(ranges, {1: 6_000, 2: 2_000, 3: 2_000})
    assert moved(ranges, ramped) == (
        Moved(source=1, target=2, count=1_000),
        Moved(source=1, target=3, count=1_000),
    )


@pytest.mark.parametrize(
    ("before", "after", "wanted"),
    [
        ({1: 5_000, 2: 5_000}, {1: 2_500, 2: 7_500}, of((0, 2_500, 1), (2_500, 10_000, 2))),
        ({1: 5_000, 2: 3_000, 3: 2_000}, {1: 5_000, 2: 5_000}, of((0, 5_000, 1), (5_000, 10_000, 2))),
        ({1: 2_000, 2: 6_000, 3: 2_000}, {1: 8_000, 3: 2_000}, of((0, 8_000, 1), (8_000, 10_000, 3))),
        ({1: 9_000, 2: 1_000}, {1: 8_000, 2: 1_000, 3: 1_000}, None),
    ],
    ids=["a border moves", "a cell that leaves joins its neighbour", "a middle one too", "a newcomer"],
)
def test_ranges_stay_few(before: Shares, after: Shares, wanted: tuple[Buckets[int], ...] | None) -> None:
    ranges = repacked(packed(before), after)
    assert len(ranges) == len(after)
    assert wanted is None or ranges == wanted


def test_a_range_between_two_of_the_one_that_grows_closes_the_gap() -> None:
    ranges = of((0, 4_000, 1), (4_000, 5_000, 2), (5_000, 9_000, 1), (9_000, 10_000, 2))
    assert repacked(ranges, {1: 9_000, 2: 1_000}) == of((0, 9_000, 1), (9_000, 10_000, 2))
