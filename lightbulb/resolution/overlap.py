"""Which conditions could both hold for one request. Pure, and about linear in the size of each condition.

It looks at one attribute at a time: at its type, at the values of `in`, and at the ranges of an order that
other comparisons allow (`orders.py`); at lists of users, and at whether a segment is meant or excluded. So an
author can predict what it finds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from types import MappingProxyType
from typing import Final

from lightbulb.model import (
    All,
    AmongUsers,
    AnyOf,
    Comparison,
    Condition,
    InSegment,
    Not,
    Operator,
    Segment,
    Value,
)
from lightbulb.resolution.operators import typed
from lightbulb.resolution.orders import Order, allowed, places
from lightbulb.resolution.ranges import EVERYTHING, NOTHING, Ranges, in_any, meeting

Typed = tuple[str, Value]

Subject = tuple[str | Order, str]
"""What has values: ("attribute", name), ("type", name), ("segment", name) with True for who is in it, or
_USER. Of (order, name) there are Ranges."""

_USER: Final = ("user", "")
_INSIDE: Final = frozenset({typed(True)})  # noqa: FBT003 - a value

NO_VALUES: Final[frozenset[Typed]] = frozenset()


@dataclass(frozen=True, slots=True)
class ValueSet:
    """A finite set of values, or every value but those. An absent value is in no finite set."""

    values: frozenset[Typed]
    complement: bool = False

    def inverse(self) -> ValueSet:
        """Return every value that isn't in it."""
        return ValueSet(self.values, complement=not self.complement)

    def meets(self, other: ValueSet) -> bool:
        """Say whether some value is in both."""
        if self.complement:
            return other.complement or not other.values <= self.values
        if other.complement:
            return not self.values <= other.values
        return not self.values.isdisjoint(other.values)


_ANYTHING: Final = frozenset({ValueSet(NO_VALUES, complement=True), EVERYTHING})
_NOTHING: Final = frozenset({ValueSet(NO_VALUES), NOTHING})

_Set = ValueSet | Ranges
"""Of one subject all are of one kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Possible:
    """For each subject, a set that has every value with which a condition can be true.

    Subjects that aren't in `sets` may have any value; with `never` the condition is true for none.
    """

    sets: Mapping[Subject, _Set] = field(default_factory=dict)
    never: bool = False


Sides = tuple[Possible, Possible]
"""The values with which a context can be in a segment, and those with which it can be outside."""

NO_SEGMENTS: Final[Mapping[str, Sides]] = MappingProxyType({})


def possible_segments(segments: Iterable[Segment]) -> Mapping[str, Sides]:
    """Return both sides of each segment, by name; each may use those before it."""
    sides: dict[str, Sides] = {}
    for segment in segments:
        subject = ("segment", segment.name)
        inside, outside = (_possible(segment.when, sides, negate=negate) for negate in (False, True))
        sides[segment.name] = (
            _in_all((_make({subject: ValueSet(_INSIDE)}), inside)),
            _in_all((_make({subject: ValueSet(_INSIDE, complement=True)}), outside)),
        )
    return sides


def possible(condition: Condition, segments: Mapping[str, Sides] = NO_SEGMENTS) -> Possible:
    """Return the values with which a condition can be true; any, for a segment that isn't known."""
    return _possible(condition, segments, negate=False)


def disjoint(one: Condition, other: Condition) -> bool:
    """Say whether it is certain that no context meets both. False means "not proven"."""
    one_set, other_set = in_orders([possible(one), possible(other)])
    return one_set is not None and other_set is not None and apart(one_set, other_set)


def apart(one: Possible, other: Possible) -> bool:
    """Say whether it is certain that no context meets both of two conditions."""
    if one.never or other.never:
        return True
    common = one.sets.keys() & other.sets.keys()
    return any(not _meet(one.sets[name], other.sets[name]) for name in common)


def _meet(one: _Set, other: _Set) -> bool:
    if isinstance(one, Ranges):
        return isinstance(other, Ranges) and one.meets(other)
    return isinstance(other, ValueSet) and one.meets(other)


