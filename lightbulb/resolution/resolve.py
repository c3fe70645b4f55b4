"""Objective + context -> model, and why. Pure: the same user gets the same model.

    permitted override -> A/B allocation -> context conditions -> gradual shift -> default

The first stage that has an answer wins. A table is compiled once into a Resolver, which builds all its
answers then: resolving allocates nothing, and equal answers are the same object. To explain, it goes through
the same stages and notes each step; the answer is the same object.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

from lightbulb.model import (
    NO_CELLS,
    AbRule,
    ModelTarget,
    ObjectiveTable,
    OverrideRule,
    RequestContext,
    ShiftRule,
    Source,
)
from lightbulb.resolution.allocate import HASH, UNSIGNED, bucket, first_hash, in_layer, salt_prefix
from lightbulb.resolution.conditions import Predicate, compile_condition
from lightbulb.resolution.overrides import Named, Overrides
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
    """An answer. A Resolver has one object for each answer, so answers compare by identity."""

    target: ModelTarget
    reason: Reason
    source: Source
    allocations: tuple[Allocation, ...] = ()


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


@dataclass(frozen=True, slots=True)
class _Test:
    """An A/B rule, ready to answer. `ends` and `answers` have one element for each cell."""

    rule: AbRule
    eligible: Predicate | None
    ends: tuple[int, ...]
    answers: tuple[Resolution, ...]
    by_cell: Mapping[int, Resolution]


class Resolver:
    """An ObjectiveTable, ready to answer."""

    __slots__ = (
        "_allocate",
        "_choose",
        "_context_rules",
        "_default",
        "_overrides",
        "_shift",
        "_tests",
        "table",
    )

    def __init__(self, table: ObjectiveTable) -> None:
        """Raise ValueError when a condition has a value that its operator can't compare with."""
        self.table = table
        self._tests = tuple(self._test(rule) for rule in table.ab_rules)
        self._context_rules = tuple(
            (compile_condition(rule.when), self._answer(rule.model, Reason.CONTEXT, rule.source))
            for rule in table.context_rules
        )
        self._shift: tuple[ShiftRule, Resolution] | None = None
        if table.shift is not None:
            self._shift = table.shift, self._answer(table.shift.model, Reason.SHIFT, table.shift.source)
        self._default = self._answer(table.default_model, Reason.DEFAULT, table.default_source)
        self._overrides = Overrides((rule.clients, self._permitted(rule)) for rule in table.overrides)
        # The stages without explanation: first the tests, then each predicate with its answer.
        self._allocate = tuple(map(_compile_test, self._tests))
        self._choose = self._context_rules
        if self._shift is not None:
            rule, answer = self._shift
            self._choose += ((_compile_shift(rule), answer),)

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
        for test in self._tests:
            answer = _explain_test(test, context, steps)
            if answer is not None:
                return answer
        for rule, (matches, answer) in zip(self.table.context_rules, self._context_rules, strict=True):
            if matches(context):
                return _decide(answer, "its condition holds", steps)
            detail = f"its condition doesn't hold: {why_not(rule.when, context)}"
            _pass_over(Reason.CONTEXT, answer.source, detail, steps)
        if self._shift is not None:
            shifted = _explain_shift(*self._shift, context, steps)
            if shifted is not None:
                return shifted
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

    def _test(self, rule: AbRule) -> _Test:
        answers = tuple(
            self._answer(
                cell.model,
                Reason.AB_TEST,
                rule.source,
                (Allocation(test_id=rule.test_id, cell=cell.number),),
            )
            for cell in rule.cells
        )
        return _Test(
            rule=rule,
            eligible=None if rule.eligible is None else compile_condition(rule.eligible),
            ends=tuple(cell.end for cell in rule.cells),
            answers=answers,
            by_cell={cell.number: answer for cell, answer in zip(rule.cells, answers, strict=True)},
        )

    def _permitted(self, rule: OverrideRule) -> list[Named[Resolution]]:
        answers = (self._answer(model, Reason.OVERRIDE, rule.source) for model in rule.models)
        return [(each.target.name, each.target.version, each) for each in answers]


def _compile_test(test: _Test) -> Callable[[RequestContext], Resolution | None]:
    rule, eligible, by_cell, answers = test.rule, test.eligible, test.by_cell, test.answers
    test_id, prefix = rule.test_id, salt_prefix(rule.salt)
    ends = tuple(map(first_hash, test.ends))
    layer = salt_prefix(rule.layer_salt) if rule.layer_salt else ""
    low, high = first_hash(rule.layer_begin), first_hash(rule.layer_end)

    def allocate(context: RequestContext) -> Resolution | None:
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


def _compile_shift(rule: ShiftRule) -> Predicate:
    prefix, end = salt_prefix(rule.salt), first_hash(rule.basis_points)
    return lambda context: HASH(prefix + context.user_id, 0, UNSIGNED) < end


def _explain_test(test: _Test, context: RequestContext, steps: list[Step]) -> Resolution | None:
    rule = test.rule
    if test.eligible is not None and not test.eligible(context):
        reason = why_not(rule.eligible, context) if rule.eligible is not None else ""
        detail = f"not eligible for test {rule.test_id}: {reason}"
        _pass_over(Reason.AB_TEST, rule.source, detail, steps)
        return None
    known = context.allocations.get(rule.test_id)
    if known is not None:
        answer = test.by_cell.get(known)
        if answer is None:
            detail = f"test {rule.test_id} has no cell {known}, which the caller named"
            _pass_over(Reason.AB_TEST, rule.source, detail, steps)
            return None
        return _decide(answer, f"test {rule.test_id}: the caller says cell {known}", steps)
    if not in_layer(rule, context.user_id):
        detail = f"test {rule.test_id} doesn't own the user's part of its layer"
        _pass_over(Reason.AB_TEST, rule.source, detail, steps)
        return None
    position = bucket(rule.salt, context.user_id)
    answer = test.answers[bisect_right(test.ends, position)]
    cell = answer.allocations[0].cell
    return _decide(answer, f"test {rule.test_id}: bucket {position} of 10000 is in cell {cell}", steps)


def _explain_shift(
    rule: ShiftRule, answer: Resolution, context: RequestContext, steps: list[Step]
) -> Resolution | None:
    position = bucket(rule.salt, context.user_id)
    detail = f"bucket {position} of 10000, shifted below {rule.basis_points}"
    if position < rule.basis_points:
        return _decide(answer, detail, steps)
    _pass_over(Reason.SHIFT, rule.source, detail, steps)
    return None


def _decide(answer: Resolution, detail: str, steps: list[Step]) -> Resolution:
    steps.append(Step(stage=answer.reason, source=answer.source, decided=True, detail=detail))
    return answer


def _pass_over(stage: Reason, source: Source, detail: str, steps: list[Step]) -> None:
    steps.append(Step(stage=stage, source=source, decided=False, detail=detail))
