"""Rules and definitions to one ObjectiveTable per objective. Pure.

Looks up what rules name, checks what they say against what the platform defines, and refuses two
rules that could both apply to one request, unless a layer, a priority or their conditions tell them
apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from functools import partial
from typing import TypeVar

from controlplane.lifecycle.shadow import MAX_SHADOWS
from controlplane.model import Experiment, Objective
from controlplane.planning.layers import layer_salt
from controlplane.problems import Problem, has_errors, problem_at
from controlplane.rules.definitions import Definitions
from controlplane.rules.lookup import check_names, version_of
from controlplane.rules.overlaps import overlapping_contexts, overlapping_shifts, overlapping_tests
from controlplane.rules.salts import check_salts, shift_salt
from controlplane.rules.segments import in_order
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
from lightbulb.model import (
    BASIS_POINTS,
    AbRule,
    Cell,
    ContextRule,
    ModelTarget,
    ObjectiveTable,
    OverrideRule,
    Segment,
    ShadowRule,
    ShiftRule,
    Source,
    routing_key,
)
from lightbulb.resolution.overlap import Sides, possible_segments
from lightbulb.resolution.segments import conditions_of, needed

R = TypeVar("R", AbTest, ContextCondition)
AnyRule = TypeVar("AnyRule", AbTest, Default, ContextCondition, Shift, Overrides)
Exclusive = AbTest | ContextCondition | Shift
"""Rules of which one at most may apply to a request."""

MAX_OVERLAPS = 50
"""Pairs of rules that overlap, of one kind and objective, after which no more are looked for."""


def make_tables(
    rules: Sequence[Rule], definitions: Definitions, problems: list[Problem], *, complete: bool
) -> tuple[ObjectiveTable, ...]:
    """Return a table for every objective that rules target, sorted; problems are added to `problems`.

    `complete` says that no rule is missing: one that couldn't be evaluated may be the default.
    """
    check_names(rules, definitions, problems)
    check_salts(rules, definitions, problems)
    if complete:
        ruled = {name for rule in rules for name in rule.objectives}
        problems += map(_without_rules, unruled(ruled, definitions))
    return tables_beside(rules, definitions, problems, complete=complete)


def tables_beside(
    rules: Iterable[Rule], definitions: Definitions, problems: list[Problem], *, complete: bool
) -> tuple[ObjectiveTable, ...]:
    """Return the tables of the objectives that some rules target, as `make_tables` does.

    It looks at nothing that rules of other objectives say.
    """
    own = _by_objective(rules)
    segments = in_order(definitions.segments)
    sides = possible_segments(segments)
    by_name = {segment.name: segment for segment in segments}
    tables = []
    for name in sorted(own.keys() & definitions.objectives.keys()):
        maker = _TableMaker(definitions.objectives[name], definitions, by_name, sides, problems)
        table = maker.make(own[name], complete=complete)
        if table is not None:
            tables.append(table)
    return tuple(tables)


def unruled(ruled: AbstractSet[str], definitions: Definitions) -> list[Objective]:
    """Return the objectives that no rule is for; `ruled` are those that rules are for."""
    return [definitions.objectives[name] for name in sorted(definitions.objectives.keys() - ruled)]


def _without_rules(objective: Objective) -> Problem:
    """Return the problem with an objective that nobody would get an answer for, say since a file was lost."""
    message = f"objective {objective.name} has no rules: whoever asks for it would get no answer"
    remedy = "give it a rule with a defaultModel, or take it out of objectives.yaml"
    return problem_at(objective.location, "MISSING_DEFAULT", message, remedy)


def _by_objective(rules: Iterable[Rule]) -> Mapping[str, Sequence[Rule]]:
    """Return the rules of each objective, in their order; a rule that names one twice counts once."""
    own: dict[str, list[Rule]] = {}
    for rule in rules:
        for name in set(rule.objectives):
            own.setdefault(name, []).append(rule)
    return own


def _remedy(rule: Exclusive, other: Exclusive) -> str:
    """Return what to do about two rules of a kind that overlap."""
    exclude = "or exclude each other's users"
    match rule:
        case Shift() if rule.schedule is not None or (
            isinstance(other, Shift) and other.schedule is not None
        ):
            return "keep one of them: a shift with a schedule is of all users"
        case Shift():
            return f"keep one of them, {exclude}: each by a when in its shift"
        case ContextCondition():
            return f"give one a higher priority, {exclude}"
        case AbTest():
            return f"put both tests into one layer, or give one a higher priority, {exclude}"


def _ends(test: Experiment) -> Iterator[tuple[int, int]]:
    """Yield cell and end of each range of a test, in order; a cell without any has an empty one.

    Callers may name a cell that has no buckets.
    """
    ranges = [(each.begin, each.end, each.owner) for each in test.buckets]
    for cell in test.cells:
        if not cell.weight:
            later = (each.begin for each in test.buckets if each.owner > cell.number)
            place = min(later, default=BASIS_POINTS)
            ranges.append((place, place, cell.number))
    for _, end, number in sorted(ranges):
        yield number, end


class _TableMaker:
    """Makes the table of one objective."""

    def __init__(
        self,
        objective: Objective,
        definitions: Definitions,
        segments: Mapping[str, Segment],
        sides: Mapping[str, Sides],
        problems: list[Problem],
    ) -> None:
        self._objective = objective
        self._definitions = definitions
        self._segments = segments
        self._sides = sides
        self._problems = problems
        self._targets: dict[tuple[object, ...], int] = {}
        self._models: list[ModelTarget] = []

    def make(self, rules: Sequence[Rule], *, complete: bool) -> ObjectiveTable | None:
        """Return the table; None when something that it needs is wrong, here or before."""
        for rule in rules:
            self._check_input_type(rule)
        default = self._one(rules, Default, "DUPLICATE_DEFAULT", "default model")
        shifts = [rule for rule in rules if isinstance(rule, Shift)]
        self._note_overlaps(overlapping_shifts(shifts, self._sides))
        experiments = self._definitions.experiments
        overlapping = partial(overlapping_tests, experiments=experiments, segments=self._sides)
        tests = self._in_order(rules, AbTest, overlapping)
        contexts = self._in_order(
            rules, ContextCondition, partial(overlapping_contexts, segments=self._sides)
        )
        if default is None:
            if complete:
                self._note_missing_default(rules)
            return None
        default_model = self._target(default, default.model)
        shadows = self._shadows([rule for rule in rules if isinstance(rule, Shadow)], default_model)
        table = ObjectiveTable(
            objective=self._objective.name,
            input_type=self._objective.input_type,
            cache_lifetime=self._objective.cache_lifetime,
            deadline=self._objective.deadline,
            default_model=default_model,
            default_source=default.source,
            ab_rules=tuple(self._ab_rule(rule) for rule in tests if self._knows(rule)),
            context_rules=tuple(
                ContextRule(source=rule.source, when=rule.when, model=self._target(rule, rule.model))
                for rule in contexts
            ),
            shifts=tuple(self._shift(rule, default_model) for rule in shifts),
            overrides=self._overrides(rules),
            models=tuple(self._models),
            probation=default.probation,
            shadows=shadows,
        )
        if has_errors(self._problems):
            return None
        return replace(table, segments=needed(conditions_of(table), self._segments))

    def _note(self, source: Source, code: str, message: str, remedy: str) -> None:
        self._problems.append(problem_at(source, code, message, remedy))

    def _check_input_type(self, rule: Rule) -> None:
        if rule.input_type != self._objective.input_type:
            message = f"{self._objective.name} takes {self._objective.input_type}, not {rule.input_type}"
            self._note(rule.source, "INPUT_TYPE", message, "use the objective's, or another objective")

    def _note_missing_default(self, rules: Sequence[Rule]) -> None:
        message = f"{self._objective.name} has rules but no default model"
        remedy = "add a rule with defaultModel for it"
        self._note(rules[0].source, "MISSING_DEFAULT", message, remedy)

    def _one(self, rules: Iterable[Rule], kind: type[AnyRule], code: str, what: str) -> AnyRule | None:
        """Return the rule of a kind of which there may be one; others are noted."""
        found = [rule for rule in rules if isinstance(rule, kind)]
        for rule in found[1:]:
            message = f"{self._objective.name} has a {what} already, at {found[0].source}"
            self._note(rule.source, code, message, "keep one of them")
        return found[0] if found else None

    def _in_order(
        self,
        rules: Iterable[Rule],
        kind: type[R],
        overlapping: Callable[[Sequence[R]], Iterator[tuple[R, R]]],
    ) -> list[R]:
        """Return the rules of a kind, highest priority first; equal ones that overlap are noted."""
        found = [rule for rule in rules if isinstance(rule, kind)]
        by_priority: dict[int, list[R]] = {}
        for rule in found:
            by_priority.setdefault(rule.priority, []).append(rule)
        self._note_overlaps(pair for equal in by_priority.values() for pair in overlapping(equal))
        return sorted(found, key=lambda rule: -rule.priority)

    def _note_overlaps(self, pairs: Iterable[tuple[Exclusive, Exclusive]]) -> None:
        for count, (one, other) in enumerate(pairs):
            if count == MAX_OVERLAPS:
                self._note_more_overlaps(other)
                break
            message = f"on {self._objective.name} it can apply to the same request as {one.source}"
            self._note(other.source, "OVERLAPPING_RULES", message, _remedy(one, other))

    def _note_more_overlaps(self, rule: Exclusive) -> None:
        message = (
            f"on {self._objective.name} more rules overlap than these {MAX_OVERLAPS} pairs;"
            " the rest wasn't compared"
        )
        self._note(rule.source, "OVERLAPPING_RULES", message, "mend these first, then check again")

    def _knows(self, rule: AbTest) -> bool:
        test = self._definitions.experiments.get(rule.test_id)
        return test is not None and {cell.number for cell in test.cells} == rule.cells.keys()

    def _ab_rule(self, rule: AbTest) -> AbRule:
        test: Experiment = self._definitions.experiments[rule.test_id]
        models = {cell.number: self._target(rule, rule.cells[cell.number]) for cell in test.cells}
        return AbRule(
            source=rule.source,
            test_id=test.id,
            salt=test.salt,
            cells=tuple(Cell(number=number, end=end, model=models[number]) for number, end in _ends(test)),
            layer_salt=layer_salt(test.layer) if test.layer else "",
            layer_begin=test.layer_begin,
            layer_end=test.layer_end,
            eligible=test.eligible,
            unit=test.unit,
        )

    def _shift(self, rule: Shift, default_model: int) -> ShiftRule:
        start = self._target(rule, rule.start)
        if start != default_model and start >= 0 and default_model >= 0:
            target = self._models[default_model]
            message = (
                f"shift.from is {rule.start.name}, but the default is {target.name} version {target.version}"
            )
            self._note(
                rule.source, "SHIFT_FROM", message, "shift from the default model, with its parameters"
            )
        end = self._target(rule, rule.end)
        if rule.schedule is not None and min(end, default_model) >= 0:
            self._check_stepped(rule, self._models[end], self._models[default_model])
        return ShiftRule(
            source=rule.source,
            salt=shift_salt(rule, self._objective.name, version_of(rule.end, self._definitions) or ""),
            basis_points=rule.basis_points,
            model=end,
            unit=rule.unit,
            when=rule.when,
            schedule=rule.schedule,
        )

    def _shadows(self, rules: Sequence[Shadow], default_model: int) -> tuple[ShadowRule, ...]:
        """Return what gets copies; what can't begin all at once is noted."""
        found = tuple(
            ShadowRule(
                source=rule.source,
                model=self._target(rule, rule.model),
                basis_points=rule.basis_points,
                noise_floor=rule.noise_floor,
                max_body=rule.max_body,
                pairs=rule.pairs,
                lasts=rule.lasts,
            )
            for rule in rules
        )
        if min((default_model, *(each.model for each in found))) < 0:
            return ()
        default = self._models[default_model].routing_key
        keys = [self._models[each.model].routing_key for each in found]
        for each, key in zip(found, keys, strict=True):
            if key == default and not each.noise_floor:
                message = "shadow.model is the default, whose requests are copied: nothing to compare"
                self._note(each.source, "SHADOW_OF_ITSELF", message, "name another, or add noiseFloor: true")
        for each in found[1:]:
            if keys.count(self._models[each.model].routing_key) > 1:
                message = f"{self._objective.name} has two shadows of one model"
                self._note(each.source, "DUPLICATE_SHADOW", message, "keep one of them")
        count = len(set(keys) - {default}) + any(each.noise_floor for each in found)
        if count > MAX_SHADOWS:
            message = f"{self._objective.name} has {count} shadows, the noise floor included"
            self._note(found[-1].source, "TOO_MANY_SHADOWS", message, f"keep {MAX_SHADOWS} of them")
        return found

    def _check_stepped(self, rule: Shift, end: ModelTarget, default: ModelTarget) -> None:
        if end.routing_key == default.routing_key:
            message = f"shift.to is {end.name} version {end.version}, which is the default already"
            remedy = "name another model or version: steps tell these apart, and not their parameters"
            self._note(rule.source, "SHIFT_TO", message, remedy)

    def _overrides(self, rules: Iterable[Rule]) -> tuple[OverrideRule, ...]:
        return tuple(
            OverrideRule(
                source=rule.source,
                clients=rule.clients or (),
                models=tuple(self._target(rule, model) for model in rule.models),
            )
            for rule in rules
            if isinstance(rule, Overrides) and rule.models and rule.clients != ()
        )

    def _target(self, rule: Rule, ref: ModelRef) -> int:
        """Return the index of a model in the table; -1 when there is no such model, which is noted."""
        version = version_of(ref, self._definitions)
        if version is None:
            return -1
        key = (ref.name, version, rule.model_type, tuple((n, type(v), v) for n, v in ref.parameters.items()))
        if key not in self._targets:
            self._targets[key] = len(self._models)
            self._models.append(
                ModelTarget(
                    name=ref.name,
                    version=version,
                    type=rule.model_type,
                    input_type=rule.input_type,
                    routing_key=routing_key(self._objective.name, ref.name, version),
                    parameters=ref.parameters,
                )
            )
        return self._targets[key]
