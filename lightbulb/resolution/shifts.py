"""Gradual shifts: whom they shift, as a function of a context; and in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from lightbulb.model import Condition, RequestContext, ShiftRule
from lightbulb.resolution.allocate import (
    HASH,
    UNSIGNED,
    bucket,
    first_hash,
    identify,
    salt_prefix,
    without_unit,
)
from lightbulb.resolution.conditions import Predicate
from lightbulb.resolution.why_not import why_not

Answer_co = TypeVar("Answer_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Shift(Generic[Answer_co]):
    """A shift, ready to answer."""

    rule: ShiftRule
    when: Predicate | None
    answer: Answer_co


def compile_shift(rule: ShiftRule, when: Predicate | None) -> Predicate:
    """Return a function that says whether a shift shifts a context."""
    prefix, end = salt_prefix(rule.salt), first_hash(rule.basis_points)
    if when is None and not rule.unit:
        return lambda context: HASH(prefix + context.user_id, 0, UNSIGNED) < end
    unit_of = identify(rule.unit)

    def shifted(context: RequestContext) -> bool:
        if when is not None and not when(context):
            return False
        unit = unit_of(context)
        return bool(unit) and HASH(prefix + unit, 0, UNSIGNED) < end

    return shifted


def explain_shift(
    shift: Shift[Answer_co], context: RequestContext, segments: Mapping[str, Condition]
) -> tuple[Answer_co | None, str]:
    """Return the answer for a context, or None, and why."""
    rule = shift.rule
    if rule.when is not None and shift.when is not None and not shift.when(context):
        return None, f"its condition doesn't hold: {why_not(rule.when, context, segments)}"
    unit = identify(rule.unit)(context)
    if rule.unit and not unit:
        return None, without_unit(rule.unit, context)
    position = bucket(rule.salt, unit)
    by = f" by {rule.unit}" if rule.unit else ""
    detail = f"bucket {position} of 10000{by}, shifted below {rule.basis_points}"
    return (shift.answer if position < rule.basis_points else None), detail
