"""An ObjectiveTable as steps on boxes and buckets, in the order in which the resolver decides. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from controlplane.planning.shares.boxes import NO_PARTS, Space, Tree, grouped
from lightbulb.model import BASIS_POINTS, AbRule, Condition, ObjectiveTable, ShiftRule, Source
from lightbulb.resolution.resolve import Reason


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outcome:
    """What may decide: a rule, and of a test a cell. `weight` is what it says itself, in basis points.

    Each is one object in its steps, so they compare by identity.
    """

    reason: Reason
    source: Source
    model: int
    weight: int = BASIS_POINTS
    test_id: str = ""
    cell: int = 0


@dataclass(frozen=True, slots=True)
class Salt:
    """What gives a bucket: a salt, and what it is hashed with; an empty unit is the user."""

    salt: str
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Those who meet `when` are decided on: of those in the part of a layer, all in a range of buckets.

    `ranges` are (end, outcome), each from the end before; whoever is beyond the last is decided on by later
    steps. Without a salt everybody is.
    """

    when: Tree
    ranges: tuple[tuple[int, Outcome], ...]
    salt: Salt | None = None
    layer: Salt | None = None
    layer_begin: int = 0
    layer_end: int = BASIS_POINTS


def steps_of(table: ObjectiveTable, space: Space) -> tuple[Step, ...]:
    """Return the steps of a table; the last one decides on everybody."""
    return tuple(_steps(table, space))


def salts_of(steps: Sequence[Step]) -> tuple[Salt, ...]:
    """Return the salts of some steps, each once."""
    found = (salt for step in steps for salt in (step.layer, step.salt) if salt is not None)
    return tuple(dict.fromkeys(found))


def _steps(table: ObjectiveTable, space: Space) -> Iterator[Step]:
    segments: dict[str, Tree] = {}
    for segment in table.segments:
        segments[segment.name] = space.tree(segment.when, segments)
    for test in table.ab_rules:
        yield _test(test, _when(test.eligible, test.unit, segments, space))
    for rule in table.context_rules:
        outcome = Outcome(reason=Reason.CONTEXT, source=rule.source, model=rule.model)
        yield Step(when=space.tree(rule.when, segments), ranges=((BASIS_POINTS, outcome),))
    for shift in table.shifts:
        yield _shift(shift, _when(shift.when, shift.unit, segments, space))
    default = Outcome(reason=Reason.DEFAULT, source=table.default_source, model=table.default_model)
    yield Step(when=NO_PARTS, ranges=((BASIS_POINTS, default),))


def _when(condition: Condition | None, unit: str, segments: Mapping[str, Tree], space: Space) -> Tree:
    meant = NO_PARTS if condition is None else space.tree(condition, segments)
    return grouped((meant, space.has_unit(unit)), some=False) if unit else meant


def _test(rule: AbRule, when: Tree) -> Step:
    cells = [(cell.number, cell.model) for cell in rule.cells]
    weights = dict.fromkeys(cells, 0)
    for key, (begin, end) in zip(cells, pairwise((0, *(cell.end for cell in rule.cells))), strict=True):
        weights[key] += end - begin
    outcomes = {
        (number, model): Outcome(
            reason=Reason.AB_TEST,
            source=rule.source,
            model=model,
            weight=weight,
            test_id=rule.test_id,
            cell=number,
        )
        for (number, model), weight in weights.items()
    }
    ranges = [(cell.end, outcomes[key]) for key, cell in zip(cells, rule.cells, strict=True)]
    layer = Salt(rule.layer_salt, rule.unit) if rule.layer_salt else None
    return Step(
        when=when,
        ranges=tuple(ranges),
        salt=Salt(rule.salt, rule.unit),
        layer=layer,
        layer_begin=rule.layer_begin,
        layer_end=rule.layer_end,
    )


def _shift(rule: ShiftRule, when: Tree) -> Step:
    outcome = Outcome(reason=Reason.SHIFT, source=rule.source, model=rule.model, weight=rule.basis_points)
    return Step(when=when, ranges=((rule.basis_points, outcome),), salt=Salt(rule.salt, rule.unit))
