"""Objective + context -> model, and why. Pure: the same user gets the same model.

    permitted override -> A/B allocation -> context conditions -> gradual shift -> default

The first stage that has an answer wins. A table is compiled once into a Resolver, which builds all its
answers then: resolving allocates nothing, and equal answers are the same object. To explain, it goes through
the same stages and notes each step; the answer is the same object.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace
from enum import Enum

from lightbulb.model import (
    AbRule,
    Condition,
    ModelTarget,
    ObjectiveTable,
    OperatorShift,
    OverrideRule,
    RequestContext,
    ShiftRule,
    Source,
)
from lightbulb.resolution.ab_tests import compile_test, explain_test, make_test
from lightbulb.resolution.conditions import Predicate, compile_condition, compile_segments
from lightbulb.resolution.overrides import Named, Overrides
from lightbulb.resolution.shifts import Shift, compile_shift, explain_shift
from lightbulb.resolution.why_not import why_not


class Reason(Enum):
    """The stage that decided."""

    OVERRIDE = "override"
    AB_TEST = "A/B test"
    CONTEXT = "context"
    SHIFT = "shift"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """The cell of an A/B test that led to a model."""

    test_id: str
    cell: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Resolution:
    """An answer. A Resolver has one object for each answer, so answers compare by identity.

    `arm` is the side of an operator's shift that the caller is on; empty: it isn't on either.
    """

    target: ModelTarget
    reason: Reason
    source: Source
    allocations: tuple[Allocation, ...] = ()
    arm: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of an explanation. `decided` is true for the last."""

    stage: Reason
    source: Source
    decided: bool
    detail: str


class OverrideNotPermitted(Exception):
    """The client asked for a model that no override rule permits it."""

    def __init__(self, objective: str, override: str, client: str, permitted: tuple[str, ...]) -> None:
        self.permitted = permitted
        choice = ", ".join(permitted) or "none"
        super().__init__(
            f"{objective}: no rule lets client {client!r} ask for model {override!r}; permitted: {choice}"
        )


def shift_targets(table: ObjectiveTable, key: str) -> tuple[int, ...]:
    """Return which of a table's models an operator's shift to a routing key may mean; the first counts.

    Rules may give one model several sets of parameters. It has those of the rules' own shift, or else
    those of the default model; where neither says so it may be any.
    """
    of_key = [number for number, each in enumerate(table.models) if each.routing_key == key]
    by_rules = [rule.model for rule in table.shifts if rule.model in of_key]
    default = table.models[table.default_model].parameters
    like_default = [number for number in of_key if table.models[number].parameters == default]
    return tuple(dict.fromkeys(by_rules or like_default or of_key))


