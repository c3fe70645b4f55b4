"""Values for tests: a source, targets, and a table that uses every kind of rule."""

from lightbulb.model import (
    AbRule,
    All,
    AnyOf,
    Cell,
    Comparison,
    ContextRule,
    ModelTarget,
    Not,
    ObjectiveTable,
    ObjectiveTables,
    Operator,
    OverrideRule,
    ShiftRule,
    Source,
    TableSince,
    routing_key,
)
from lightbulb.resolution.codec import objective_tables_to_bytes

OBJECTIVE = "ContinueWatchingRanking"


def source(rule: str) -> Source:
    return Source(rule=rule, file=f"{rule}.js", line=3)


def target(name: str, version: str = "1", **parameters: bool | float | str) -> ModelTarget:
    return ModelTarget(
        name=name,
        version=version,
        type="SCORER",
        input_type="TITLE_INPUT_TYPE",
        routing_key=routing_key(OBJECTIVE, name, version),
        parameters=parameters,
    )


MODELS = (
    target("default"),
    target("cell-2", limit=20, boost=0.5, explore=True, note="x"),
    target("cell-3"),
    target("kids"),
    target("next", "2"),
)

AB_RULE = AbRule(
    source=source("defineAB12345Rule"),
    test_id="12345",
    salt="ab:12345",
    layer_salt="layer:ranking",
    layer_begin=0,
    layer_end=5_000,
    eligible=Comparison(attribute="country", operator=Operator.IN, values=("US", "CA")),
    cells=(
        Cell(number=1, end=3_400, model=0),
        Cell(number=2, end=6_700, model=1),
        Cell(number=3, end=10_000, model=2),
    ),
)

TABLE = ObjectiveTable(
    objective=OBJECTIVE,
    input_type="TITLE_INPUT_TYPE",
    cache_lifetime=60.0,
    deadline=0.25,
    models=MODELS,
    default_model=0,
    default_source=source("defineDefaultRule"),
    overrides=(
        OverrideRule(source=source("defineOverridesRule"), clients=("lab",), models=(1, 4)),
        OverrideRule(source=source("defineOpenOverridesRule"), clients=(), models=(0,)),
    ),
    ab_rules=(AB_RULE,),
    context_rules=(
        ContextRule(
            source=source("defineKidsRule"),
            when=All(
                (
                    Comparison(attribute="surface", operator=Operator.IN, values=("kids",)),
                    Not(AnyOf((Comparison(attribute="beta", operator=Operator.EXISTS),))),
                )
            ),
            model=3,
        ),
    ),
    shifts=(ShiftRule(source=source("defineShiftRule"), salt="shift:x", basis_points=2_500, model=4),),
)


def tables_to_bytes(table: ObjectiveTable) -> bytes:
    """Return the wire form of an objective that is the same in every generation."""
    entry = TableSince(since=0, table=table)
    return objective_tables_to_bytes(ObjectiveTables(objective=table.objective, tables=(entry,)))
