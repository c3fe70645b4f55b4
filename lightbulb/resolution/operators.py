"""The operators of comparisons: what each takes, and the test that it makes. A new one is a line below.

A test is total: it is false for a value of another type, and for a list unless the operator is one of lists.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import partial
from operator import eq, ge, gt, le, lt
from typing import Any

from lightbulb.model import AttributeValue, Comparison, Operator, Value
from lightbulb.resolution.bad_value import BadValue
from lightbulb.resolution.dates import instant, strict_instant
from lightbulb.resolution.networks import network_test
from lightbulb.resolution.patterns import pattern_test
from lightbulb.resolution.versions import VersionKey, completed, lenient_key, semver_key

Test = Callable[[AttributeValue], bool]
Order = Callable[[Any, Any], bool]


class Takes(Enum):
    """How many values an operator compares with."""

    NONE = "nothing"
    ONE = "one value"
    SOME = "one or more values"


class Kind(Enum):
    """What the values of an operator are."""

    SCALAR = "texts, numbers or booleans"
    TEXT = "texts"
    NUMBER = "numbers"


@dataclass(frozen=True, slots=True)
class Form:
    """What authors give an operator, and how it becomes a test. `make` raises BadValue."""

    takes: Takes
    kind: Kind
    make: Callable[[tuple[Value, ...]], Test]


def value_test(comparison: Comparison) -> Test:
    """Return what says whether a value compares so; raise BadValue when `comparison` has a bad one."""
    return OPERATORS[comparison.operator].make(comparison.values)


def typed(value: Value) -> tuple[str, Value]:
    """Return a value that is equal to another only if a rule would call them equal."""
    # In Python True == 1; in a rule they differ.
    kind = "bool" if isinstance(value, bool) else "text" if isinstance(value, str) else "number"
    return kind, value


def _exists(_: tuple[Value, ...]) -> Test:
    return lambda _: True


def _among(values: tuple[Value, ...]) -> Test:
    wanted = frozenset(map(typed, values))
    return lambda value: not isinstance(value, tuple) and typed(value) in wanted


def _prefix(values: tuple[Value, ...]) -> Test:
    prefixes = _texts(values)
    return lambda value: isinstance(value, str) and value.startswith(prefixes)


def _suffix(values: tuple[Value, ...]) -> Test:
    suffixes = _texts(values)
    return lambda value: isinstance(value, str) and value.endswith(suffixes)


def _contains(values: tuple[Value, ...]) -> Test:
    parts = _texts(values)
    if len(parts) == 1:
        only = parts[0]
        return lambda value: isinstance(value, str) and only in value
    return lambda value: isinstance(value, str) and any(part in value for part in parts)


def _same_text(values: tuple[Value, ...]) -> Test:
    wanted = frozenset(_texts(values))
    return lambda value: isinstance(value, str) and value in wanted


def _folded(make: Callable[[tuple[Value, ...]], Test], values: tuple[Value, ...]) -> Test:
    test = make(tuple(text.casefold() for text in _texts(values)))
    return lambda value: isinstance(value, str) and test(value.casefold())


def _of_texts(make: Callable[[tuple[str, ...]], Callable[[str], bool]], values: tuple[Value, ...]) -> Test:
    test = make(_texts(values))
    return lambda value: isinstance(value, str) and test(value)


def _number(order: Order, sign: str, values: tuple[Value, ...]) -> Test:
    bound = values[0]
    if isinstance(bound, str):
        raise BadValue(f"{sign} compares numbers, not {bound!r}", "write a number, without quotes")
    limit = float(bound)
    return lambda value: (
        isinstance(value, int | float) and not isinstance(value, bool) and order(value, limit)
    )


def _date(order: Order, values: tuple[Value, ...]) -> Test:
    (bound,) = _texts(values[:1])
    limit = strict_instant(bound)
    if limit is None:
        raise BadValue(
            f"{bound!r} is not a date, or a date-time with a zone, of RFC 3339",
            'write for example "2026-01-31" (its midnight, UTC) or "2026-01-31T09:00:00+01:00"',
        )

    def test(value: AttributeValue) -> bool:
        when = instant(value) if isinstance(value, str) else None
        return when is not None and order(when, limit)

    return test


def _version(order: Order, key_of: Callable[[str], VersionKey | None], values: tuple[Value, ...]) -> Test:
    limit = _version_bound(values)

    def test(value: AttributeValue) -> bool:
        key = key_of(value) if isinstance(value, str) else None
        return key is not None and order(key, limit)

    return test


def _version_range(
    key_of: Callable[[str], VersionKey | None], values: tuple[Value, ...], *, caret: bool
) -> Test:
    """Return a test for versions from the first value on that have its leading numbers.

    Those are the first two, or with `caret` all up to the first that isn't 0.
    """
    limit = _version_bound(values)
    length = next((at for at, number in enumerate(limit[:3], start=1) if number), 3) if caret else 2
    head = limit[:length]

    def test(value: AttributeValue) -> bool:
        key = key_of(value) if isinstance(value, str) else None
        return key is not None and key[:length] == head and key >= limit

    return test


def _version_bound(values: tuple[Value, ...]) -> VersionKey:
    text = str(values[0])
    limit = semver_key(text)
    if limit is None:
        whole = completed(text)
        remedy = (
            f"all three numbers, and nothing before them: {whole}"
            if whole
            else "all three numbers, for example 5.1.0"
        )
        raise BadValue(f"{text!r} is not a semantic version", f"write {remedy}")
    return limit


def _has_any(values: tuple[Value, ...]) -> Test:
    if len(values) == len(_texts(values)):  # only a text can equal a text
        texts = frozenset(values)
        return lambda value: isinstance(value, tuple) and not texts.isdisjoint(value)
    wanted = frozenset(map(typed, values))
    return lambda value: isinstance(value, tuple) and any(typed(each) in wanted for each in value)


def _has_all(values: tuple[Value, ...]) -> Test:
    if len(values) == len(_texts(values)):
        texts = frozenset(values)
        return lambda value: isinstance(value, tuple) and texts.issubset(value)
    wanted = frozenset(map(typed, values))
    return lambda value: isinstance(value, tuple) and wanted.issubset(map(typed, value))


def _size(order: Order, values: tuple[Value, ...]) -> Test:
    bound = values[0]
    if isinstance(bound, str | bool) or bound < 0 or bound != int(bound):
        raise BadValue(f"a list can't have {bound!r} elements", "write a whole number from 0")
    return lambda value: isinstance(value, tuple) and order(len(value), bound)


def _texts(values: tuple[Value, ...]) -> tuple[str, ...]:
    return tuple(value for value in values if isinstance(value, str))


_ORDERS: Mapping[str, Order] = {"EQ": eq, "LT": lt, "LE": le, "GT": gt, "GE": ge}


def _texts_form(make: Callable[[tuple[Value, ...]], Test]) -> Form:
    return Form(Takes.SOME, Kind.TEXT, make)


OPERATORS: Mapping[Operator, Form] = {
    Operator.IN: Form(Takes.SOME, Kind.SCALAR, _among),
    Operator.IN_IGNORING_CASE: _texts_form(partial(_folded, _same_text)),
    Operator.PREFIX: _texts_form(_prefix),
    Operator.PREFIX_IGNORING_CASE: _texts_form(partial(_folded, _prefix)),
    Operator.SUFFIX: _texts_form(_suffix),
    Operator.SUFFIX_IGNORING_CASE: _texts_form(partial(_folded, _suffix)),
    Operator.CONTAINS: _texts_form(_contains),
    Operator.CONTAINS_IGNORING_CASE: _texts_form(partial(_folded, _contains)),
    Operator.MATCHES: _texts_form(partial(_of_texts, pattern_test)),
    Operator.IN_NETWORK: _texts_form(partial(_of_texts, network_test)),
    Operator.BEFORE: Form(Takes.ONE, Kind.TEXT, partial(_date, lt)),
    Operator.AFTER: Form(Takes.ONE, Kind.TEXT, partial(_date, gt)),
    Operator.HAS_ANY: Form(Takes.SOME, Kind.SCALAR, _has_any),
    Operator.HAS_ALL: Form(Takes.SOME, Kind.SCALAR, _has_all),
    Operator.EXISTS: Form(Takes.NONE, Kind.SCALAR, _exists),
    **{
        Operator[name]: Form(Takes.ONE, Kind.NUMBER, partial(_number, order, Operator[name].value))
        for name, order in _ORDERS.items()
        if name != "EQ"
    },
    **{
        Operator[f"SIZE_{name}"]: Form(Takes.ONE, Kind.NUMBER, partial(_size, order))
        for name, order in _ORDERS.items()
    },
    **{
        Operator[f"{prefix}_{name}"]: Form(Takes.ONE, Kind.TEXT, partial(_version, order, key_of))
        for prefix, key_of in (("VERSION", lenient_key), ("SEMVER", semver_key))
        for name, order in _ORDERS.items()
    },
    **{
        Operator[f"{prefix}_{name}"]: Form(
            Takes.ONE, Kind.TEXT, partial(_version_range, key_of, caret=name == "CARET")
        )
        for prefix, key_of in (("VERSION", lenient_key), ("SEMVER", semver_key))
        for name in ("TILDE", "CARET")
    },
}
"""Every operator."""
