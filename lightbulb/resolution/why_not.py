"""Says which parts of a condition fail, and what was compared with what. Only explanations need it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from heapq import nsmallest
from itertools import chain, islice
from types import MappingProxyType

from lightbulb.model import (
    FIXED_ATTRIBUTES,
    All,
    AmongUsers,
    AnyOf,
    AttributeValue,
    Comparison,
    Condition,
    InSegment,
    Not,
    RequestContext,
)
from lightbulb.resolution.conditions import compile_condition

MAX_PARTS = 8
"""Parts that are named; a condition may have hundreds."""

MAX_VALUES = 8
"""Values of one comparison that are named."""

MAX_TEXT = 80
"""Characters of one value."""


NO_SEGMENTS: Mapping[str, Condition] = MappingProxyType({})


def why_not(
    condition: Condition, context: RequestContext, segments: Mapping[str, Condition] = NO_SEGMENTS
) -> str:
    """Return why `context` doesn't meet `condition`, a part after the other; empty when it does."""
    parts = list(islice(_Search(context, segments).failing(condition, wanted=True), MAX_PARTS + 1))
    more = ["…"] if len(parts) > MAX_PARTS else []
    return "; ".join([*parts[:MAX_PARTS], *more])


def comparison_text(comparison: Comparison) -> str:
    """Return a comparison for people: `country in 'FR', 'BE'`."""
    values = [_short(value) for value in comparison.values[:MAX_VALUES]]
    more = ["…"] if len(comparison.values) > MAX_VALUES else []
    return f"{comparison.attribute} {comparison.operator.value} {', '.join([*values, *more])}".rstrip()


def users_text(users: frozenset[str]) -> str:
    """Return a list of users for people: `one of 3 users: 'a', 'b', 'c'`."""
    some = [_short(user) for user in nsmallest(MAX_VALUES, users)]
    more = ["…"] if len(users) > MAX_VALUES else []
    return f"one of {len(users)} users: {', '.join([*some, *more])}"


@dataclass(frozen=True, slots=True)
class _Search:
    """Looks for what keeps conditions from being met by one context."""

    context: RequestContext
    segments: Mapping[str, Condition]
    found: dict[tuple[str, bool], tuple[str, ...]] = field(default_factory=dict)
    """Of each segment and what is wanted of it: segments share others, so each is looked at once."""

    def failing(self, condition: Condition, *, wanted: bool) -> Iterator[str]:
        """Yield each part that keeps `condition` from being what is `wanted`."""
        match condition:
            case Not(inner):
                yield from self.failing(inner, wanted=not wanted)
            case All(conditions) | AnyOf(conditions):
                parts = [tuple(self.failing(inner, wanted=wanted)) for inner in conditions]
                needs_every = isinstance(condition, All) is wanted
                if not conditions and not needs_every:
                    yield "it has no alternative that could hold"
                elif needs_every or all(parts):
                    yield from chain.from_iterable(parts)
            case Comparison() | AmongUsers():
                if compile_condition(condition)(self.context) is not wanted:
                    asked = f"{'' if wanted else 'not '}wanted: {_asked(condition)}"
                    yield f"{_found(condition, self.context)} ({asked})"
            case InSegment(name):
                yield from self._outside(name, wanted=wanted)

    def _outside(self, name: str, *, wanted: bool) -> tuple[str, ...]:
        """Return what keeps the context from being in a segment, or out of it when that is `wanted`."""
        if (name, wanted) not in self.found:
            parts = islice(self.failing(self.segments[name], wanted=wanted), MAX_PARTS + 1)
            self.found[name, wanted] = tuple(f"segment {name}: {part}" for part in parts)
        return self.found[name, wanted]


def _found(condition: Comparison | AmongUsers, context: RequestContext) -> str:
    if isinstance(condition, AmongUsers):
        return f"user is {_short(context.user_id)}"
    value = _value(condition.attribute, context)
    return f"{condition.attribute} is {_short(value) if value is not None else 'absent'}"


def _asked(condition: Comparison | AmongUsers) -> str:
    return users_text(condition.users) if isinstance(condition, AmongUsers) else comparison_text(condition)


def _value(name: str, context: RequestContext) -> AttributeValue | None:
    """Return what a condition compares; an empty field is an absent attribute."""
    if name in FIXED_ATTRIBUTES:
        return getattr(context, name) or None
    return context.attributes.get(name)


def _short(value: AttributeValue) -> str:
    text = repr(list(value) if isinstance(value, tuple) else value)
    return text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + "…"
