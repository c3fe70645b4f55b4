"""Conditions on a context: compiled once into a function."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from operator import attrgetter, eq, ge, gt, le, lt
from types import MappingProxyType

from lightbulb.model import (
    FIXED_ATTRIBUTES,
    All,
    AmongUsers,
    AnyOf,
    Comparison,
    Condition,
    InSegment,
    Not,
    Operator,
    RequestContext,
    Segment,
    Value,
)

Predicate = Callable[[RequestContext], bool]

NO_SEGMENTS: Mapping[str, Predicate] = MappingProxyType({})
"""Name of a segment -> what says whether a context is in it: what conditions know when there are none."""

_NUMERIC = {Operator.LT: lt, Operator.LE: le, Operator.GT: gt, Operator.GE: ge}
_SEMVER = {
    Operator.SEMVER_EQ: eq,
    Operator.SEMVER_LT: lt,
    Operator.SEMVER_LE: le,
    Operator.SEMVER_GT: gt,
    Operator.SEMVER_GE: ge,
}
_SEMVER_PATTERN = re.compile(
    r"(0|[1-9]\d{0,9})\.(0|[1-9]\d{0,9})\.(0|[1-9]\d{0,9})(?:-([0-9A-Za-z.-]{1,64}))?(?:\+[0-9A-Za-z.-]{1,64})?",
    re.ASCII,
)

# Written out for speed: to get an attribute by its name costs as much as the look-up itself.
_AMONG: Mapping[str, Callable[[frozenset[Value]], Predicate]] = {
    "country": lambda wanted: lambda context: context.country in wanted,
    "device": lambda wanted: lambda context: context.device in wanted,
    "locale": lambda wanted: lambda context: context.locale in wanted,
    "surface": lambda wanted: lambda context: context.surface in wanted,
}
_NOT_AMONG: Mapping[str, Callable[[frozenset[Value]], Predicate]] = {
    "country": lambda wanted: lambda context: context.country not in wanted,
    "device": lambda wanted: lambda context: context.device not in wanted,
    "locale": lambda wanted: lambda context: context.locale not in wanted,
    "surface": lambda wanted: lambda context: context.surface not in wanted,
}

_Identifier = tuple[int, int, str]
SemverKey = tuple[int, int, int, bool, tuple[_Identifier, ...]]


@lru_cache(maxsize=4096)
def semver_key(text: str) -> SemverKey | None:
    """Return a key that orders semantic versions by precedence (semver.org 2.0.0, section 11).

    None when `text` is not a semantic version. Build metadata is ignored.
    """
    match = _SEMVER_PATTERN.fullmatch(text)
    if match is None:
        return None
    major, minor, patch, pre = match.groups()
    parts = pre.split(".") if pre else []
    if not all(parts) or any(part.isdigit() and len(part) > 1 and part[0] == "0" for part in parts):
        return None
    # Numeric identifiers order by value, before alphanumeric ones. A release comes after its pre-releases.
    identifiers = tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts)
    return int(major), int(minor), int(patch), not pre, identifiers


def compile_segments(segments: Iterable[Segment]) -> Mapping[str, Predicate]:
    """Return a function for each segment, by name; each may use those before it."""
    compiled: dict[str, Predicate] = {}
    for segment in segments:
        compiled[segment.name] = compile_condition(segment.when, compiled)
    return compiled


def compile_condition(condition: Condition, segments: Mapping[str, Predicate] = NO_SEGMENTS) -> Predicate:
    """Return a function that says whether a context meets `condition`.

    Raises ValueError for a bad value, or for a segment that isn't among `segments`.
    """
    return _compile(condition, segments, negate=False)


def _compile(condition: Condition, segments: Mapping[str, Predicate], *, negate: bool) -> Predicate:
    """Return a function that says whether `condition` is met; with `negate`, whether it isn't.

    A negation is pushed down to the comparisons, since not (a and b) is (not a or not b). There it costs no
    call of its own.
    """
    match condition:
        case Not(inner):
            return _compile(inner, segments, negate=not negate)
        case Comparison():
            return _compile_comparison(condition, negate=negate)
        case All(conditions) | AnyOf(conditions):
            parts = tuple(_compile(inner, segments, negate=negate) for inner in conditions)
            return _any(parts) if isinstance(condition, AnyOf) is not negate else _all(parts)
        case AmongUsers(users):
            return _compile_users(users, negate=negate)
        case InSegment(name):
            return _compile_segment(name, segments, negate=negate)


def _compile_users(users: frozenset[str], *, negate: bool) -> Predicate:
    if negate:
        return lambda context: context.user_id not in users
    return lambda context: context.user_id in users


def _compile_segment(name: str, segments: Mapping[str, Predicate], *, negate: bool) -> Predicate:
    inside = segments.get(name)
    if inside is None:
        raise ValueError(f"there is no segment {name}")
    return (lambda context: not inside(context)) if negate else inside


def _all(parts: tuple[Predicate, ...]) -> Predicate:
    match parts:
        case (only,):
            return only
        case (one, other):
            return lambda context: one(context) and other(context)

    def every(context: RequestContext) -> bool:
        for part in parts:  # noqa: SIM110 - a generator would cost more than the parts
            if not part(context):
                return False
        return True

    return every


def _any(parts: tuple[Predicate, ...]) -> Predicate:
    match parts:
        case (only,):
            return only
        case (one, other):
            return lambda context: one(context) or other(context)

    def some(context: RequestContext) -> bool:
        for part in parts:  # noqa: SIM110
            if part(context):
                return True
        return False

    return some


def _compile_comparison(comparison: Comparison, *, negate: bool) -> Predicate:
    name, values = comparison.attribute, comparison.values
    fixed = name in FIXED_ATTRIBUTES
    if comparison.operator is Operator.IN and all(isinstance(value, str) for value in values):
        return _compile_texts(name, frozenset(values), fixed=fixed, negate=negate)
    test = _value_test(comparison)
    get = attrgetter(name)

    def compare_field(context: RequestContext) -> bool:
        value = get(context)
        return (value != "" and test(value)) is not negate

    def compare(context: RequestContext) -> bool:
        value = context.attributes.get(name)
        return (value is not None and test(value)) is not negate

    return compare_field if fixed else compare


def _compile_texts(name: str, wanted: frozenset[Value], *, fixed: bool, negate: bool) -> Predicate:
    """Return a function that looks for a value among texts. Only a text can equal a text."""
    if fixed:
        wanted -= {""}  # an empty field is an absent attribute
        return _NOT_AMONG[name](wanted) if negate else _AMONG[name](wanted)
    if negate:
        return lambda context: context.attributes.get(name) not in wanted
    return lambda context: context.attributes.get(name) in wanted


def _value_test(comparison: Comparison) -> Callable[[Value], bool]:
    operator, values = comparison.operator, comparison.values
    if operator is Operator.EXISTS:
        return lambda _: True
    if operator is Operator.IN:
        wanted = frozenset(map(typed, values))
        return lambda value: typed(value) in wanted
    if operator is Operator.PREFIX:
        prefixes = tuple(value for value in values if isinstance(value, str))
        return lambda value: isinstance(value, str) and value.startswith(prefixes)
    if operator in _NUMERIC:
        return _numeric_test(operator, values[0])
    return _semver_test(operator, str(values[0]))


def _numeric_test(operator: Operator, bound: Value) -> Callable[[Value], bool]:
    if isinstance(bound, str):
        raise ValueError(  # noqa: TRY004 - a bad rule, not a bad call
            f"{operator.value} compares numbers, not {bound!r}"
        )
    order, limit = _NUMERIC[operator], float(bound)
    return lambda value: (
        isinstance(value, int | float) and not isinstance(value, bool) and bool(order(value, limit))
    )


def _semver_test(operator: Operator, bound: str) -> Callable[[Value], bool]:
    order, limit = _SEMVER[operator], semver_key(bound)
    if limit is None:
        raise ValueError(f"{bound!r} is not a semantic version")

    def test(value: Value) -> bool:
        key = semver_key(value) if isinstance(value, str) else None
        return key is not None and bool(order(key, limit))

    return test


def typed(value: Value) -> tuple[str, Value]:
    """Return a value that is equal to another only if a rule would call them equal."""
    # In Python True == 1; in a rule they differ.
    kind = "bool" if isinstance(value, bool) else "text" if isinstance(value, str) else "number"
    return kind, value


def attributes_of(condition: Condition) -> Iterator[str]:
    """Yield the attributes that a condition compares, in the order written, with repeats."""
    match condition:
        case All(conditions) | AnyOf(conditions):
            for inner in conditions:
                yield from attributes_of(inner)
        case Not(inner):
            yield from attributes_of(inner)
        case Comparison():
            yield condition.attribute
