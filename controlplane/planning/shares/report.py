"""What a walk comes to: the range of each share over all regions, and who moves between two tables. Pure."""

from __future__ import annotations

import random
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import takewhile
from typing import Generic, TypeVar

from controlplane.planning.shares.boxes import Box, Space
from controlplane.planning.shares.buckets import everybody
from controlplane.planning.shares.steps import Outcome, Step, salts_of, steps_of
from controlplane.planning.shares.walk import MAX_LOOKS, Piece, Region, TooManyRegions, Walk
from lightbulb.model import ModelTarget, ObjectiveTable

K = TypeVar("K", bound=Hashable)

SAMPLE = 300
"""Regions that are looked at where there are too many; each of them exactly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """The least and the most of a region's users, of all regions; `where` is one with the most."""

    least: Fraction
    most: Fraction
    where: Box = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TableShares:
    """The shares of one table. Without `exact` not all regions were looked at: others may differ."""

    outcomes: Mapping[Outcome, Share]
    models: Mapping[int, Share]
    exact: bool
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
    """Each move, the largest first, and the share of all of them together; `exact` as with one table."""

    moves: tuple[Move, ...]
    together: Share
    exact: bool
    looks: int
    space: Space


NOBODY = Share(least=Fraction(0), most=Fraction(0))

Regions = Callable[[Walk, Box], Iterator[Region]]
"""Yields the regions of a box."""


def shares_of(table: ObjectiveTable, looks: int = MAX_LOOKS) -> TableShares:
    """Return the share of each outcome and each model of a table."""
    space = Space([table])
    steps = steps_of(table, space)
    found, exact, spent = _walked(space, steps, looks, lambda walk, box: walk.regions(steps, box, walk.start))
    by_outcome, by_model = _Ranges[Outcome](), _Ranges[int]()
    for region in found:
        by_outcome.add(region, [(each.outcome, each.buckets.size) for each in region.decided])
        by_model.add(region, [(each.outcome.model, each.buckets.size) for each in region.decided])
    whole = everybody(len(salts_of(steps))).size
    outcomes = by_outcome.shares(whole)
    every = {outcome: outcomes.get(outcome, NOBODY) for step in steps for _, outcome in step.ranges}
    return TableShares(outcomes=every, models=by_model.shares(whole), exact=exact, looks=spent, space=space)


def moves_between(one: ObjectiveTable, other: ObjectiveTable, looks: int = MAX_LOOKS) -> Moves:
    """Return who gets another model from `other` than from `one`."""
    space = Space([one, other])
    before, after = steps_of(one, space), steps_of(other, space)
    same = _common(_meanings(before, one), _meanings(after, other))

    def both(walk: Walk, box: Box) -> Iterator[Region]:
        # Whoever is decided on by the steps that both begin with isn't moved.
        for region in walk.regions(before, box, walk.start, forget=same):
            pieces = [Piece(each.buckets, each.outcome) for each in region.decided]
            yield from walk.regions(after[same:], region.box, pieces)

    found, exact, spent = _walked(space, (*before, *after), looks, both)
    moves, together = _Ranges[tuple[int, int]](), _Ranges[None]()
    for region in found:
        moved = [
            ((each.before.model, each.outcome.model), each.buckets.size)
            for each in region.decided
            if each.before is not None and one.models[each.before.model] != other.models[each.outcome.model]
        ]
        moves.add(region, moved)
        together.add(region, [(None, size) for _, size in moved])
    whole = everybody(len(salts_of((*before, *after)))).size
    largest = sorted(moves.shares(whole).items(), key=lambda item: (-item[1].most, item[0]))
    return Moves(
        moves=tuple(Move(one.models[a], other.models[b], share) for (a, b), share in largest),
        together=together.shares(whole).get(None, NOBODY),
        exact=exact,
        looks=spent,
        space=space,
    )


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


def _walked(
    space: Space, steps: Sequence[Step], looks: int, regions: Regions
) -> tuple[list[Region], bool, int]:
    """Return all regions, and True; if there are too many some, which are always the same, and False.

    And how much was looked at.
    """
    walk = Walk(space, steps, looks)
    try:
        return list(regions(walk, space.everyone)), True, looks - walk.looks
    except TooManyRegions:
        dice, found = random.Random(0), list[Region]()
        for _ in range(SAMPLE if looks else 1):
            box = tuple(1 << dice.randrange(bits.bit_length()) for bits in space.everyone)
            found += regions(Walk(space, steps), box)
        return found, False, looks


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
