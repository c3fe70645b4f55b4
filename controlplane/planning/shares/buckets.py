"""Parts of all users, by their buckets: for each salt some of the 10,000. Pure.

Buckets of different salts are independent, so the size of a part is a product; it is a whole number, out of
10,000 to the power of how many salts there are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from lightbulb.model import BASIS_POINTS

Interval = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Buckets:
    """Users whose bucket for each salt is in one of its intervals; `size` of them."""

    size: int
    intervals: tuple[tuple[Interval, ...], ...]


def everybody(salts: int) -> Buckets:
    """Return all users, told apart by so many salts."""
    return Buckets(BASIS_POINTS**salts, (((0, BASIS_POINTS),),) * salts)


def cut(buckets: Buckets, salt: int, begin: int, end: int) -> tuple[Buckets | None, Buckets | None]:
    """Return whose bucket for a salt is from `begin` on and below `end`, and the others; None: nobody."""
    inside: list[Interval] = []
    outside: list[Interval] = []
    for low, high in buckets.intervals[salt]:
        for into, first, last in (
            (outside, low, min(high, begin)),
            (inside, max(low, begin), min(high, end)),
            (outside, max(low, end), high),
        ):
            if first < last:
                into.append((first, last))
    if not outside:
        return buckets, None
    if not inside:
        return None, buckets
    length = _length(buckets.intervals[salt])
    return _part(buckets, salt, inside, length), _part(buckets, salt, outside, length)


def pinned(buckets: Buckets, salt: int, bucket: int) -> Buckets:
    """Return the same number of users, who all are in one bucket: what is hashed is one text."""
    return replace(buckets, intervals=_with(buckets, salt, ((bucket, bucket + 1),)))


def _part(buckets: Buckets, salt: int, intervals: list[Interval], length: int) -> Buckets:
    kept = tuple(intervals)
    return Buckets(buckets.size * _length(kept) // length, _with(buckets, salt, kept))


def _with(buckets: Buckets, salt: int, kept: tuple[Interval, ...]) -> tuple[tuple[Interval, ...], ...]:
    return (*buckets.intervals[:salt], kept, *buckets.intervals[salt + 1 :])


def _length(intervals: tuple[Interval, ...]) -> int:
    return sum(high - low for low, high in intervals)
