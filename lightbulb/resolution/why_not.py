"""Says which parts of a condition fail, and what was compared with what. Only explanations need it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice

from lightbulb.model import (
    FIXED_ATTRIBUTES,
    All,
    AnyOf,
    Comparison,
    Condition,
    Not,
    RequestContext,
    Value,
)
from lightbulb.resolution.conditions import compile_condition

MAX_PARTS = 8
"""Parts that are named; a condition may have hundreds."""

MAX_VALUES = 8
"""Values of one comparison that are named."""

MAX_TEXT = 80
"""Characters of one value."""


def why_not(condition: Condition, context: RequestContext) -> str:
    """Return why `context` doesn't meet `condition`, a part after the other; empty when it does."""
    parts = list(islice(_failing(condition, context, wanted=True), MAX_PARTS + 1))
    more = ["…"] if len(parts) > MAX_PARTS else []
    return "; ".join([*parts[:MAX_PARTS], *more])


def comparison_text(comparison: Comparison) -> str:
    """Return a comparison for people: `country in 'FR', 'BE'`."""
    values = [_short(value) for value in comparison.values[:MAX_VALUES]]
    more = ["…"] if len(comparison.values) > MAX_VALUES else []
    return f"{comparison.attribute} {comparison.operator.value} {', '.join([*values, *more])}".rstrip()


def _failing(condition: Condition, context: RequestContext, *, wanted: bool) -> Iterator[str]:
    """Yield each comparison that keeps `condition` from being what is `wanted`."""
    match condition:
        case Not(inner):
            yield from _failing(inner, context, wanted=not wanted)
        case All(conditions) | AnyOf(conditions):
            parts = [tuple(_failing(inner, context, wanted=wanted)) for inner in conditions]
            needs_every = isinstance(condition, All) is wanted
            if not conditions and not needs_every:
                yield "it has no alternative that could hold"
            elif needs_every or all(parts):
                yield from chain.from_iterable(parts)
        case Comparison():
            if compile_condition(condition)(context) is not wanted:
                yield _text(condition, context, wanted=wanted)


def _text(comparison: Comparison, context: RequestContext, *, wanted: bool) -> str:
    value = _value(comparison.attribute, context)
    found = f"{comparison.attribute} is {_short(value) if value is not None else 'absent'}"
    return f"{found} ({'wanted' if wanted else 'not wanted'}: {comparison_text(comparison)})"


def _value(name: str, context: RequestContext) -> Value | None:
    """Return what a condition compares; an empty field is an absent attribute."""
    if name in FIXED_ATTRIBUTES:
        return getattr(context, name) or None
    return context.attributes.get(name)


def _short(value: Value) -> str:
    text = repr(value)
    return text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + "…"
