"""Shares by looking at every range of buckets for every context: slow, and what the walk must match."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from itertools import pairwise, product

from lightbulb.model import BASIS_POINTS, AbRule, ObjectiveTable, RequestContext, ShiftRule
from lightbulb.resolution.allocate import bucket, identify
from lightbulb.resolution.conditions import compile_condition, compile_segments

Key = tuple[str, int]
"""A rule's name and a cell's number; 0 for a rule without cells."""

Named = frozenset[tuple[str, str]]
"""Attributes and texts that conditions name: their hash is known."""

Salts = Mapping[tuple[str, str], int]
"""Salt and unit -> a bucket."""


def decide(table: ObjectiveTable, context: RequestContext, buckets: Salts) -> tuple[Key, int]:  # noqa: C901 - flat, as the resolver's own order
    """Return who decides, and the model."""
    segments = compile_segments(table.segments)
    for test in table.ab_rules:
        if test.eligible is not None and not compile_condition(test.eligible, segments)(context):
            continue
        if not identify(test.unit)(context):
            continue
        if test.layer_salt and not test.layer_begin <= buckets[test.layer_salt, test.unit] < test.layer_end:
            continue
        cell = test.cells[bisect_right([each.end for each in test.cells], buckets[test.salt, test.unit])]
        return (test.source.rule, cell.number), cell.model
    for rule in table.context_rules:
        if compile_condition(rule.when, segments)(context):
            return (rule.source.rule, 0), rule.model
    for shift in table.shifts:
        if shift.when is not None and not compile_condition(shift.when, segments)(context):
            continue
        if identify(shift.unit)(context) and buckets[shift.salt, shift.unit] < shift.basis_points:
            return (shift.source.rule, 0), shift.model
    return (table.default_source.rule, 0), table.default_model


def cuts(tables: Iterable[ObjectiveTable]) -> Mapping[tuple[str, str], list[int]]:
    """Return for each salt and unit where anything changes."""
    found: dict[tuple[str, str], set[int]] = {}

    def add(salt: str, rule: AbRule | ShiftRule, *ends: int) -> None:
        found.setdefault((salt, rule.unit), {0, BASIS_POINTS}).update(ends)

    for table in tables:
        for test in table.ab_rules:
            add(test.salt, test, *(cell.end for cell in test.cells))
            if test.layer_salt:
                add(test.layer_salt, test, test.layer_begin, test.layer_end)
        for shift in table.shifts:
            add(shift.salt, shift, shift.basis_points)
    return {key: sorted(ends) for key, ends in found.items()}


def ranges(
    tables: Iterable[ObjectiveTable], context: RequestContext, named: Named
) -> Iterator[tuple[Salts, Fraction]]:
    """Yield a bucket for each salt, and the share of users it stands for. A named text has one."""
    by_salt = cuts(tables)
    options = []
    for (salt, unit), ends in by_salt.items():
        text = identify(unit)(context) if unit else ""
        if (unit, text) in named:
            options.append([(bucket(salt, text), Fraction(1))])
        else:
            options.append([(low, Fraction(high - low, BASIS_POINTS)) for low, high in pairwise(ends)])
    for chosen in product(*options):
        share = Fraction(1)
        for _, part in chosen:
            share *= part
        yield dict(zip(by_salt, (low for low, _ in chosen), strict=True)), share


def shares(
    table: ObjectiveTable, context: RequestContext, named: Named
) -> tuple[Mapping[Key, Fraction], Mapping[int, Fraction]]:
    """Return the share of each outcome and each model for one context."""
    outcomes, models = Counter[Key](), Counter[int]()
    for buckets, share in ranges([table], context, named):
        key, model = decide(table, context, buckets)
        outcomes[key] += share
        models[model] += share
    return outcomes, models


def moves(
    one: ObjectiveTable, other: ObjectiveTable, context: RequestContext, named: Named
) -> Mapping[tuple[int, int], Fraction]:
    """Return the share of those who get another model from `other`, by both models."""
    found = Counter[tuple[int, int]]()
    for buckets, share in ranges([one, other], context, named):
        before, after = (decide(table, context, buckets)[1] for table in (one, other))
        if one.models[before] != other.models[after]:
            found[before, after] += share
    return found
