"""Counts users where there are too many regions to walk: drawn the same way each time. Pure.

The users are of an *even mix*: each attribute is of each of its classes equally often, whatever the others
are, and what may hold or not in a class does so for half of them. They are decided on all at once: what
holds for whom is a number of as many bits as there are users.
"""

from __future__ import annotations

import random
import sys
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import itemgetter

from controlplane.planning.shares.boxes import Group, Leaf, Space, Tree
from controlplane.planning.shares.steps import Outcome, Salt, Step
from lightbulb.model import BASIS_POINTS
from lightbulb.resolution.allocate import bucket

MOST_USERS, FEWEST_USERS = 100_000, 1_000

_USERS_A_LOOK = 750
"""Users for whom a comparison takes about as long as looking at it in a region."""

_DRAWING = 5
"""Comparisons that take as long as to draw what they look at."""

_NARROW = 256
"""Classes or buckets that a byte tells apart."""

Column = Callable[[bytes], bytes]
"""What gives each user its own of some digits: the one at the class or the bucket that the user has."""


class Sample:
    """So many users of a space, drawn by what the steps say."""

    def __init__(self, space: Space, steps: Sequence[Step], looks: int) -> None:
        """Draw as many users as can be decided on in the time of so many looks, within limits."""
        comparisons = sum(_leaves(step.when) + len(step.ranges) for step in steps)
        costs = comparisons + _DRAWING * len(space.everyone)
        self.users = max(FEWEST_USERS, min(MOST_USERS, _USERS_A_LOOK * looks // costs))
        self.space = space
        self._dice = random.Random(repr((space.everyone, steps)))
        self._everyone = (1 << self.users) - 1
        self._classes: dict[int, list[int]] = {}
        self._columns: dict[int | Salt, Column] = {}
        self._leaves: dict[Leaf, int] = {}
        self._ends: dict[tuple[Salt, int], int] = {}

    def decided(self, steps: Sequence[Step]) -> Mapping[Outcome, int]:
        """Return for whom each outcome decides, as bits."""
        found: dict[Outcome, int] = {}
        left = self._everyone
        for step in steps:
            meant = left & self._holding(step.when)
            for outcome, users in self._taken(step, meant):
                found[outcome] = found.get(outcome, 0) | users
                left &= ~users
        return found

    def _taken(self, step: Step, meant: int) -> Iterator[tuple[Outcome, int]]:
        if step.layer is not None:
            meant &= self._below(step.layer, step.layer_end) & ~self._below(step.layer, step.layer_begin)
        for end, outcome in step.ranges:
            users = meant if step.salt is None else meant & self._below(step.salt, end)
            meant &= ~users
            yield outcome, users

    def _holding(self, tree: Tree) -> int:
        if isinstance(tree, Leaf):
            if tree not in self._leaves:
                self._leaves[tree] = self._holding_leaf(tree)
            return self._leaves[tree]
        held = 0 if tree.some else self._everyone
        for part in tree.parts:
            held = held | self._holding(part) if tree.some else held & self._holding(part)
        return held

    def _holding_leaf(self, leaf: Leaf) -> int:
        held = self._with(leaf.place, leaf.yes)
        if leaf.free:
            held |= self._with(leaf.place, leaf.free) & self._with(leaf.own, leaf.wanted)
        return held

    def _with(self, place: int, classes: int) -> int:
        """Return who is of one of some classes at a place."""
        if place not in self._columns:
            self._columns[place] = _column(self._classes_at(place))
        digits = f"{classes:0{self.space.everyone[place].bit_length()}b}"
        return int(self._columns[place](digits[::-1].encode()), 2)

    def _below(self, salt: Salt, end: int) -> int:
        """Return whose bucket is below one."""
        if salt not in self._columns:
            self._columns[salt] = _column(self._buckets(salt))
        if (salt, end) not in self._ends:
            digits = b"1" * end + b"0" * (BASIS_POINTS - end)
            self._ends[salt, end] = int(self._columns[salt](digits), 2)
        return self._ends[salt, end]

    def _classes_at(self, place: int) -> list[int]:
        if place not in self._classes:
            self._classes[place] = self._drawn(self.space.everyone[place].bit_length())
        return self._classes[place]

    def _buckets(self, salt: Salt) -> list[int]:
        drawn = self._drawn(BASIS_POINTS)
        if not salt.unit:
            return drawn
        only = [each.only for each in self.space.classes[salt.unit].classes]
        known = [bucket(salt.salt, each) if each else None for each in only]
        units = map(known.__getitem__, self._classes_at(self.space.places[salt.unit]))
        return [own if one is None else one for one, own in zip(units, drawn, strict=True)]

    def _drawn(self, count: int) -> list[int]:
        """Return for each user one of so many numbers."""
        words = array("I", self._dice.randbytes(4 * self.users))
        if sys.byteorder == "big":
            words.byteswap()
        return [word * count >> 32 for word in words]


def _column(numbers: list[int]) -> Column:
    if max(numbers) < _NARROW:
        narrow = bytes(numbers)
        return lambda digits: narrow.translate(digits.ljust(_NARROW, b"0")[:_NARROW])
    pick = itemgetter(*numbers)
    return lambda digits: bytes(pick(digits))


def _leaves(tree: Tree) -> int:
    return 1 + sum(map(_leaves, tree.parts)) if isinstance(tree, Group) else 1
