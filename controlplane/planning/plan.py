"""A RuleSet on a fleet: the three products. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from types import MappingProxyType

from controlplane.model import Model, Plan, RuleSet
from controlplane.planning.parts import Parts
from controlplane.planning.placement import place
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


def plan_on(
    rules: RuleSet,
    before: Mapping[str, str],
    loaded: Mapping[str, Mapping[str, int]],
    parts: Parts | None = None,
) -> Plan:
    """Return the plan of `rules`, as `make_plan` does.

    `before` is model id -> shard that it is on, and `loaded` shard -> model id -> MiB of what stays there.
    What `parts` has of another plan isn't made again.
    """
    parts = parts or Parts()
    models = parts.models(rules.models)
    tables = sorted(rules.tables, key=_objective)
    targets = [parts.targets(table) for table in tables]
    wanted = dict.fromkeys(chain.from_iterable(own.models for own in targets))
    placement = place(wanted, models, rules.shards, before, loaded)
    if placement.misfits:
        raise WorkspaceError(
            does_not_fit(each.model, each.needs, each.largest_free) for each in placement.misfits
        )
    vips = {shard.name: shard.vip for shard in rules.shards}
    vip_of = {model: vips[shard] for model, shard in placement.shard_of.items()}
    routes = (
        parts.routes(table, tuple(map(vip_of.__getitem__, own.models)))
        for table, own in zip(tables, targets, strict=True)
    )
    return Plan(
        tables=rules.tables,
        routes=tuple(chain.from_iterable(routes)),
        assignments=tuple(
            parts.assignment(shard, placement.loaded[shard.name], models) for shard in rules.shards
        ),
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


def does_not_fit(model: Model, needs: int, largest_free: int) -> Problem:
    """Return the problem with a model that fits nowhere; memory in MiB."""
    message = (
        f"{model.id} needs {needs} MiB with what it depends on;"
        f" the most that a shard has left is {largest_free} MiB"
    )
    remedy = "add memory or a shard to fleet.yaml, or make it smaller"
    return problem_at(model.location, "DOES_NOT_FIT", message, remedy)
