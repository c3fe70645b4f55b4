"""A RuleSet on a fleet: the three products. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from controlplane.model import Model, Plan, RoutingRule, RuleSet, ShardAssignment
from controlplane.planning.placement import Placement, place
from controlplane.problems import Problem, WorkspaceError, problem_at
from lightbulb.model import ModelAssignment, ObjectiveTable, model_id

NOTHING_RESIDENT: Mapping[str, tuple[ModelAssignment, ...]] = MappingProxyType({})


def make_plan(
    rules: RuleSet,
    previous: Plan | None = None,
    resident: Mapping[str, tuple[ModelAssignment, ...]] = NOTHING_RESIDENT,
) -> Plan:
    """Return tables, routing rules and assignments; what `previous` has stays where it can.

    `resident` is shard -> models that are loaded there and stay, whatever is placed. Raises WorkspaceError
    that names every model which fits nowhere.
    """
    loaded = {shard: {model.id: model.memory_mib for model in own} for shard, own in resident.items()}
    before = {model.id: shard for shard, own in resident.items() for model in own}
    if previous is not None:
        before |= led_to(previous)
    return plan_on(rules, before, loaded)


def plan_on(rules: RuleSet, before: Mapping[str, str], loaded: Mapping[str, Mapping[str, int]]) -> Plan:
    """Return the plan of `rules`, as `make_plan` does.

    `before` is model id -> shard that it is on, and `loaded` shard -> model id -> MiB of what stays there.
    """
    models = {model.id: model for model in rules.models}
    targets = [target for table in sorted(rules.tables, key=_objective) for target in _targets(table)]
    wanted = dict.fromkeys(model for _, _, model in targets)
    placement = place(wanted, models, rules.shards, before, loaded)
    if placement.misfits:
        raise WorkspaceError(
            does_not_fit(each.model, each.needs, each.largest_free) for each in placement.misfits
        )
    vips = {shard.name: shard.vip for shard in rules.shards}
    return Plan(
        tables=rules.tables,
        routes=tuple(
            RoutingRule(objective=objective, key=key, vip=vips[placement.shard_of[model]])
            for objective, key, model in targets
        ),
        assignments=_assignments(rules, placement, models),
    )


def led_to(plan: Plan) -> Mapping[str, str]:
    """Return model id -> shard that it is on: of several that load it, the one which its requests go to."""
    shards = {each.vip: each.shard for each in plan.assignments}
    by_key = {rule.key: shards[rule.vip] for rule in plan.routes}
    return {
        model_id(each.name, each.version): by_key[each.routing_key]
        for table in plan.tables
        for each in table.models
    }


def _objective(table: ObjectiveTable) -> str:
    return table.objective


def _targets(table: ObjectiveTable) -> list[tuple[str, str, str]]:
    """Return objective, routing key and model id of what an objective is served by, sorted, each once."""
    return sorted(
        {(table.objective, each.routing_key, model_id(each.name, each.version)) for each in table.models}
    )


def _assignments(
    rules: RuleSet, placement: Placement, models: dict[str, Model]
) -> tuple[ShardAssignment, ...]:
    return tuple(
        ShardAssignment(
            shard=shard.name,
            vip=shard.vip,
            memory_mib=shard.memory_mib,
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
        load_timeout=model.load_timeout,
    )


def does_not_fit(model: Model, needs: int, largest_free: int) -> Problem:
    """Return the problem with a model that fits nowhere; memory in MiB."""
    message = (
        f"{model.id} needs {needs} MiB with what it depends on;"
        f" the most that a shard has left is {largest_free} MiB"
    )
    remedy = "add memory or a shard to fleet.yaml, or make it smaller"
    return problem_at(model.location, "DOES_NOT_FIT", message, remedy)
