"""A RuleSet on a fleet: the three products. Pure."""

from __future__ import annotations

from controlplane.model import Model, Plan, RoutingRule, RuleSet, ShardAssignment
from controlplane.planning.placement import Placement, place
from controlplane.problems import Problem, WorkspaceError
from lightbulb.model import ModelAssignment, model_id


def make_plan(rules: RuleSet, previous: tuple[ShardAssignment, ...] = ()) -> Plan:
    """Return tables, routing rules and assignments; what was assigned before stays where it can.

    Raises WorkspaceError that names every model which fits nowhere.
    """
    models = {model.id: model for model in rules.models}
    targets = {
        (table.objective, target.routing_key, model_id(target.name, target.version))
        for table in rules.tables
        for target in table.models
    }
    before = {model.id: assignment.shard for assignment in previous for model in assignment.models}
    placement = place({model for _, _, model in targets}, models, rules.shards, before)
    if placement.misfits:
        raise WorkspaceError(
            does_not_fit(each.model, each.needs, each.largest_free) for each in placement.misfits
        )
    vips = {shard.name: shard.vip for shard in rules.shards}
    return Plan(
        tables=rules.tables,
        routes=tuple(
            RoutingRule(objective=objective, key=key, vip=vips[placement.shard_of[model]])
            for objective, key, model in sorted(targets)
        ),
        assignments=_assignments(rules, placement, models),
    )


def _assignments(
    rules: RuleSet, placement: Placement, models: dict[str, Model]
) -> tuple[ShardAssignment, ...]:
    return tuple(
        ShardAssignment(
            shard=shard.name,
            vip=shard.vip,
            models=tuple(_assignment(models[name]) for name in sorted(placement.loaded[shard.name])),
        )
        for shard in rules.shards
    )


def _assignment(model: Model) -> ModelAssignment:
    return ModelAssignment(
        name=model.name,
        version=model.version,
        memory_mib=model.memory_mib,
        facts=model.facts,
        depends_on=model.depends_on,
    )


def does_not_fit(model: Model, needs: int, largest_free: int) -> Problem:
    """Return the problem with a model that fits nowhere; memory in MiB."""
    return Problem(
        file=model.location.file,
        line=model.location.line,
        code="DOES_NOT_FIT",
        message=(
            f"{model.id} needs {needs} MiB with what it depends on;"
            f" the most that a shard has left is {largest_free} MiB"
        ),
        remedy="add memory or a shard to fleet.yaml, or make it smaller",
    )
