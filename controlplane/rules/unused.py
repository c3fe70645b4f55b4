"""What a workspace defines and no rule names. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet

from controlplane.planning.placement import closure
from controlplane.problems import Problem, warning_at
from controlplane.rules.definitions import Definitions
from controlplane.rules.lookup import Named
from controlplane.rules.segments import in_order
from lightbulb.model import Condition, InSegment
from lightbulb.resolution.segments import needed


def unused(named: Named, definitions: Definitions) -> Iterator[Problem]:
    """Yield a warning for each model, test and segment that nothing names; `named` is what rules name.

    What a named model depends on is named, and so are segments that tests and named segments use.
    """
    models = definitions.models
    for name in _unnamed_models(named, definitions):
        message = f"no rule names model {name}: no host loads it"
        yield warning_at(models[name].location, "UNUSED_MODEL", message, "name it in a rule, or take it out")
    tests = definitions.experiments
    for test in tests.keys() - named.tests:
        message = f"no rule names test {test}: nobody is in it"
        yield warning_at(tests[test].location, "UNUSED_TEST", message, "name it in a rule, or take it out")
    segments = definitions.segments
    known = {each.name: each for each in in_order(segments)}
    for segment in segments.keys() - {each.name for each in needed(_conditions(named, definitions), known)}:
        message = f"no rule, test or other segment in use names segment {segment}"
        remedy = "name it in one, or take it out"
        yield warning_at(segments[segment].location, "UNUSED_SEGMENT", message, remedy)


def _unnamed_models(named: Named, definitions: Definitions) -> AbstractSet[str]:
    """Return the models that nothing names; usually there are none, and no need to ask what needs what."""
    models = definitions.models
    unnamed = models.keys() - named.models
    return unnamed - closure(named.models, models) if unnamed else unnamed


def _conditions(named: Named, definitions: Definitions) -> Iterator[Condition]:
    yield from map(InSegment, named.segments)
    for test in definitions.experiments.values():
        if test.eligible is not None:
            yield test.eligible
