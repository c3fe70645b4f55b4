"""What plans are put together of: what is as it was in the plan before is taken from there. Pure.

What it gives follows from what it is asked for alone, and is equal to what is made from scratch; what was
asked for only saves work. It goes by identity: whoever compiles again gets the tables that didn't change as
the same objects.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from controlplane.model import Model, RoutingRule, Shard, ShardAssignment
from lightbulb.memo import PerObject
from lightbulb.model import ModelAssignment, ObjectiveTable, model_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """What an objective is served by: keys, sorted, each once; and the id of the model that each is of."""

    keys: tuple[str, ...]
    models: tuple[str, ...]


class Parts:
    """For one process that plans one workspace, and what it was before; it keeps all that it was given."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self.models = PerObject(_by_id)
        """The models of a RuleSet's tuple of them, by id."""
        self.targets = PerObject(_targets)
        """Those of a table."""
        self._routes: dict[str, tuple[ObjectiveTable, tuple[str, ...], tuple[RoutingRule, ...]]] = {}
        self._assignments: dict[
            str, tuple[Shard, Mapping[str, Model], AbstractSet[str], ShardAssignment]
        ] = {}

    def routes(self, table: ObjectiveTable, vips: tuple[str, ...]) -> tuple[RoutingRule, ...]:
        """Return where an objective's keys go; `vips` are those of its targets' models."""
        held, there, routes = self._routes.get(table.objective, (None, (), ()))
        if held is not table or there != vips:
            routes = tuple(
                RoutingRule(objective=table.objective, key=key, vip=vip)
                for key, vip in zip(self.targets(table).keys, vips, strict=True)
            )
            self._routes[table.objective] = table, vips, routes
        return routes

    def assignment(
        self, shard: Shard, loaded: AbstractSet[str], models: Mapping[str, Model]
    ) -> ShardAssignment:
        """Return what a shard's hosts load, of `models`; `loaded` are the ids."""
        held = self._assignments.get(shard.name)
        if held is None or held[0] is not shard or held[1] is not models or held[2] != loaded:
            held = shard, models, loaded, _assignment(shard, loaded, models)
            self._assignments[shard.name] = held
        return held[3]


def _by_id(models: tuple[Model, ...]) -> Mapping[str, Model]:
    return {model.id: model for model in models}


def _targets(table: ObjectiveTable) -> Targets:
    models = {each.routing_key: model_id(each.name, each.version) for each in table.models}
    return Targets(keys=tuple(sorted(models)), models=tuple(models[key] for key in sorted(models)))


def _assignment(shard: Shard, loaded: AbstractSet[str], models: Mapping[str, Model]) -> ShardAssignment:
    return ShardAssignment(
        shard=shard.name,
        vip=shard.vip,
        memory_mib=shard.memory_mib,
        models=tuple(_loaded(models[name]) for name in sorted(loaded)),
    )


def _loaded(model: Model) -> ModelAssignment:
    return ModelAssignment(
        name=model.name,
        version=model.version,
        memory_mib=model.memory_mib,
        facts=model.facts,
        depends_on=model.depends_on,
        load_timeout=model.load_timeout,
    )