def in_orders(conditions: Sequence[Possible | None]) -> list[Possible | None]:
    """Return conditions that say of the values of `in`, too, what others say of their attribute.

    That is their type, and their places in orders: so `in` can be compared with what isn't one.
    """
    used: dict[str, set[str | Order]] = {}
    for each in conditions:
        for kind, name in each.sets if each is not None else ():
            if isinstance(kind, Order) or kind == "type":
                used.setdefault(name, set()).add(kind)
    return (
        [None if each is None else _in_orders(each, used) for each in conditions]
        if used
        else list(conditions)
    )


def _in_orders(condition: Possible, used: Mapping[str, set[str | Order]]) -> Possible:
    found: list[Possible] = []
    for (kind, name), values in condition.sets.items():
        if kind == "attribute" and name in used and isinstance(values, ValueSet) and not values.complement:
            types = ValueSet(frozenset(("type", type_name) for type_name, _ in values.values))
            found += (
                _make({(each, name): places(each, values.values) if isinstance(each, Order) else types})
                for each in used[name]
            )
    return _in_all((condition, *found)) if found else condition


def may_overlap(conditions: Sequence[Possible | None]) -> list[int]:
    """Return for each condition which others may overlap with it, as bits: 1 << position.

    `i` and `j` may overlap only if each is in the other's bits; then `apart` tells whether they do. Without a
    condition any request may be meant. To look at each pair would take the square of their number.
    """
    without = _apart_in(_having(conditions))
    everyone = (1 << len(conditions)) - 1
    overlap = []
    for each in conditions:
        mask = everyone if each is None or not each.never else 0
        for subject in each.sets.items() if each is not None else ():
            mask &= ~without.get(subject, 0)
        overlap.append(mask)
    return overlap


_Having = Mapping[tuple[Subject, _Set], int]
"""Subject and set -> bits of conditions."""


def _having(conditions: Sequence[Possible | None]) -> _Having:
    """Return subject and set -> who has it. So a segment's ten thousand users are looked at once."""
    having: dict[tuple[Subject, _Set], int] = {}
    for position, each in enumerate(conditions):
        for subject in each.sets.items() if each is not None else ():
            having[subject] = having.get(subject, 0) | 1 << position
    return having


def _apart_in(having: _Having) -> _Having:
    """Return subject and set -> who has nothing of it in common; without sets of every value but some."""
    ordered: dict[Subject, list[tuple[Ranges, int]]] = {}
    valued: dict[tuple[Subject, ValueSet], int] = {}
    for (subject, values), bits in having.items():
        if isinstance(values, Ranges):
            ordered.setdefault(subject, []).append((values, bits))
        else:
            valued[subject, values] = bits
    finite, holders, excluders = _index(valued)
    found: dict[tuple[Subject, _Set], int] = {
        (subject, values): _without_common_value(values, subject, finite, holders, excluders)
        for subject, values in valued
        if not values.complement
    }
    for subject, sets in ordered.items():
        everyone = reduce(or_, (bits for _, bits in sets))
        for (values, _), met in zip(sets, meeting(sets), strict=True):
            found[subject, values] = everyone & ~met
    return found


_Masks = Mapping[tuple[Subject, Typed], int]


def _index(
    having: Mapping[tuple[Subject, ValueSet], int],
) -> tuple[Mapping[Subject, int], _Masks, _Masks]:
    """Return subject -> who allows only some values; subject and value -> who allows, who excludes it."""
    finite: dict[Subject, int] = {}
    holders: dict[tuple[Subject, Typed], int] = {}
    excluders: dict[tuple[Subject, Typed], int] = {}
    for (name, values), bits in having.items():
        masks = excluders if values.complement else holders
        if not values.complement:
            finite[name] = finite.get(name, 0) | bits
        for value in values.values:
            masks[name, value] = masks.get((name, value), 0) | bits
    return finite, holders, excluders


