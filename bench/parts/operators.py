"""A table of one condition for each operator that costs differently, and contexts that it applies to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from bench.population import contexts
from lightbulb.model import (
    Comparison,
    ContextRule,
    ModelTarget,
    ObjectiveTable,
    Operator,
    RequestContext,
    Source,
    Value,
)
from lightbulb.resolution.resolve import Resolver

SOURCE = Source(rule="defineBenchRule", file="bench.js", line=1)
COMPARED: Mapping[Operator, tuple[str, Value]] = {
    Operator.IN: ("country", "US"),
    Operator.IN_IGNORING_CASE: ("country", "us"),
    Operator.PREFIX: ("device", "tv-"),
    Operator.PREFIX_IGNORING_CASE: ("device", "TV-"),
    Operator.SUFFIX: ("device", "-roku"),
    Operator.CONTAINS: ("device", "-r"),
    Operator.MATCHES: ("device", "^tv-(roku|fire)"),
    Operator.GE: ("age", 30),
    Operator.BEFORE: ("joined", "2026-01-15"),
    Operator.IN_NETWORK: ("address", "10.0.0.0/25"),
    Operator.SEMVER_GE: ("app_version", "5.0.0"),
    Operator.VERSION_GE: ("app_version", "5.0.0"),
    Operator.VERSION_CARET: ("app_version", "5.1.0"),
    Operator.HAS_ANY: ("tags", "kids"),
    Operator.HAS_ALL: ("tags", "kids"),
    Operator.SIZE_GE: ("tags", 3),
}
"""The attribute, and what it is compared with. The other operators cost what one of these does."""


def resolvers() -> Mapping[str, Resolver]:
    """Return a resolver for each operator, by its name."""
    return {
        f"by `{operator.value}`": Resolver(_table(operator, *given)) for operator, given in COMPARED.items()
    }


def callers() -> tuple[RequestContext, ...]:
    """Return contexts with every attribute that is compared; some meet a condition, others don't."""
    return tuple(
        replace(
            context,
            attributes={
                **context.attributes,
                "age": number % 60,
                "joined": f"2026-01-{number % 31 + 1:02}T09:00:00Z",
                "address": f"10.0.0.{number % 256}",
                "tags": ("new", "kids", "4k")[number % 3 :],
            },
        )
        for number, context in enumerate(contexts())
    )


def _table(operator: Operator, attribute: str, value: Value) -> ObjectiveTable:
    when = Comparison(attribute=attribute, operator=operator, values=(value,))
    return ObjectiveTable(
        objective="Rank",
        input_type="T",
        cache_lifetime=60.0,
        deadline=0.0,
        models=tuple(
            ModelTarget(name=name, version="1", type="SCORER", input_type="T", routing_key=f"Rank|{name}|1")
            for name in ("one", "two")
        ),
        default_model=0,
        default_source=SOURCE,
        context_rules=(ContextRule(source=SOURCE, when=when, model=1),),
    )
