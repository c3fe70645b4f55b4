"""Values of an attribute, so many that each kind of value which comparisons may tell apart has one. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from lightbulb.model import AttributeValue, Comparison, Operator
from lightbulb.resolution.dates import strict_instant
from lightbulb.resolution.versions import lenient_key, semver_key

NUMBERS = frozenset({Operator.LT, Operator.LE, Operator.GT, Operator.GE})
DATES = frozenset({Operator.BEFORE, Operator.AFTER})
VERSIONS = frozenset(each for each in Operator if each.name.startswith(("VERSION_", "SEMVER_")))
SIZES = frozenset(each for each in Operator if each.name.startswith("SIZE_"))
ELEMENTS = frozenset({Operator.HAS_ANY, Operator.HAS_ALL})
KNOWN = NUMBERS | DATES | VERSIONS | SIZES | ELEMENTS | {Operator.IN, Operator.EXISTS, Operator.PREFIX}
UNCERTAIN = frozenset(Operator) - KNOWN
"""Operators that tell texts apart in a way that no witness speaks for."""

MAX_SIZE = 64
"""Elements of a witness; what is said of longer lists isn't known."""

_LOWEST = "0.0.0-0"
"""The version before all others."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """A value that stands for others like it, unless it is `single`. None: absent.

    What the operators of `uncertain` say of the others may be something else.
    """

    value: AttributeValue | None
    words: str
    uncertain: frozenset[Operator] = frozenset()
    single: bool = False


def single(value: AttributeValue) -> Witness:
    """Return a value that stands for itself alone."""
    return Witness(value=value, words=repr(value), single=True)


def texts(comparisons: Sequence[Comparison], *, empty: bool) -> Iterator[Witness]:
    """Yield the texts that are named; those with each prefix alone; versions, dates, others.

    `empty`: and the empty text.
    """
    listed = {value for each in comparisons if each.operator is Operator.IN for value in each.values}
    equal = {value for value in listed if isinstance(value, str)} | ({""} if empty else set())
    prefixes = {
        str(value) for each in comparisons if each.operator is Operator.PREFIX for value in each.values
    }
    other = _unused(equal | prefixes)
    yield from map(single, sorted(equal))
    for prefix in sorted(prefixes):
        yield Witness(value=prefix + other, words=f"{prefix!r}...", uncertain=UNCERTAIN)
    yield Witness(value=other, words="another text", uncertain=UNCERTAIN)
    yield from _versions([each for each in comparisons if each.operator in VERSIONS])
    yield from _dates([str(each.values[0]) for each in comparisons if each.operator in DATES])


def _unused(named: Iterable[str]) -> str:
    """Return a character that is in none of some texts, and so begins no text that is named."""
    used = {character for text in named for character in text}
    return next(each for each in map(chr, range(0xE000, 0x10FFFF)) if each not in used)


def _versions(comparisons: Sequence[Comparison]) -> Iterator[Witness]:
    """Yield a version for each bound, and one for each gap between them; strict ones, and others."""
    bounds = {end for each in comparisons for end in _ends(each)}
    if not bounds:
        return
    keys = {semver_key(each): each for each in (_LOWEST, *sorted(bounds))}
    ordered = sorted((key, each) for key, each in keys.items() if key is not None)
    for (_, bound), limit in zip(ordered, [*ordered[1:], None], strict=True):
        yield from _version(bound, f"version {bound}")
        after = _next_version(bound)
        key = semver_key(after)
        if key is None or limit is None or key < limit[0]:
            yield from _version(
                after, f"a version after {bound}" + (f" and before {limit[1]}" if limit else "")
            )


def _ends(comparison: Comparison) -> Iterator[str]:
    """Yield where what a comparison of versions says changes."""
    bound = str(comparison.values[0]).partition("+")[0]
    yield bound
    numbers = [int(number) for number in bound.partition("-")[0].split(".")]
    length = 2
    if comparison.operator.name.endswith("_CARET"):
        length = next((at for at, number in enumerate(numbers, start=1) if number), 3)
    if comparison.operator.name.endswith(("_TILDE", "_CARET")):
        numbers = [*numbers[: length - 1], numbers[length - 1] + 1, 0, 0][:3]
        yield f"{'.'.join(map(str, numbers))}-0"


def _version(text: str, words: str) -> Iterator[Witness]:
    uncertain = UNCERTAIN | DATES | {Operator.PREFIX}
    if lenient_key(text) is None:
        uncertain |= VERSIONS
    yield Witness(value=text, words=words, uncertain=uncertain)
    yield Witness(value=f"v{text}", words=words, uncertain=uncertain)


def _next_version(bound: str) -> str:
    """Return the version right after one: there is none between the two."""
    if "-" in bound:
        return f"{bound}.0"
    major, minor, patch = map(int, bound.split("."))
    return f"{major}.{minor}.{patch + 1}-0"


def _dates(bounds: Iterable[str]) -> Iterator[Witness]:
    """Yield a date for each bound, and one for each gap between them."""
    ordered = sorted({strict_instant(each) or 0: each for each in bounds}.items())
    if not ordered:
        return
    yield from _date(ordered[0][0] - 1, f"a date before {ordered[0][1]}")
    for (moment, bound), limit in zip(ordered, [*ordered[1:], None], strict=True):
        yield from _date(moment, f"date {bound}")
        if limit is None or moment + 1 < limit[0]:
            yield from _date(
                moment + 1, f"a date after {bound}" + (f" and before {limit[1]}" if limit else "")
            )


def _date(nanoseconds: int, words: str) -> Iterator[Witness]:
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    try:
        text = f"{(_EPOCH + timedelta(seconds=seconds)).strftime('%Y-%m-%dT%H:%M:%S').zfill(19)}.{rest:09}Z"
    except OverflowError:  # before the year 1: there is no such date
        return
    yield Witness(value=text, words=words, uncertain=UNCERTAIN | VERSIONS | {Operator.PREFIX})


def numbers(comparisons: Sequence[Comparison]) -> Iterator[Witness]:
    """Yield the numbers that are named, and for each gap between them a number and a whole one in it."""
    named = {
        float(value)
        for each in comparisons
        for value in each.values
        if isinstance(value, int | float) and (each.operator in NUMBERS or not isinstance(value, bool))
    }
    for value in sorted(named):
        yield single(value)
        if value.is_integer():  # only a whole number tells one unit from another
            yield single(int(value))
    for low, high in pairwise(sorted({-math.inf, *named, math.inf})):
        for value in dict.fromkeys(_between(low, high)):
            yield Witness(value=value, words=_gap(low, high))
    yield Witness(value=math.nan, words="no number")


def _between(low: float, high: float) -> Iterator[int | float]:
    """Yield a number and a whole number between two, if there are such."""
    if math.isfinite(low):
        near, whole = math.nextafter(low, high), math.floor(low) + 1
    elif math.isfinite(high):
        near, whole = math.nextafter(high, low), math.ceil(high) - 1
    else:
        near, whole = 0.5, 0
    if low < near < high:
        yield near
    if low < whole < high:
        yield whole


def _gap(low: float, high: float) -> str:
    if not math.isfinite(low):
        return f"a number below {high:g}" if math.isfinite(high) else "a number"
    return f"a number above {low:g}" if not math.isfinite(high) else f"a number between {low:g} and {high:g}"


def lists(comparisons: Sequence[Comparison]) -> Iterator[Witness]:
    """Yield lists of each length that comparisons tell apart."""
    named = {
        value
        for each in comparisons
        if each.operator in SIZES
        for value in each.values
        if isinstance(value, int | float)
    }
    sizes = sorted({0, 1, *(int(value) + more for value in named for more in (-1, 0, 1))})
    yield Witness(value=(), words="an empty list", single=True)
    for size in sizes:
        if 0 < size <= MAX_SIZE:
            yield Witness(value=("",) * size, words=f"a list of {size}", uncertain=ELEMENTS)
    if sizes[-1] > MAX_SIZE:
        yield Witness(value=("",) * MAX_SIZE, words="a longer list", uncertain=ELEMENTS | SIZES)
