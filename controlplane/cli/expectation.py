"""What the rules call for, worked out from the workspace itself and not by asking the system. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from controlplane.model import Plan
from lightbulb.model import RequestContext, model_id
from lightbulb.resolution.resolve import Reason, Resolution, Resolver


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """The model, its routing key, VIP and shard, and the part of the rules that one user falls under."""

    model: str
    routing_key: str
    vip: str
    shard: str
    group: str


class Expectations:
    """Answers for a plan what each user's request must come back with."""

    def __init__(self, plan: Plan) -> None:
        """Compile the plan's tables."""
        self._resolvers: Mapping[str, Resolver] = {table.objective: Resolver(table) for table in plan.tables}
        self._vips: Mapping[str, str] = {rule.key: rule.vip for rule in plan.routes}
        self._shards: Mapping[str, str] = {each.vip: each.shard for each in plan.assignments}

    @property
    def objectives(self) -> tuple[str, ...]:
        """Every objective with rules, sorted."""
        return tuple(sorted(self._resolvers))

    def of(self, objective: str, context: RequestContext) -> Expected:
        """Return what a request of this user must be answered by."""
        resolution = self._resolvers[objective].resolve(context)
        key = resolution.target.routing_key
        vip = self._vips[key]
        return Expected(
            routing_key=key,
            model=model_id(resolution.target.name, resolution.target.version),
            vip=vip,
            shard=self._shards[vip],
            group=_group(resolution),
        )


def _group(resolution: Resolution) -> str:
    if resolution.reason is Reason.AB_TEST:
        return ", ".join(f"test {each.test_id} cell {each.cell}" for each in resolution.allocations)
    return str(resolution.reason.value)
