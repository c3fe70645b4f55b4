"""In which orders values stand, and which places of them a comparison allows. Pure.

An attribute's value has a place in several orders: "v5.1" is a text, and a version. Each order is looked at
by itself, so what two comparisons say of one of them tells whether both can be true of one value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Any, Final

from lightbulb.model import AttributeValue, Comparison, Operator, Value
from lightbulb.resolution.dates import instant, strict_instant
from lightbulb.resolution.ranges import NOTHING, Ranges, beginning, compared, in_any, point
from lightbulb.resolution.versions import lenient_key, semver_key


class Order(Enum):
    """What puts values in an order."""

    NUMBER = "number"
    TEXT = "text"
    FOLDED = "text without case"
    DATE = "date"
    VERSION = "version"
    SEMVER = "semantic version"
    SIZE = "size of a list"


@dataclass(frozen=True, slots=True)
class Allowed:
    """What a comparison allows in one order. `exact`: whoever is there is allowed, so its inverse is too."""

    order: Order
    ranges: Ranges
    exact: bool = True


def place_of(order: Order, value: AttributeValue) -> Any:
    """Return where a value stands in an order; None: nowhere."""
    if isinstance(value, tuple):
        return len(value) if order is Order.SIZE else None
    if isinstance(value, str):
        return _PLACES[order](value) if order in _PLACES else None
    is_number = not isinstance(value, bool) and value == value  # noqa: PLR0124 - NaN is in no order
    return value if order is Order.NUMBER and is_number else None


def places(order: Order, values: frozenset[tuple[str, Value]]) -> Ranges:
    """Return where values stand in an order."""
    found = {place_of(order, value) for _, value in values}
    return in_any([Ranges((), outside=None in found), *(point(each) for each in found if each is not None)])


def allowed(comparison: Comparison) -> Iterator[Allowed]:
    """Yield what a comparison allows in each order that it says something of; nothing for a bad value."""
    values = comparison.values
    texts = tuple(value for value in values if isinstance(value, str))
    match comparison.operator:
        case Operator.PREFIX:
            yield Allowed(Order.TEXT, in_any(map(beginning, texts)))
            yield Allowed(Order.FOLDED, in_any(beginning(text.casefold()) for text in texts), exact=False)
        case Operator.PREFIX_IGNORING_CASE:
            yield Allowed(Order.FOLDED, in_any(beginning(text.casefold()) for text in texts))
        case Operator.IN_IGNORING_CASE:
            yield Allowed(Order.FOLDED, in_any(point(text.casefold()) for text in texts))
        case Operator.BEFORE | Operator.AFTER:
            sign = "<" if comparison.operator is Operator.BEFORE else ">"
            limit = strict_instant(texts[0]) if texts else None
            yield from (Allowed(Order.DATE, compared(sign, limit)),) if limit is not None else ()
        case _:
            kind, _, sign = comparison.operator.value.rpartition(" ")
            if kind in _COMPARED and values:
                yield from _COMPARED[kind](sign, values[0])


def _numbers(order: Order) -> Callable[[str, Value], Iterator[Allowed]]:
    def found(sign: str, value: Value) -> Iterator[Allowed]:
        if sign in _SIGNS and not isinstance(value, str) and value == value:  # noqa: PLR0124 - not NaN
            limit = float(value)
            yield Allowed(order, _whole(sign, limit) if order is Order.SIZE else compared(sign, limit))

    return found


def _whole(sign: str, limit: float) -> Ranges:
    """Return the sizes that compare so with one: from 0 on, and none between one and the next."""
    begin = {"==": limit, ">": limit + 1, ">=": limit}.get(sign, 0)
    if sign in {">", ">="}:
        return Ranges(((begin, 0),))
    end = limit if sign == "<" else limit + 1
    return Ranges(((begin, 0), (end, 0))) if begin < end else NOTHING


def _versions(sign: str, value: Value) -> Iterator[Allowed]:
    limit = semver_key(str(value))
    if limit is not None:
        yield Allowed(Order.VERSION, _version_range(sign, limit))


def _semvers(sign: str, value: Value) -> Iterator[Allowed]:
    # A semantic version is a version, too, and the same one.
    for each in _versions(sign, value):
        yield Allowed(Order.SEMVER, each.ranges)
        yield Allowed(Order.VERSION, each.ranges, exact=False)


def _version_range(sign: str, limit: tuple[Any, ...]) -> Ranges:
    if sign in _SIGNS:
        return compared(sign, limit)
    length = next((at for at in (1, 2) if limit[at - 1]), 3) if sign == "^" else 2
    head = limit[:length]
    if length == 3:  # the release comes after all others of its numbers
        return Ranges(((limit, 0), ((*head, True, ()), 1)))
    # The next head comes before all that begins with it, and after all that begins with this one.
    return Ranges(((limit, 0), ((*head[:-1], head[-1] + 1), 0)))


_SIGNS: Final = frozenset({"==", "<", "<=", ">", ">="})
_PLACES: Final[Mapping[Order, Callable[[str], Any]]] = MappingProxyType(
    {
        Order.TEXT: str,
        Order.FOLDED: str.casefold,
        Order.DATE: instant,
        Order.VERSION: lenient_key,
        Order.SEMVER: semver_key,
    }
)
_COMPARED: Final[Mapping[str, Callable[[str, Value], Iterator[Allowed]]]] = MappingProxyType(
    {
        "": _numbers(Order.NUMBER),
        "size": _numbers(Order.SIZE),
        "semver": _versions,
        "strict semver": _semvers,
    }
)
"""What an operator's name says before its sign."""