class Resolver:
    """An ObjectiveTable, ready to answer."""

    __slots__ = (
        "_allocate",
        "_choose",
        "_context_rules",
        "_default",
        "_overrides",
        "_segments",
        "_shifts",
        "_tests",
        "table",
    )

    def __init__(self, table: ObjectiveTable) -> None:
        """Raise ValueError when a condition has a value that its operator can't compare with."""
        self.table = table
        self._segments = compile_segments(table.segments)
        self._tests = tuple(
            make_test(rule, self._predicate(rule.eligible), self._cells(rule)) for rule in table.ab_rules
        )
        self._context_rules = tuple(
            (
                compile_condition(rule.when, self._segments),
                self._answer(rule.model, Reason.CONTEXT, rule.source),
            )
            for rule in table.context_rules
        )
        self._shifts = tuple(
            Shift(rule, self._predicate(rule.when), self._answer(rule.model, Reason.SHIFT, rule.source))
            for rule in table.shifts
        )
        self._default = self._answer(table.default_model, Reason.DEFAULT, table.default_source)
        self._overrides = Overrides((rule.clients, self._permitted(rule)) for rule in table.overrides)
        # The stages without explanation: first the tests, then each predicate with its answer.
        self._allocate = tuple(map(compile_test, self._tests))
        self._choose = self._chosen()

    def _chosen(self) -> tuple[tuple[Predicate, Resolution], ...]:
        return self._context_rules + tuple(
            (compile_shift(shift.rule, shift.when), shift.answer) for shift in self._shifts
        )

    def under(self, shift: OperatorShift) -> Resolver:
        """Return the resolver of the same table with an operator's shift in place of the rules' shifts.

        Those who come to that stage are told their arm; all other answers are the same objects as here. A
        table without the shift's model is answered from as its rules say: this is returned then.
        """
        model = next(iter(shift_targets(self.table, shift.key)), None)
        if model is None:
            return self
        resolver = copy(self)
        rule = ShiftRule(source=shift.source, salt=shift.salt, basis_points=shift.basis_points, model=model)
        candidate = replace(self._answer(model, Reason.SHIFT, rule.source), arm=shift.candidate_arm)
        resolver._shifts = (Shift(rule, None, candidate),)  # noqa: SLF001 - of this class
        resolver._default = replace(self._default, arm=shift.control_arm)  # noqa: SLF001 - of this class
        resolver._choose = resolver._chosen()  # noqa: SLF001 - of this class
        return resolver

    def resolve(
        self,
        context: RequestContext,
        *,
        override: str = "",
        client: str = "",
        steps: list[Step] | None = None,
    ) -> Resolution:
        """Return the model for `context`. With `steps`, also append each stage that was looked at.

        Raises OverrideNotPermitted when no rule permits `client` the model that `override` names.
        """
        if override:
            return self._resolve_override(override, client, steps)
        if steps is not None:
            return self._explain(context, steps)
        for allocate in self._allocate:
            allocated = allocate(context)
            if allocated is not None:
                return allocated
        for applies, answer in self._choose:
            if applies(context):
                return answer
        return self._default

    def _explain(self, context: RequestContext, steps: list[Step]) -> Resolution:
        segments = {segment.name: segment.when for segment in self.table.segments}
        for test in self._tests:
            allocated, detail = explain_test(test, context, segments)
            if allocated is not None:
                return _decide(allocated, detail, steps)
            _pass_over(Reason.AB_TEST, test.rule.source, detail, steps)
        for rule, (matches, answer) in zip(self.table.context_rules, self._context_rules, strict=True):
            if matches(context):
                return _decide(answer, "its condition holds", steps)
            detail = f"its condition doesn't hold: {why_not(rule.when, context, segments)}"
            _pass_over(Reason.CONTEXT, answer.source, detail, steps)
        for shift in self._shifts:
            shifted, detail = explain_shift(shift, context, segments)
            if shifted is not None:
                return _decide(shifted, detail, steps)
            _pass_over(Reason.SHIFT, shift.rule.source, detail, steps)
        return _decide(self._default, "nothing before it applied", steps)

    def _resolve_override(self, override: str, client: str, steps: list[Step] | None) -> Resolution:
        permitted = self._overrides.of(client)
        answer = permitted.find(override)
        if answer is None:
            raise OverrideNotPermitted(self.table.objective, override, client, permitted.names())
        if steps is not None:
            _decide(answer, f"client {client!r} may ask for it", steps)
        return answer

    def _answer(
        self, model: int, reason: Reason, source: Source, allocations: tuple[Allocation, ...] = ()
    ) -> Resolution:
        return Resolution(
            target=self.table.models[model], reason=reason, source=source, allocations=allocations
        )

    def _predicate(self, condition: Condition | None) -> Predicate | None:
        return None if condition is None else compile_condition(condition, self._segments)

    def _cells(self, rule: AbRule) -> list[Resolution]:
        """Return the answer of each range of a test; ranges of one cell have the same."""
        answers = {
            (number, model): self._answer(
                model, Reason.AB_TEST, rule.source, (Allocation(test_id=rule.test_id, cell=number),)
            )
            for number, model in {(cell.number, cell.model) for cell in rule.cells}
        }
        return [answers[cell.number, cell.model] for cell in rule.cells]

    def _permitted(self, rule: OverrideRule) -> list[Named[Resolution]]:
        answers = (self._answer(model, Reason.OVERRIDE, rule.source) for model in rule.models)
        return [(each.target.name, each.target.version, each) for each in answers]


def _decide(answer: Resolution, detail: str, steps: list[Step]) -> Resolution:
    steps.append(Step(stage=answer.reason, source=answer.source, decided=True, detail=detail))
    return answer


def _pass_over(stage: Reason, source: Source, detail: str, steps: list[Step]) -> None:
    steps.append(Step(stage=stage, source=source, decided=False, detail=detail))
