"""A tenant's plan on another fleet: what was planned, planned anew, model by model. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from controlplane.model import Location, Model, Plan, Platform, RuleSet, Shard
from controlplane.planning.plan import led_to

NOWHERE = Location(file="fleet.yaml", line=0)
"""Of what a workspace said that isn't at hand any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A model ("name@version") that goes from one shard to another."""

    model: str
    start: str
    end: str


def shards_of(platform: Platform, tenant: str) -> tuple[Shard, ...]:
    """Return the shards that a tenant may use."""
    own = platform.tenant(tenant)
    names = frozenset(own.shards) if own is not None else frozenset()
    return tuple(each for each in platform.shards if not names or each.name in names)


def is_touched(plan: Plan, platform: Platform, tenant: str) -> bool:
    """Say whether a tenant's plan can't stay as it is on this fleet."""
    shards = {shard.name: shard for shard in shards_of(platform, tenant)}
    for each in plan.assignments:
        if not each.models:
            continue
        shard = shards.get(each.shard)
        if shard is None or shard.vip != each.vip:
            return True
        if sum(model.memory_mib for model in each.models) > shard.memory_mib:
            return True
    return False


def rules_of(plan: Plan, platform: Platform, tenant: str) -> RuleSet:
    """Return what a plan was made of, for this fleet; objectives are in its tables."""
    models = {model.id: model for each in plan.assignments for model in each.models}
    return RuleSet(
        objectives=(),
        models=tuple(
            Model(
                name=each.name,
                version=each.version,
                memory_mib=each.memory_mib,
                facts=each.facts,
                depends_on=each.depends_on,
                load_timeout=each.load_timeout,
                location=NOWHERE,
            )
            for _, each in sorted(models.items())
        ),
        shards=tuple(replace(each, models=()) for each in shards_of(platform, tenant)),
        tables=plan.tables,
    )


def with_objectives(plan: Plan, other: Plan, names: Collection[str]) -> Plan:
    """Return what `rules_of` and `led_to` read of a plan that has some objectives as another one has them."""
    tables = [each for each in plan.tables if each.objective not in names]
    tables += [each for each in other.tables if each.objective in names]
    return Plan(
        tables=tuple(sorted(tables, key=lambda each: each.objective)),
        routes=(*plan.routes, *(each for each in other.routes if each.objective in names)),
        assignments=(*other.assignments, *plan.assignments),
    )


def moves(before: Plan, after: Plan) -> Iterator[Moved]:
    """Yield the models whose requests go to another shard, by id."""
    start, end = led_to(before), led_to(after)
    for model in sorted(start.keys() & end.keys()):
        if start[model] != end[model]:
            yield Moved(model=model, start=start[model], end=end[model])
