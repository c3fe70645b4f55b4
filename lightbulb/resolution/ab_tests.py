"""A/B tests: which cell a context is in, as a function of it; and in words."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from lightbulb.model import NO_CELLS, AbRule, Condition, RequestContext
from lightbulb.resolution.allocate import (
    HASH,
    UNSIGNED,
    bucket,
    first_hash,
    identify,
    in_layer,
    salt_prefix,
    without_unit,
)
from lightbulb.resolution.conditions import Predicate
from lightbulb.resolution.why_not import why_not

Answer_co = TypeVar("Answer_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Test(Generic[Answer_co]):
    """An A/B rule, ready to answer. `answers` has one for each of its cells."""

    rule: AbRule
    eligible: Predicate | None
    answers: tuple[Answer_co, ...]
    by_cell: Mapping[int, Answer_co]


def make_test(rule: AbRule, eligible: Predicate | None, answers: Sequence[Answer_co]) -> Test[Answer_co]:
    """Return a rule with what says who is eligible, and an answer for each of its cells."""
    by_cell = {cell.number: answer for cell, answer in zip(rule.cells, answers, strict=True)}
    return Test(rule, eligible, tuple(answers), by_cell)


def compile_test(test: Test[Answer_co]) -> Callable[[RequestContext], Answer_co | None]:
    """Return a function that gives the answer for a context, or None when the test has none."""
    if test.rule.unit:
        return _by_unit(test)
    rule, eligible, by_cell, answers = test.rule, test.eligible, test.by_cell, test.answers
    test_id, prefix = rule.test_id, salt_prefix(rule.salt)
    ends = tuple(first_hash(cell.end) for cell in rule.cells)
    layer = salt_prefix(rule.layer_salt) if rule.layer_salt else ""
    low, high = first_hash(rule.layer_begin), first_hash(rule.layer_end)

    def allocate(context: RequestContext) -> Answer_co | None:
        if eligible is not None and not eligible(context):
            return None
        if context.allocations is not NO_CELLS:
            known = context.allocations.get(test_id)
            if known is not None:
                return by_cell.get(known)
        user_id = context.user_id
        if layer and not low <= HASH(layer + user_id, 0, UNSIGNED) < high:
            return None
        return answers[bisect_right(ends, HASH(prefix + user_id, 0, UNSIGNED))]

    return allocate


def _by_unit(test: Test[Answer_co]) -> Callable[[RequestContext], Answer_co | None]:
    """Return the same for a test that doesn't go by users."""
    rule, eligible, by_cell, answers = test.rule, test.eligible, test.by_cell, test.answers
    unit_of, prefix = identify(rule.unit), salt_prefix(rule.salt)
    ends = tuple(first_hash(cell.end) for cell in rule.cells)

    def allocate(context: RequestContext) -> Answer_co | None:
        if eligible is not None and not eligible(context):
            return None
        known = context.allocations.get(rule.test_id)
        if known is not None:
            return by_cell.get(known)
        unit = unit_of(context)
        if not unit or not in_layer(rule, unit):
            return None
        return answers[bisect_right(ends, HASH(prefix + unit, 0, UNSIGNED))]

    return allocate


def explain_test(
    test: Test[Answer_co], context: RequestContext, segments: Mapping[str, Condition]
) -> tuple[Answer_co | None, str]:
    """Return the answer for a context, or None, and why."""
    rule, named = test.rule, f"test {test.rule.test_id}"
    if rule.eligible is not None and test.eligible is not None and not test.eligible(context):
        return None, f"not eligible for {named}: {why_not(rule.eligible, context, segments)}"
    known = context.allocations.get(rule.test_id)
    if known is not None:
        answer = test.by_cell.get(known)
        if answer is None:
            return None, f"{named} has no cell {known}, which the caller named"
        return answer, f"{named}: the caller says cell {known}"
    unit = identify(rule.unit)(context)
    if rule.unit and not unit:
        return None, f"{named}: {without_unit(rule.unit, context)}"
    if not in_layer(rule, unit):
        return None, f"{named} doesn't own the {rule.unit or 'user'}'s part of its layer"
    position = bucket(rule.salt, unit)
    index = bisect_right([cell.end for cell in rule.cells], position)
    cell = rule.cells[index].number
    return test.answers[index], f"{named}: bucket {position} of 10000{_of(rule.unit)} is in cell {cell}"


def _of(unit: str) -> str:
    return f" by {unit}" if unit else ""
