"""Conditions on a context: compiled once into a function."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
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
from lightbulb.resolution.operators import value_test

Predicate = Callable[[RequestContext], bool]

NO_SEGMENTS: Mapping[str, Predicate] = MappingProxyType({})
"""Name of a segment -> what says whether a context is in it: what conditions know when there are none."""

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
    test = value_test(comparison)
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
