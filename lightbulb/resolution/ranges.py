"""Sets of values that have an order, as ranges: numbers, dates, versions, texts. Pure.

A range ends between two values, at a *cut*: `(value, 0)` is just before a value, and `(value, 1)` just after.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

Cut = tuple[Any, ...]

LOWEST: Final[Cut] = ()
"""Before all values."""


@dataclass(frozen=True, slots=True)
class Ranges:
    """What lies from the first cut to the second, from the third to the fourth, and so on; the last may miss.

    `outside`: also what has no place in the order, such as an absent value, or one of another type.
    """

    cuts: tuple[Cut, ...]
    outside: bool = False

    def inverse(self) -> Ranges:
        """Return everything that isn't in it."""
        from_lowest = self.cuts[:1] == (LOWEST,)
        return Ranges(self.cuts[1:] if from_lowest else (LOWEST, *self.cuts), not self.outside)

    def meets(self, other: Ranges) -> bool:
        """Say whether something is in both."""
        return in_any((self.inverse(), other.inverse())) != EVERYTHING

    def parts(self) -> Iterator[tuple[Cut, Cut | None]]:
        """Yield the cuts that each range begins and ends at; None: it has no end."""
        for at in range(0, len(self.cuts), 2):
            yield self.cuts[at], self.cuts[at + 1] if at + 1 < len(self.cuts) else None


EVERYTHING: Final = Ranges((LOWEST,), outside=True)
NOTHING: Final = Ranges(())


def in_any(sets: Iterable[Ranges]) -> Ranges:
    """Return what is in any of some sets, in time linear in their cuts, but for sorting these."""
    sets = tuple(sets)
    steps = [(cut, -1 if at % 2 else 1) for each in sets for at, cut in enumerate(each.cuts)]
    cuts, depth = list[Cut](), 0
    for cut, here in groupby(sorted(steps), key=itemgetter(0)):
        before, depth = depth, depth + sum(step for _, step in here)
        if bool(before) is not bool(depth):
            cuts.append(cut)
    return Ranges(tuple(cuts), any(each.outside for each in sets))


def point(value: object) -> Ranges:
    """Return one value alone."""
    return Ranges(((value, 0), (value, 1)))


def compared(sign: str, value: object) -> Ranges:
    """Return what compares so with a value; `sign` is as Python writes it."""
    return {
        "==": point(value),
        "<": Ranges((LOWEST, (value, 0))),
        "<=": Ranges((LOWEST, (value, 1))),
        ">": Ranges(((value, 1),)),
        ">=": Ranges(((value, 0),)),
    }[sign]


def beginning(text: str) -> Ranges:
    """Return the texts that begin with `text`."""
    kept = text.rstrip(chr(0x10FFFF))  # nothing comes after the last character
    after = ((kept[:-1] + chr(ord(kept[-1]) + 1), 0),) if kept else ()
    return Ranges(((text, 0), *after))


class Covering:
    """Which of many sets a value is in, found in time logarithmic in their ranges."""

    def __init__(self, sets: Iterable[tuple[Ranges, int]]) -> None:
        """Hold the bits that each set comes with."""
        self.begins, ends = dict[Cut, int](), dict[Cut, int]()
        """The bits of what begins at each cut."""
        self.outside = 0
        """The bits of the sets that have what has no place in the order."""
        for each, bits in sets:
            self.outside |= bits if each.outside else 0
            for begin, end in each.parts():
                self.begins[begin] = self.begins.get(begin, 0) | bits
                if end is not None:
                    ends[end] = ends.get(end, 0) | bits
        self._cuts = sorted(self.begins.keys() | ends.keys())
        self._after, here = [0], 0
        for cut in self._cuts:
            here = here & ~ends.get(cut, 0) | self.begins.get(cut, 0)
            self._after.append(here)

    def after(self, cut: Cut) -> int:
        """Return the bits of the sets that have what comes right after a cut, as a value after (value, 0)."""
        return self._after[bisect_right(self._cuts, cut)]


def meeting(sets: Sequence[tuple[Ranges, int]]) -> list[int]:
    """Return for each set the bits of all that it meets; each comes with bits of its own.

    To look at each pair would take the square of their number.
    """
    covering = Covering(sets)
    order = sorted(covering.begins)
    row = _Row([covering.begins[cut] for cut in order])
    found = []
    for each, _ in sets:
        mask = covering.outside if each.outside else 0
        for begin, end in each.parts():
            last = len(order) if end is None else bisect_left(order, end)
            mask |= covering.after(begin) | row.any_of(bisect_left(order, begin), last)
        found.append(mask)
    return found


class _Row:
    """Bits in a row: those of any neighbours, in time logarithmic in how many these are."""

    def __init__(self, bits: Sequence[int]) -> None:
        """Hold what each two, each four, and so on have together."""
        self._size = len(bits)
        self._tree = [0] * self._size + list(bits)
        for at in range(self._size - 1, 0, -1):
            self._tree[at] = self._tree[2 * at] | self._tree[2 * at + 1]

    def any_of(self, begin: int, end: int) -> int:
        """Return the bits from one place to the one before another."""
        found = 0
        begin, end = begin + self._size, end + self._size
        while begin < end:
            if begin % 2:
                found |= self._tree[begin]
                begin += 1
            if end % 2:
                end -= 1
                found |= self._tree[end]
            begin, end = begin // 2, end // 2
        return found
