"""The range of each share over all regions, and who moves between two tables. Pure.

Where there are too many regions users are counted, and a range is the interval in which their share of all
lies.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import takewhile
from typing import Generic, TypeVar

from controlplane.planning.shares.boxes import Box, Space
from controlplane.planning.shares.buckets import everybody
from controlplane.planning.shares.interval import interval
from controlplane.planning.shares.sample import Sample
from controlplane.planning.shares.steps import Outcome, Step, salts_of, steps_of
from controlplane.planning.shares.walk import MAX_LOOKS, Piece, Region, TooManyRegions, Walk
from lightbulb.model import ModelTarget, ObjectiveTable

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """The least and the most of a region's users, of all regions; `where` is one with the most.

    Of users who were counted, between what their share of an even mix of users lies.
    """

    least: Fraction
    most: Fraction
    where: Box = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TableShares:
    """The shares of one table. They are exact, or else so many users were `counted`."""

    outcomes: Mapping[Outcome, Share]
    models: Mapping[int, Share]
    counted: int
    looks: int
    space: Space


@dataclass(frozen=True, slots=True)
class Move:
    """Users who got one model, and now get another; the share of them."""

    before: ModelTarget
    after: ModelTarget
    share: Share


@dataclass(frozen=True, slots=True, kw_only=True)
class Moves:
    """Each move, the largest first, and the share of all of them together; `counted` as with one table."""

    moves: tuple[Move, ...]
    together: Share
    counted: int
    looks: int
    space: Space


NOBODY = Share(least=Fraction(0), most=Fraction(0))


def shares_of(table: ObjectiveTable, looks: int = MAX_LOOKS) -> TableShares:
    """Return the share of each outcome and each model of a table."""
    space = Space([table])
    steps = steps_of(table, space)
    walk = Walk(space, steps, looks)
    by_outcome, by_model = _Ranges[Outcome](), _Ranges[int]()
    try:
        for region in walk.regions(steps, space.everyone, walk.start):
            by_outcome.add(region, [(each.outcome, each.buckets.size) for each in region.decided])
            by_model.add(region, [(each.outcome.model, each.buckets.size) for each in region.decided])
    except TooManyRegions:
        return _counted_shares(space, steps, looks, walk)
    whole = everybody(len(salts_of(steps))).size
    outcomes = by_outcome.shares(whole)
    every = {outcome: outcomes.get(outcome, NOBODY) for step in steps for _, outcome in step.ranges}
    return TableShares(
        outcomes=every, models=by_model.shares(whole), counted=0, looks=looks - walk.looks, space=space
    )


def _counted_shares(space: Space, steps: Sequence[Step], looks: int, walk: Walk) -> TableShares:
    sample = Sample(space, steps, looks)
    decided = sample.decided(steps)
    models = _by_model({outcome: users for outcome, users in decided.items() if outcome.weight})
    return TableShares(
        outcomes={outcome: _counted(users, sample) for outcome, users in decided.items()},
        models={model: _counted(users, sample) for model, users in models.items()},
        counted=sample.users,
        looks=looks - walk.looks,
        space=space,
    )


def _counted(users: int, sample: Sample) -> Share:
    least, most = interval(users.bit_count(), sample.users)
    return Share(least=Fraction(least), most=Fraction(most), where=sample.space.everyone)


def moves_between(one: ObjectiveTable, other: ObjectiveTable, looks: int = MAX_LOOKS) -> Moves:
    """Return who gets another model from `other` than from `one`."""
    space = Space([one, other])
    before, after = steps_of(one, space), steps_of(other, space)
    walk = Walk(space, (*before, *after), looks)
    same = _common(_meanings(before, one), _meanings(after, other))
    counted = 0
    try:
        whole = everybody(len(salts_of((*before, *after)))).size
        found, every = _exact_moves(_both(walk, before, after, same), whole, one, other)
    except TooManyRegions:
        sample = Sample(space, (*before, *after), looks)
        counted = sample.users
        found, every = _counted_moves(sample, (one, before), (other, after))
    largest = sorted(found.items(), key=lambda item: (-item[1].most, item[0]))
    return Moves(
        moves=tuple(Move(one.models[a], other.models[b], share) for (a, b), share in largest),
        together=every,
        counted=counted,
        looks=looks - walk.looks,
        space=space,
    )


def _both(walk: Walk, before: Sequence[Step], after: Sequence[Step], same: int) -> Iterator[Region]:
    """Yield the regions of two tables, without whom the `same` steps that both begin with decide on."""
    for region in walk.regions(before, walk.space.everyone, walk.start, forget=same):
        pieces = [Piece(each.buckets, each.outcome) for each in region.decided]
        yield from walk.regions(after[same:], region.box, pieces)


def _exact_moves(
    regions: Iterable[Region], whole: int, one: ObjectiveTable, other: ObjectiveTable
) -> _FoundMoves:
    """Return each move, and all together, of so many users in a region."""
    moves, together = _Ranges[tuple[int, int]](), _Ranges[None]()
    for region in regions:
        moved = [
            ((each.before.model, each.outcome.model), each.buckets.size)
            for each in region.decided
            if each.before is not None and one.models[each.before.model] != other.models[each.outcome.model]
        ]
        moves.add(region, moved)
        together.add(region, [(None, size) for _, size in moved])
    return moves.shares(whole), together.shares(whole).get(None, NOBODY)


_Decider = tuple[ObjectiveTable, Sequence[Step]]
_FoundMoves = tuple[Mapping[tuple[int, int], Share], Share]


def _counted_moves(sample: Sample, one: _Decider, other: _Decider) -> _FoundMoves:
    """Return each move of which a user was seen, and all together."""
    (before, first), (after, second) = one, other
    left, right = _by_model(sample.decided(first)), _by_model(sample.decided(second))
    found: dict[tuple[int, int], int] = {}
    for a, here in left.items():
        for b, there in right.items():
            if here & there and before.models[a] != after.models[b]:
                found[a, b] = here & there
    together = sum(found.values())  # nobody moves twice
    return {key: _counted(users, sample) for key, users in found.items()}, _counted(together, sample)


def _by_model(decided: Mapping[Outcome, int]) -> Mapping[int, int]:
    found: dict[int, int] = {}
    for outcome, users in decided.items():
        found[outcome.model] = found.get(outcome.model, 0) | users
    return found


def _meanings(steps: Sequence[Step], table: ObjectiveTable) -> list[tuple[object, ...]]:
    """Return what two steps have in common that do the same."""
    return [
        (
            replace(step, ranges=()),
            tuple((end, repr(table.models[outcome.model])) for end, outcome in step.ranges),
        )
        for step in steps
    ]


def _common(one: Sequence[object], other: Sequence[object]) -> int:
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


class _Ranges(Generic[K]):
    """The least and the most of each, over the regions that are added."""

    def __init__(self) -> None:
        self._regions = 0
        self._in: dict[K, int] = {}
        self._least: dict[K, int] = {}
        self._most: dict[K, tuple[int, Box]] = {}

    def add(self, region: Region, sizes: Iterable[tuple[K, int]]) -> None:
        """Add what each has in a region, in parts."""
        self._regions += 1
        sums: dict[K, int] = {}
        for key, size in sizes:
            sums[key] = sums.get(key, 0) + size
        for key, size in sums.items():
            self._in[key] = self._in.get(key, 0) + 1
            if key not in self._most or size > self._most[key][0]:
                self._most[key] = size, region.box
            self._least[key] = min(self._least.get(key, size), size)

    def shares(self, whole: int) -> Mapping[K, Share]:
        """Return the ranges, of so many users. A region in which one has no part has it at 0."""
        return {
            key: Share(
                least=Fraction(self._least[key] if self._in[key] == self._regions else 0, whole),
                most=Fraction(most, whole),
                where=box,
            )
            for key, (most, box) in self._most.items()
        }
