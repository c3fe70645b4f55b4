"""What a workspace defines and no rule names. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from controlplane.planning.placement import closure
from controlplane.problems import Problem, Severity
from controlplane.rules.definitions import Definitions, problem_at
from controlplane.rules.lookup import named_models
from controlplane.rules.shapes import AbTest, Rule


def unused(rules: Sequence[Rule], definitions: Definitions) -> Iterator[Problem]:
    """Yield a warning for each model and test that nothing names. What a named model depends on is named."""
    models = definitions.models
    named = {name for rule in rules for name in named_models(rule, definitions)}
    for name in models.keys() - {each for model in named for each in closure(model, models)}:
        message = f"no rule names model {name}: no host loads it"
        yield _warning(problem_at(models[name], "UNUSED_MODEL", message, "name it in a rule, or take it out"))
    tests = definitions.experiments
    for test in tests.keys() - {rule.test_id for rule in rules if isinstance(rule, AbTest)}:
        message = f"no rule names test {test}: nobody is in it"
        yield _warning(problem_at(tests[test], "UNUSED_TEST", message, "name it in a rule, or take it out"))


def _warning(problem: Problem) -> Problem:
    return replace(problem, severity=Severity.WARNING)
