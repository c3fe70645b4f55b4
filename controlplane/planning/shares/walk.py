"""Walks tables region by region, and says which part of all users each outcome decides on. Pure.

A region is parted only where a step asks, and buckets are cut only at the ends that it asks about. So there
are few regions, of the many products that values and buckets have.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from controlplane.planning.shares.boxes import Box, Group, Leaf, Space, Tree, look, part
from controlplane.planning.shares.buckets import Buckets, cut, everybody, pinned
from controlplane.planning.shares.steps import Outcome, Salt, Step, salts_of
from lightbulb.resolution.allocate import bucket

MAX_LOOKS = 60_000
"""Comparisons that are looked at, and parts of users that are told, in one walk: some tenths of a second."""


class TooManyRegions(Exception):
    """There are more regions than are looked at."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Users of a region, and what an earlier table decided for them."""

    buckets: Buckets
    before: Outcome | None = None


@dataclass(frozen=True, slots=True)
class Decided:
    """How many users of a region an outcome decides on, and what an earlier table decided for them."""

    buckets: Buckets
    outcome: Outcome
    before: Outcome | None = None


@dataclass(frozen=True, slots=True)
class Region:
    """A class of contexts in which every condition that matters is decided, and who decides there."""

    box: Box
    decided: tuple[Decided, ...]


class Walk:
    """Walks steps in one space. `looks` are what may still be looked at."""

    def __init__(self, space: Space, steps: Sequence[Step], looks: int = MAX_LOOKS) -> None:
        """Walk some of these steps later; their salts are told apart."""
        self.space = space
        self._salts = {salt: index for index, salt in enumerate(salts_of(steps))}
        self.start = (Piece(everybody(len(self._salts))),)
        self.looks = looks

    def regions(
        self, steps: Sequence[Step], box: Box, pieces: Iterable[Piece], forget: int = 0
    ) -> Iterator[Region]:
        """Yield the regions of a box, and who decides for these pieces in each.

        What the first `forget` steps decide isn't told. Raises TooManyRegions.
        """
        costs = [_leaves(step.when) for step in steps]
        stack: list[tuple[int, Box, tuple[Piece, ...], tuple[Decided, ...]]] = [(0, box, tuple(pieces), ())]
        while stack:
            index, here, left, decided = stack.pop()
            while left and index < len(steps):
                step = steps[index]
                self._spend(costs[index])
                found = look(step.when, here)
                if not isinstance(found, bool):
                    here, other = part(found, here)
                    stack.append((index, other, left, decided))
                    continue
                if found:
                    leaf = self._single(step, here)
                    if leaf is not None:
                        here, other = part(leaf, here)
                        stack.append((index, other, left, decided))
                        continue
                    left, told = self._take(step, here, left)
                    if index >= forget:
                        self._spend(len(told))
                        decided += told
                index += 1
            yield Region(here, decided)

    def _spend(self, looks: int) -> None:
        self.looks -= looks
        if self.looks < 0:
            raise TooManyRegions

    def _single(self, step: Step, box: Box) -> Leaf | None:
        """Return what parts a box so that the unit of a step is one value alone, or none that is named."""
        if step.salt is None or not step.salt.unit:
            return None
        place = self.space.places[step.salt.unit]
        here = box[place]
        for bits in self.space.singles(step.salt.unit):
            if here & bits and here != bits:
                return Leaf(place, bits)
        return None

    def _take(
        self, step: Step, box: Box, pieces: Sequence[Piece]
    ) -> tuple[tuple[Piece, ...], tuple[Decided, ...]]:
        """Return the pieces that a step leaves, and what it decides."""
        if step.salt is None:
            outcome = step.ranges[0][1]
            return (), tuple(Decided(each.buckets, outcome, each.before) for each in pieces)
        left: list[Piece] = []
        decided: list[Decided] = []
        for piece in pieces:
            inside: Buckets | None = self._hashed(piece.buckets, step.salt, box)
            if step.layer is not None and inside is not None:
                inside = self._hashed(inside, step.layer, box)
                inside, outside = cut(inside, self._salts[step.layer], step.layer_begin, step.layer_end)
                left += [Piece(outside, piece.before)] if outside is not None else []
            begin = 0
            for end, outcome in step.ranges:
                if inside is None:
                    break
                taken, inside = cut(inside, self._salts[step.salt], begin, end)
                decided += [Decided(taken, outcome, piece.before)] if taken is not None else []
                begin = end
            left += [Piece(inside, piece.before)] if inside is not None else []
        return tuple(left), tuple(decided)

    def _hashed(self, buckets: Buckets, salt: Salt, box: Box) -> Buckets:
        """Return users whose bucket is known if what is hashed is: the unit has one value in this box."""
        if not salt.unit:
            return buckets
        only = self.space.only(salt.unit, box)
        return pinned(buckets, self._salts[salt], bucket(salt.salt, only)) if only else buckets


def _leaves(tree: Tree) -> int:
    return 1 + sum(map(_leaves, tree.parts)) if isinstance(tree, Group) else 1
