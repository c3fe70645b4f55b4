"""Who has which of 10,000 buckets, and how they change hands when shares change. Pure.

Shares without a memory can't change with the fewest moves: with three owners there is no rule from shares to
ranges that keeps everybody who could stay. So the ranges themselves are what is remembered, and new ones are
made of the old: an owner that grows keeps all it has, one that shrinks gives only what is too much. That is
half the L1 distance of the shares, the least that there can be.

Which buckets are given is free, and chosen so that the ranges stay few.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Generic

from controlplane.model import Buckets, Owner


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved(Generic[Owner]):
    """So many buckets went from one owner to another."""

    source: Owner
    target: Owner
    count: int


def packed(shares: Mapping[Owner, int]) -> tuple[Buckets[Owner], ...]:
    """Return one range for each owner that has a share, in their order."""
    return _ranges((shares[owner], owner) for owner in sorted(shares))


def repacked(ranges: Sequence[Buckets[Owner]], shares: Mapping[Owner, int]) -> tuple[Buckets[Owner], ...]:
    """Return ranges of the new shares in which the fewest buckets have another owner than in `ranges`.

    `ranges` divide all buckets, and the shares add up to as many.
    """
    return _ranges(_Repacking(ranges, shares).run())


def moved(old: Iterable[Buckets[Owner]], new: Iterable[Buckets[Owner]]) -> tuple[Moved[Owner], ...]:
    """Return who gave how many buckets to whom, sorted; both sides divide the same buckets."""
    counts: dict[tuple[Owner, Owner], int] = {}
    before, after = iter(old), iter(new)
    one, other = next(before, None), next(after, None)
    while one is not None and other is not None:
        if one.owner != other.owner:
            pair = one.owner, other.owner
            both = min(one.end, other.end) - max(one.begin, other.begin)
            counts[pair] = counts.get(pair, 0) + both
        end = min(one.end, other.end)
        one = next(before, None) if one.end == end else one
        other = next(after, None) if other.end == end else other
    return tuple(Moved(source=pair[0], target=pair[1], count=counts[pair]) for pair in sorted(counts))


def shares_of(ranges: Iterable[Buckets[Owner]]) -> Mapping[Owner, int]:
    """Return how many buckets each owner has."""
    shares: dict[Owner, int] = {}
    for each in ranges:
        shares[each.owner] = shares.get(each.owner, 0) + each.end - each.begin
    return shares


def _ranges(runs: Iterable[tuple[int, Owner]]) -> tuple[Buckets[Owner], ...]:
    result, begin = [], 0
    for length, owner in runs:
        if length:
            result.append(Buckets(begin=begin, end=begin + length, owner=owner))
        begin += length
    return tuple(result)


class _Repacking(Generic[Owner]):
    """Gives what is too much to those who lack it, by the way that leaves the fewest ranges.

    Ties are broken from left to right, then by owner, so that the same ranges come of the same.
    """

    def __init__(self, ranges: Sequence[Buckets[Owner]], shares: Mapping[Owner, int]) -> None:
        self._runs: list[tuple[int, Owner]] = [(each.end - each.begin, each.owner) for each in ranges]
        self._excess: dict[Owner, int] = {owner: -share for owner, share in shares.items()}
        """What an owner has too much; below zero, what it lacks."""
        for length, owner in self._runs:
            self._excess[owner] = self._excess.get(owner, 0) + length

    def run(self) -> Sequence[tuple[int, Owner]]:
        while any(self._excess.values()):
            if not (self._fill_gaps() or self._swallow() or self._push() or self._hand_over()):
                self._cut()
            self._join()
        return self._runs

    def _gives(self, place: int) -> int:
        """Return how much of the run at `place` may go; 0 beyond the ends."""
        if not 0 <= place < len(self._runs):
            return 0
        length, owner = self._runs[place]
        return min(length, max(self._excess[owner], 0))

    def _takes(self, place: int) -> int:
        """Return how much the owner of the run at `place` lacks; 0 beyond the ends."""
        if not 0 <= place < len(self._runs):
            return 0
        return max(-self._excess[self._runs[place][1]], 0)

    def _give(self, place: int, amount: int, target: Owner) -> None:
        """Note that `amount` of the run at `place` is another's; the caller changes the runs."""
        self._excess[self._runs[place][1]] -= amount
        self._excess[target] += amount

    def _whole(self, place: int) -> int:
        """Return the length of a run that may go as a whole; else 0."""
        length = self._runs[place][0]
        return length if self._gives(place) == length else 0

    def _fill_gaps(self) -> bool:
        """Give runs between two of one owner to it: two ranges fewer each."""
        found = False
        for place in range(1, len(self._runs) - 1):
            length, owner = self._whole(place), self._runs[place - 1][1]
            if length and owner == self._runs[place + 1][1] and self._takes(place - 1) >= length:
                self._give_whole(place, owner)
                found = True
        return found

    def _swallow(self) -> bool:
        """Give runs to a neighbour: a range fewer each."""
        found = False
        for place in range(len(self._runs)):
            for beside in (place - 1, place + 1):
                length = self._whole(place)
                if length and self._takes(beside) >= length:
                    self._give_whole(place, self._runs[beside][1])
                    found = True
        return found

    def _push(self) -> bool:
        """Move the borders between those who give and those who take: as many ranges as before."""
        found = False
        for place in range(len(self._runs)):
            for beside in (place - 1, place + 1):
                amount = min(self._gives(place), self._takes(beside))
                if amount:
                    taker = self._runs[beside][1]
                    self._give(place, amount, taker)
                    self._lengthen(place, -amount)
                    self._lengthen(beside, amount)
                    found = True
        return found

    def _hand_over(self) -> bool:
        """Give the longest run that may go as a whole: as many ranges as before."""
        takers = self._takers()
        most = -self._excess[takers[0]]
        fitting = [place for place in range(len(self._runs)) if 0 < self._whole(place) <= most]
        if fitting:
            self._give_whole(max(fitting, key=self._whole), takers[0])
        return bool(fitting)

    def _cut(self) -> None:
        """Cut what is too much off a run, for one that isn't beside it: a range more."""
        place = max(range(len(self._runs)), key=self._gives)
        taker = self._takers()[0]
        length, owner = self._runs[place]
        amount = min(self._gives(place), -self._excess[taker])
        self._give(place, amount, taker)
        pieces = [(length - amount, owner), (amount, taker)]
        self._runs[place : place + 1] = pieces if place else pieces[::-1]

    def _takers(self) -> Sequence[Owner]:
        """Return those who lack some, who lacks most first."""
        lacking = [owner for owner, excess in self._excess.items() if excess < 0]
        return sorted(lacking, key=lambda owner: (self._excess[owner], owner))

    def _give_whole(self, place: int, taker: Owner) -> None:
        length = self._runs[place][0]
        self._give(place, length, taker)
        self._runs[place] = (length, taker)

    def _lengthen(self, place: int, amount: int) -> None:
        length, owner = self._runs[place]
        self._runs[place] = (length + amount, owner)

    def _join(self) -> None:
        """Make one run of those that are beside each other and have one owner."""
        self._runs = list(_joined(run for run in self._runs if run[0]))


def _joined(runs: Iterable[tuple[int, Owner]]) -> Iterator[tuple[int, Owner]]:
    for owner, same in groupby(runs, key=lambda run: run[1]):
        yield sum(length for length, _ in same), owner
