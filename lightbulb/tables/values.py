"""What answers come from, at one moment. Immutable."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from lightbulb.errors import SidecarNotReady
from lightbulb.model import (
    DEFAULT_TENANT,
    NO_GENERATION,
    ActiveGeneration,
    HeldBack,
    ObjectiveControl,
    SidecarState,
)
from lightbulb.resolution.resolve import Resolver


@dataclass(frozen=True, slots=True)
class Timeline:
    """One objective's resolvers. Each holds from the generation at the same place in `since` on.

    `since` ascends from 0. A resolver is None where the objective isn't in the generation. These are
    generations of `tenant`, whose the objective is. Where an operator decided about it, `by_rules` are the
    resolvers as the rules alone say; empty: that is what `resolvers` are.
    """

    since: tuple[int, ...]
    resolvers: tuple[Resolver | None, ...]
    tenant: str = DEFAULT_TENANT
    by_rules: tuple[Resolver | None, ...] = ()


NO_CONTROLS: Mapping[str, ObjectiveControl] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """Everything that answers come from, at one moment.

    `controls` are by objective, also of objectives that aren't here; `objectives` obey them. `sidecars` is by
    node id; one that is in step is IN_STEP itself. `generations` are the active ones by tenant; empty:
    nothing has come yet.
    """

    objectives: Mapping[str, Timeline]
    sidecars: Mapping[str, SidecarState]
    generations: Mapping[str, ActiveGeneration]
    controls: Mapping[str, ObjectiveControl] = field(default_factory=lambda: NO_CONTROLS)

    @property
    def generation(self) -> ActiveGeneration:
        """The default tenant's active generation, or else the newest of any; 0: none has come."""
        own = self.generations.get(DEFAULT_TENANT)
        return own or max(self.generations.values(), key=lambda each: each.number, default=NO_ACTIVE)

    def resolver(self, objective: str, generation: int) -> Resolver | None:
        """Return the resolver of `objective` in `generation`; None when the objective isn't in it."""
        timeline = self.objectives.get(objective)
        if timeline is None:
            return None
        since = timeline.since
        place = 0 if len(since) == 1 else bisect_right(since, generation) - 1
        return timeline.resolvers[place]

    def held_back(self, objective: str, generation: int) -> HeldBack | None:
        """Return what an operator decided, if therefore `generation` is answered from by another's table."""
        timeline, control = self.objectives.get(objective), self.controls.get(objective)
        if timeline is None or control is None or not timeline.by_rules:
            return None
        place = bisect_right(timeline.since, generation) - 1
        return None if timeline.resolvers[place] is timeline.by_rules[place] else control.held_back

    def tenant_of(self, objective: str) -> str:
        """Return whose an objective is; the default tenant for one that isn't known."""
        timeline = self.objectives.get(objective)
        return DEFAULT_TENANT if timeline is None else timeline.tenant

    def generation_for(self, sidecar: str, tenant: str = DEFAULT_TENANT) -> int:
        """Return the generation to answer from for a tenant's objectives; 0 when it has none.

        `sidecar` is the caller's sidecar, by node id, or empty. Raises SidecarNotReady when it routes no
        generation of the tenant that is live.
        """
        active = self.generations.get(tenant, NO_ACTIVE)
        if not sidecar or not active.number:
            return active.number
        known = self.sidecars.get(sidecar)
        if known is None:
            return active.oldest or active.number
        state = known.of(tenant)
        if state == NO_GENERATION:
            raise SidecarNotReady(
                f"sidecar {sidecar!r} routes no live generation: it has no configuration yet, "
                "or lags too far behind; retry",
                sidecar=sidecar,
            )
        return state or active.number


NO_ACTIVE = ActiveGeneration(number=0, content_hash="")
IN_STEP = SidecarState(generation=0)
EMPTY_TABLES = Tables(
    objectives=MappingProxyType({}), sidecars=MappingProxyType({}), generations=MappingProxyType({})
)


def beside(before: Tables, brought: Tables, waiting: AbstractSet[str]) -> Tables:
    """Return what was brought, with all that the generations of tenants that are `waiting` need as before.

    An objective that was another tenant's before has no table of theirs: it is answered from what came.
    """
    objectives = dict(brought.objectives)
    for name, timeline in brought.objectives.items():
        if timeline.tenant not in waiting:
            continue
        held = before.objectives.get(name)
        if held is None:
            del objectives[name]
        elif held.tenant == timeline.tenant:
            objectives[name] = held
    sidecars = {
        name: _beside(before.sidecars.get(name, IN_STEP), state, waiting)
        for name, state in brought.sidecars.items()
    }
    generations = {**brought.generations, **{tenant: before.generations[tenant] for tenant in waiting}}
    return replace(
        brought,
        objectives=MappingProxyType(objectives),
        sidecars=MappingProxyType(sidecars),
        generations=MappingProxyType(generations),
    )


def _beside(before: SidecarState, brought: SidecarState, waiting: AbstractSet[str]) -> SidecarState:
    states = {tenant: brought.of(tenant) for tenant in (DEFAULT_TENANT, *brought.others)}
    states |= {tenant: before.of(tenant) for tenant in waiting}
    own = states.pop(DEFAULT_TENANT)
    state = SidecarState(
        generation=own, others={tenant: number for tenant, number in states.items() if number}
    )
    return IN_STEP if state == IN_STEP else state
