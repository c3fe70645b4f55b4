"""Regions of contexts, and conditions on them that hold, don't, or hold in a part. Pure.

A box has the classes that each attribute may still be of, as bits. A test that is free in a class has a place
of its own in it, with two bits: that it fails, that it holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from controlplane.planning.shares.classes import USER, Among, Classes, HasUnit, Test, classes_of, listed
from lightbulb.model import (
    All,
    AmongUsers,
    AnyOf,
    Comparison,
    Condition,
    InSegment,
    Not,
    ObjectiveTable,
)
from lightbulb.resolution.segments import conditions_of

FAILS, HOLDS = 1, 2
EITHER = FAILS | HOLDS

Box = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Leaf:
    """It holds in the classes `yes` at `place`, and in those of `free` if that is what `own` says."""

    place: int
    yes: int
    free: int = 0
    own: int = 0
    wanted: int = HOLDS


@dataclass(frozen=True, slots=True)
class Group:
    """It holds when all parts do; with `some`, when one does."""

    parts: tuple[Tree, ...]
    some: bool


Tree = Leaf | Group

NO_PARTS = Group((), some=False)
"""What always holds."""


class Space:
    """All contexts, as the tables' conditions see them."""

    def __init__(self, tables: Sequence[ObjectiveTable]) -> None:
        """Tell apart what any of the tables does."""
        tests: dict[str, dict[Test, None]] = {}
        for table in tables:
            segments = [segment.when for segment in table.segments]
            for condition in (*segments, *conditions_of(table)):
                _collect(condition, tests)
            units = (*(rule.unit for rule in table.ab_rules), *(rule.unit for rule in table.shifts))
            for unit in filter(None, units):
                tests.setdefault(unit, {})[HasUnit(unit)] = None
        self.classes: Mapping[str, Classes] = {
            name: classes_of(name, tuple(own)) for name, own in tests.items()
        }
        self.places = {name: place for place, name in enumerate(self.classes)}
        self._free: dict[tuple[str, Test], int] = {}
        for name, classes in self.classes.items():
            for test, split in classes.splits.items():
                if split.free:
                    self._free[name, test] = len(self.places) + len(self._free)
        self.everyone: Box = (
            *(classes.all for classes in self.classes.values()),
            *(EITHER,) * len(self._free),
        )
        """The box of all contexts."""

    def tree(self, condition: Condition, segments: Mapping[str, Tree], *, negate: bool = False) -> Tree:
        """Return a condition on boxes; with `negate`, its contrary. Segments are among `segments`."""
        match condition:
            case Not(inner):
                return self.tree(inner, segments, negate=not negate)
            case All(conditions) | AnyOf(conditions):
                parts = [self.tree(inner, segments, negate=negate) for inner in conditions]
                return grouped(parts, some=isinstance(condition, AnyOf) is not negate)
            case InSegment(name):
                return self.inverse(segments[name]) if negate else segments[name]
            case AmongUsers(users):
                leaf = self._leaf(USER, Among(users))
            case Comparison(attribute=attribute):
                leaf = self._leaf(attribute, condition)
        return self.inverse(leaf) if negate else leaf

    def singles(self, attribute: str) -> Sequence[int]:
        """Return the bits of each class of an attribute that is one value alone."""
        classes = self.classes[attribute].classes
        return [1 << index for index, each in enumerate(classes) if each.only]

    def only(self, attribute: str, box: Box) -> str:
        """Return the text of the one value that an attribute has in a box; empty when it may have others."""
        bits = box[self.places[attribute]]
        return self.classes[attribute].classes[bits.bit_length() - 1].only if bits & (bits - 1) == 0 else ""

    def words(self, box: Box) -> str:
        """Return for people which contexts are in a box; empty: all of them."""
        return "; ".join(
            f"{name.strip()} {_words(classes, box[place])}"
            for (name, place), classes in zip(self.places.items(), self.classes.values(), strict=True)
            if box[place] != classes.all
        )

    def has_unit(self, unit: str) -> Tree:
        """Return the condition that a context has the attribute."""
        return self._leaf(unit, HasUnit(unit))

    def inverse(self, tree: Tree) -> Tree:
        """Return the condition that holds when another doesn't."""
        if isinstance(tree, Group):
            return grouped([self.inverse(part) for part in tree.parts], some=not tree.some)
        every = self.everyone[tree.place]
        wanted = EITHER ^ tree.wanted
        return Leaf(tree.place, every & ~(tree.yes | tree.free), tree.free, tree.own, wanted)

    def _leaf(self, attribute: str, test: Test) -> Leaf:
        split = self.classes[attribute].splits[test]
        own = self._free.get((attribute, test), 0)
        return Leaf(self.places[attribute], split.yes, split.free, own)