def _without_common_value(
    values: ValueSet, name: Subject, finite: Mapping[Subject, int], holders: _Masks, excluders: _Masks
) -> int:
    """Return who has no value of a subject in common with a finite set."""
    sharing, excluding = 0, -1
    for value in values.values:
        sharing |= holders.get((name, value), 0)
        excluding &= excluders.get((name, value), 0)
    return (finite[name] & ~sharing) | excluding


def _possible(condition: Condition, segments: Mapping[str, Sides], *, negate: bool) -> Possible:
    match condition:
        case Not(inner):
            return _possible(inner, segments, negate=not negate)
        case Comparison(attribute=name, operator=Operator.IN, values=values):
            wanted = frozenset(map(typed, values))
            return _make({("attribute", name): ValueSet(wanted, complement=negate)})
        case AmongUsers(users):
            return _make({_USER: ValueSet(frozenset(map(typed, users)), complement=negate)})
        case InSegment(name):
            return segments[name][negate] if name in segments else Possible()
        case Comparison():
            return _make(_allowed_by(condition, negate=negate))
        case All(conditions) | AnyOf(conditions):
            parts = [_possible(inner, segments, negate=negate) for inner in conditions]
            return _in_any(parts) if isinstance(condition, AnyOf) is not negate else _in_all(parts)


def _allowed_by(comparison: Comparison, *, negate: bool) -> Mapping[Subject, _Set]:
    """Return what a comparison other than `in` allows of its attribute; of its inverse, what is certain."""
    name, types = comparison.attribute, _types(comparison.operator)
    ordered = (each for each in allowed(comparison) if each.exact or not negate)
    sets: dict[Subject, _Set] = {
        (each.order, name): each.ranges.inverse() if negate else each.ranges for each in ordered
    }
    if comparison.operator is Operator.EXISTS or not negate:
        sets["type", name] = types.inverse() if negate else types
    return sets


def _types(operator: Operator) -> ValueSet:
    """Return the types of values that an operator can be true of."""
    if operator is Operator.EXISTS:
        return ValueSet(frozenset({("type", "absent")}), complement=True)
    if operator in {Operator.HAS_ANY, Operator.HAS_ALL} or operator.name.startswith("SIZE_"):
        return ValueSet(frozenset({("type", "list")}))
    is_number = operator in {Operator.LT, Operator.LE, Operator.GT, Operator.GE}
    return ValueSet(frozenset({("type", "number" if is_number else "text")}))


def _make(sets: Mapping[Subject, _Set]) -> Possible:
    if any(values in _NOTHING for values in sets.values()):
        return Possible(never=True)
    return Possible(sets={name: values for name, values in sets.items() if values not in _ANYTHING})


def _in_all(parts: Iterable[Possible]) -> Possible:
    own: dict[Subject, list[_Set]] = {}
    for part in parts:
        if part.never:
            return part
        for name, values in part.sets.items():
            own.setdefault(name, []).append(values.inverse())
    return _make({name: _union(sets).inverse() for name, sets in own.items()})


def _in_any(parts: Iterable[Possible]) -> Possible:
    count, own = 0, dict[Subject, list[_Set]]()
    for part in parts:
        if not part.never:
            count += 1
            for name, values in part.sets.items():
                own.setdefault(name, []).append(values)
    if not count:
        return Possible(never=True)
    return _make({name: _union(sets) for name, sets in own.items() if len(sets) == count})


def _union(sets: Sequence[_Set]) -> _Set:
    """Return what is in any of some sets, in one pass."""
    if len(sets) == 1:
        return sets[0]
    if isinstance(sets[0], Ranges):
        return in_any(each for each in sets if isinstance(each, Ranges))
    valued = [each for each in sets if isinstance(each, ValueSet)]
    held = NO_VALUES.union(*(each.values for each in valued if not each.complement))
    excluded = [each.values for each in valued if each.complement]
    if not excluded:
        return ValueSet(held)
    smallest = min(excluded, key=len)
    return ValueSet(smallest.intersection(*excluded) - held, complement=True)
