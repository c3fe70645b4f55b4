"""What rules name, looked up in what the platform defines. Pure.

A name whose item stands in a file but couldn't be read is not called unknown: what is wrong with it is
said where it stands.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from controlplane.problems import Problem, problem_at
from controlplane.rules.definitions import Definitions
from controlplane.rules.segments import unknown_segments
from controlplane.rules.shapes import (
    AbTest,
    ContextCondition,
    Default,
    ModelRef,
    Overrides,
    Rule,
    Shadow,
    Shift,
)
from controlplane.rules.yaml_file import hint
from lightbulb.model import Condition, model_id
from lightbulb.resolution.segments import segments_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """What rules name, of what there is: ids of models, tests, segments."""

    models: frozenset[str]
    tests: frozenset[str]
    segments: frozenset[str]


def names_in(rules: Iterable[Rule], definitions: Definitions) -> Named:
    """Return what some rules name."""
    rules = tuple(rules)
    return Named(
        models=frozenset(name for rule in rules for name in named_models(rule, definitions)),
        tests=frozenset(rule.test_id for rule in rules if isinstance(rule, AbTest)),
        segments=frozenset(
            name for rule in rules for condition in condition_of(rule) for name in segments_of(condition)
        ),
    )


def all_named(parts: Iterable[Named]) -> Named:
    """Return what is named in any of the parts."""
    parts = tuple(parts)
    return Named(
        models=frozenset().union(*(each.models for each in parts)),
        tests=frozenset().union(*(each.tests for each in parts)),
        segments=frozenset().union(*(each.segments for each in parts)),
    )


def check_names(rules: Iterable[Rule], definitions: Definitions, problems: list[Problem]) -> None:
    """Note objectives, tests, cells and models that aren't defined."""
    for rule in rules:
        for name in rule.objectives:
            if name not in definitions.objectives and name not in definitions.unread["objectives"]:
                message = f"objective {name} is unknown"
                remedy = hint(name, definitions.objectives, problems)
                problems.append(problem_at(rule.source, "UNKNOWN_OBJECTIVE", message, remedy))
        if isinstance(rule, AbTest):
            _check_cells(rule, definitions, problems)
        _check_models(rule, definitions, problems)
        for name in unknown_segments(condition_of(rule), definitions.segments):
            if name not in definitions.unread["segments"]:
                remedy = hint(name, definitions.segments, problems)
                message = f"segment {name} is unknown"
                problems.append(problem_at(rule.source, "UNKNOWN_SEGMENT", message, remedy))


def condition_of(rule: Rule) -> tuple[Condition, ...]:
    """Return the condition that a rule has itself, if it has one."""
    match rule:
        case ContextCondition(when=when):
            return (when,)
        case Shift(when=when) if when is not None:
            return (when,)
    return ()


def _check_cells(rule: AbTest, definitions: Definitions, problems: list[Problem]) -> None:
    def note(code: str, message: str, remedy: str) -> None:
        problems.append(problem_at(rule.source, code, message, remedy))

    test = definitions.experiments.get(rule.test_id)
    if test is None:
        if rule.test_id not in definitions.unread["experiments"]:
            remedy = hint(rule.test_id, definitions.experiments, problems)
            note("UNKNOWN_TEST", f"test {rule.test_id} is unknown", remedy)
        return
    cells = {cell.number for cell in test.cells}
    for number in sorted(rule.cells.keys() - cells):
        remedy = f"use {', '.join(map(str, sorted(cells)))}"
        note("UNKNOWN_CELL", f"test {rule.test_id} has no cell {number}", remedy)
    for number in sorted(cells - rule.cells.keys()):
        remedy = f"add {number}: {{name: ...}}"
        note("CELL_WITHOUT_MODEL", f"cell {number} of test {rule.test_id} has no model", remedy)


def _refs(rule: Rule) -> Iterable[ModelRef]:
    match rule:
        case AbTest(cells=cells):
            return cells.values()
        case Shadow(model=model):
            return (model,)
        case Shift(start=start, end=end):
            return (start, end)
        case Overrides(models=models):
            return models
        case Default(model=model) | ContextCondition(model=model):
            return (model,)


def version_of(ref: ModelRef, definitions: Definitions) -> str | None:
    """Return the version that a rule means; None when there is none, or several."""
    if ref.version:
        return ref.version if model_id(ref.name, ref.version) in definitions.models else None
    versions = definitions.versions.get(ref.name, ())
    return versions[0] if len(versions) == 1 else None


def named_models(rule: Rule, definitions: Definitions) -> Iterable[str]:
    """Yield the id of every model that a rule names and that there is."""
    for ref in _refs(rule):
        version = version_of(ref, definitions)
        if version is not None:
            yield model_id(ref.name, version)


def _check_models(rule: Rule, definitions: Definitions, problems: list[Problem]) -> None:
    def note(code: str, message: str, remedy: str) -> None:
        problems.append(problem_at(rule.source, code, message, remedy))

    for ref in _refs(rule):
        if ref.name in definitions.unread["models"] or version_of(ref, definitions) is not None:
            continue
        versions = definitions.versions.get(ref.name, ())
        if not versions:
            name, _, version = ref.name.partition("@")
            remedy = hint(ref.name, definitions.versions, problems)
            if version and name in definitions.versions:
                remedy = f'write {{name: "{name}", version: "{version}"}}'
            note("UNKNOWN_MODEL", f"model {ref.name} is unknown", remedy)
        elif ref.version:
            remedy = hint(ref.version, versions, problems)
            note("UNKNOWN_VERSION", f"model {ref.name} has no version {ref.version}", remedy)
        else:
            message = f"model {ref.name} has versions {', '.join(versions)}"
            note("AMBIGUOUS_VERSION", message, "add version")