def _words(classes: Classes, bits: int) -> str:
    named = [each.words for index, each in enumerate(classes.classes) if bits >> index & 1]
    others = [each.words for index, each in enumerate(classes.classes) if not bits >> index & 1]
    return listed(named) if len(named) <= max(3, len(others)) else f"not {listed(others)}"


def _collect(condition: Condition, tests: dict[str, dict[Test, None]]) -> None:
    match condition:
        case Not(inner):
            _collect(inner, tests)
        case All(conditions) | AnyOf(conditions):
            for inner in conditions:
                _collect(inner, tests)
        case AmongUsers(users):
            tests.setdefault(USER, {})[Among(users)] = None
        case Comparison(attribute=attribute):
            tests.setdefault(attribute, {})[condition] = None
        case InSegment():
            pass


def grouped(parts: Iterable[Tree], *, some: bool) -> Tree:
    """Return all parts, or some of them, as one: those of one attribute are one leaf, and looked at once."""
    merged: dict[int, int] = {}
    others: list[Tree] = []
    for part in _flat(parts, some=some):
        if isinstance(part, Leaf) and not part.free:
            known = merged.get(part.place)
            bits = part.yes if known is None else (known | part.yes if some else known & part.yes)
            merged[part.place] = bits
        else:
            others.append(part)
    leaves = [Leaf(place, yes) for place, yes in merged.items()]
    return (*leaves, *others)[0] if len(leaves) + len(others) == 1 else Group((*leaves, *others), some)


def _flat(parts: Iterable[Tree], *, some: bool) -> Iterator[Tree]:
    for part in parts:
        if isinstance(part, Group) and part.some is some:
            yield from part.parts
        else:
            yield part


def look(tree: Tree, box: Box) -> bool | Leaf:
    """Say whether a condition holds everywhere in a box, or nowhere; or return a leaf that parts the box."""
    if isinstance(tree, Leaf):
        return _look_at(tree, box)
    undecided: Leaf | None = None
    for part in tree.parts:
        found = look(part, box)
        if found is tree.some:
            return found
        if undecided is None and not isinstance(found, bool):
            undecided = found
    return (not tree.some) if undecided is None else undecided


def _look_at(leaf: Leaf, box: Box) -> bool | Leaf:
    here = box[leaf.place]
    yes = leaf.yes
    if leaf.free & here:
        own = box[leaf.own]
        if own == EITHER:
            return leaf
        if own == leaf.wanted:
            yes |= leaf.free
    inside = here & yes
    return True if inside == here else False if not inside else leaf


def part(leaf: Leaf, box: Box) -> tuple[Box, Box]:
    """Return the part of a box in which a leaf holds, and the one in which it doesn't; neither is empty."""
    here, yes = box[leaf.place], leaf.yes
    if not leaf.free & here:
        return _with(box, leaf.place, here & yes), _with(box, leaf.place, here & ~yes)
    if box[leaf.own] == EITHER:
        holds = _with(_with(box, leaf.place, here & (yes | leaf.free)), leaf.own, leaf.wanted)
        fails = _with(_with(box, leaf.place, here & ~yes), leaf.own, EITHER ^ leaf.wanted)
        return holds, fails
    if box[leaf.own] == leaf.wanted:
        yes |= leaf.free
    return _with(box, leaf.place, here & yes), _with(box, leaf.place, here & ~yes)


def _with(box: Box, place: int, bits: int) -> Box:
    return (*box[:place], bits, *box[place + 1 :])
