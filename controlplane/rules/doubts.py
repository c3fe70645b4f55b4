"""What may be right and most likely isn't: warnings about single rules and tests. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from controlplane.lifecycle.guards import Guards, duration
from controlplane.lifecycle.terms import guards_of
from controlplane.model import Location
from controlplane.problems import Problem, warning_at
from controlplane.rules.definitions import Definitions
from controlplane.rules.fixed_values import usual_case
from controlplane.rules.oddities import unfit
from controlplane.rules.shapes import ContextCondition, Default, Overrides, Rule, Shift
from controlplane.rules.unit import UNITS, unit_text
from lightbulb.model import (
    BASIS_POINTS,
    FIXED_ATTRIBUTES,
    All,
    AnyOf,
    Comparison,
    Condition,
    Not,
    Operator,
)

CLOSE = 0.85
"""How alike two names are of which one is probably the other, misspelt."""


def doubts_about(rules: Iterable[Rule], definitions: Definitions) -> Iterator[Problem]:
    """Yield a warning for each thing in rules that an author most likely didn't mean."""
    for rule in rules:
        for said in (*_of_rule(rule), *_of_guards(rule, definitions)):
            yield warning_at(rule.source, *said)


def doubts_about_definitions(definitions: Definitions) -> Iterator[Problem]:
    """Yield a warning for each thing in YAML files that an author most likely didn't mean."""
    for test in definitions.experiments.values():
        for said in _of_unit(test.unit):
            yield warning_at(test.location, *said)
    for place, condition in defined_conditions(definitions):
        for said in _of_condition(condition):
            yield warning_at(place, *said)


def defined_conditions(definitions: Definitions) -> Iterator[tuple[Location, Condition]]:
    """Yield the conditions that YAML files define, and where."""
    for test in definitions.experiments.values():
        if test.eligible is not None:
            yield test.location, test.eligible
    for segment in definitions.segments.values():
        yield segment.location, segment.when


_Said = tuple[str, str, str]


def _of_rule(rule: Rule) -> Iterator[_Said]:
    if isinstance(rule, Shift):
        yield from _of_unit(rule.unit)
        if rule.end == rule.start:
            yield "SHIFT_TO_ITSELF", "it shifts to the model that it shifts from", "name another model in to"
    match rule:
        case Overrides(clients=()):
            yield (
                "PERMITS_NOBODY",
                "clients is empty: nobody may ask",
                "leave clients out to let every client ask",
            )
        case Overrides(clients=clients) if clients and "*" in clients:
            message = "clients has *, which is a client of that name, not every client"
            yield "CLIENT", message, "leave clients out to let every client ask"
        case Overrides(models=()):
            yield "PERMITS_NOTHING", "permitOverrides is empty: nothing may be asked for", "add a model"
        case ContextCondition(when=when) | Shift(when=when) if when is not None:
            yield from _of_condition(when)


def _of_guards(rule: Rule, definitions: Definitions) -> Iterator[_Said]:
    """Yield how a rule's guards are judged otherwise than they are written, and which see nothing."""
    guards, everybody = _guards_of(rule)
    for guard in guards.each:
        if guard.note:
            yield "GUARD_ROUNDED", guard.note, f"write {guard.name}:{duration(guard.threshold)}"
    own = (definitions.objectives[name] for name in rule.objectives if name in definitions.objectives)
    blind = (spot for each in own for spot in guards.blind_spots(each.deadline, everybody=everybody))
    for spot in dict.fromkeys(blind):
        yield "GUARD_SEES_NOTHING", spot, "take another guard, or add one"


def _guards_of(rule: Rule) -> tuple[Guards, bool]:
    """Return what a rule is guarded by, and whether everybody is shifted by it in the end."""
    match rule:
        case Shift(schedule=schedule) if schedule is not None:
            return guards_of(schedule.guards, control=True), schedule.steps[-1] == BASIS_POINTS
        case Default(probation=probation) if probation is not None:
            return guards_of(probation.guards, control=False), False
    return Guards(), False


def _of_unit(attribute: str) -> Iterator[_Said]:
    close = [] if unit_text(attribute) in UNITS else get_close_matches(attribute.lower(), UNITS, 1, CLOSE)
    if close:
        message = f"the unit {attribute} is an attribute of your own, not {close[0]}"
        yield "UNIT", message, f"did you mean {close[0]}?"


def _of_condition(condition: Condition) -> Iterator[_Said]:
    for comparison in comparisons(condition):
        name = comparison.attribute
        close = (
            [] if name in FIXED_ATTRIBUTES else get_close_matches(name.lower(), FIXED_ATTRIBUTES, 1, CLOSE)
        )
        if close:
            message = f"{name} is an attribute of your own, not {close[0]}"
            yield "ATTRIBUTE", message, f"did you mean {close[0]}?"
        for value in comparison.values:
            fault = unfit(value, len(value)) if isinstance(value, str) else ""
            if fault:
                yield "VALUE", f"{name}: {value!r} {fault}", "take it out, if no client sends it"
        if name == "locale" and comparison.operator is Operator.IN:
            yield from _of_locales(comparison)


def _of_locales(comparison: Comparison) -> Iterator[_Said]:
    for value in map(str, comparison.values):
        usual = usual_case(value)
        if value != usual:
            message = f"locale {value!r} never equals {usual!r}: texts are compared exactly"
            yield "LOCALE", message, f'write "{usual}", if that is what clients send'


def comparisons(condition: Condition) -> Iterator[Comparison]:
    """Yield the comparisons in a condition."""
    match condition:
        case All(conditions) | AnyOf(conditions):
            for inner in conditions:
                yield from comparisons(inner)
        case Not(inner):
            yield from comparisons(inner)
        case Comparison():
            yield condition
        case _:
            return
