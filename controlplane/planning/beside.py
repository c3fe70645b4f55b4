"""A plan beside what stays loaded, and what must leave to make room for it. Pure.

It needs little of what is loaded: the `Base`, small enough to be handed to another process.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import TypeVar

from controlplane.model import Model, Plan, RuleSet, ShardAssignment
from controlplane.planning.layers import Layers, clashes
from controlplane.planning.parts import Parts
from controlplane.planning.plan import plan_on
from controlplane.planning.routing import check_routes
from controlplane.problems import Problem, WorkspaceError, problem_at
from lightbulb.memo import PerObject
from lightbulb.model import ModelAssignment

T = TypeVar("T")

Release = tuple[int, ...] | None
"""Generations that must leave first, with what is leaving already, to make room; None: there is room.

Those of other tenants among them leave by themselves.
"""

MAX_TENANTS = 5
"""Tenants whose memory an error names, those with the most."""

Loaded = Mapping[str, Mapping[str, int]]
"""Shard -> model id -> MiB."""


REST = ""
"""In what is loaded on a shard: all models together that a plan has no name for. It is nobody's id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What a workspace names: its objectives, and its models' ids."""

    objectives: tuple[str, ...]
    models: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What stays loaded once some generations have left; `own` is what of it is the tenant's."""

    release: Release
    loaded: Loaded
    own: Loaded = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Others:
    """What tenants other than the one who publishes have, as far as it binds that one.

    `objectives` is name -> tenant. `models` is model id -> tenant and definition (`definition_of`): a version
    of a model is the same whoever uses it. `memory_mib` is tenant -> what it has loaded, in all.
    """

    objectives: Mapping[str, str] = field(default_factory=dict)
    models: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    memory_mib: Mapping[str, int] = field(default_factory=dict)

    def for_names(self, names: Names) -> Others:
        """Return what binds a workspace that names no more than these."""
        return replace(
            self, objectives=_of(self.objectives, names.objectives), models=_of(self.models, names.models)
        )


NO_OTHERS = Others()
NO_LAYERS = Layers()


def names_of(rules: RuleSet) -> Names:
    """Return what a workspace names."""
    return Names(
        objectives=tuple(each.name for each in rules.objectives),
        models=tuple(each.id for each in rules.models),
    )


def definition_of(model: Model | ModelAssignment) -> str:
    """Return what defines a version of a model, as one text."""
    timeout = f" load_timeout={model.load_timeout:g}s" if model.load_timeout else ""
    needs = f"facts={','.join(model.facts)} depends_on={','.join(model.depends_on)}"
    return f"{model.memory_mib}MiB {needs}{timeout}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """What a plan stands on: the rooms to try, from that in which nothing leaves; there is always one.

    `before` is model id -> shard that its requests go to in the newest generation, `vips` is each live VIP's
    shard and the generation that has it so, and `stay` are the generations that never leave for this.
    `others` is what other tenants have. `memory_mib`: what the tenant may have loaded; 0: no limit. `layers`
    is what binds the tenant's tests. `outgoing` is what other tenants' generations have that leave by
    themselves, without what stays loaded all the same: it is in the rooms too.
    """

    rooms: tuple[Room, ...] = (Room(release=None, loaded={}),)
    before: Mapping[str, str] = field(default_factory=dict)
    vips: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    stay: tuple[int, ...] = ()
    others: Others = field(default_factory=lambda: NO_OTHERS)
    memory_mib: int = 0
    layers: Layers = field(default_factory=lambda: NO_LAYERS)
    outgoing: Mapping[int, Loaded] = field(default_factory=dict)

    def for_names(self, names: Names) -> Base:
        """Return what of it a plan of these stands on; that plan is the same, and so are its problems.

        Of all that others have loaded, which may be a hundred times as much, it is no more than a sum.
        """
        if not self.others.memory_mib:
            return self
        known = frozenset(names.models).union(
            model for room in self.rooms for own in room.own.values() for model in own
        )
        # What is outgoing is taken from what is loaded by its name.
        whole = {shard for loaded in self.outgoing.values() for shard in loaded}
        summed = PerObject[Mapping[str, int], Mapping[str, int]](lambda sizes: _summed(sizes, known))
        return replace(
            self,
            rooms=tuple(
                replace(
                    room,
                    loaded={
                        shard: sizes if shard in whole else summed(sizes)
                        for shard, sizes in room.loaded.items()
                    },
                )
                for room in self.rooms
            ),
            others=self.others.for_names(names),
        )

    def rooms_to_try(self) -> Iterator[Room]:
        """Yield each room, then each as it is once what is `outgoing` has left."""
        yield from self.rooms
        if self.outgoing:
            yield from (_without(room, self.outgoing) for room in self.rooms)

    def release(self, plan: Plan, room: Room) -> Release:
        """Return what must leave for a plan that fits a room; of what is `outgoing` no more than must."""
        awaited = [number for number in room.release or () if number in self.outgoing]
        if not awaited:
            return room.release
        loaded = room.loaded
        for number in sorted(awaited, reverse=True):
            beside = both(loaded, self.outgoing[number])
            if all(free(each, beside) >= 0 for each in plan.assignments):
                awaited.remove(number)
                loaded = beside
        return (*(number for number in room.release or () if number not in self.outgoing), *awaited)


def _of(named: Mapping[str, T], names: Iterable[str]) -> Mapping[str, T]:
    return {name: named[name] for name in names if name in named}


def _summed(sizes: Mapping[str, int], known: AbstractSet[str]) -> Mapping[str, int]:
    """Return the sizes of models that are `known`, and of all others together."""
    found = {name: sizes[name] for name in sorted(sizes.keys() & known)}
    rest = sum(sizes.values()) - sum(found.values())
    return {**found, REST: rest} if rest else found


def _without(room: Room, outgoing: Mapping[int, Loaded]) -> Room:
    gone: dict[str, set[str]] = {}
    for loaded in outgoing.values():
        for shard, models in loaded.items():
            gone.setdefault(shard, set()).update(models.keys() - room.own.get(shard, {}).keys())
    stays = {
        shard: {model: mib for model, mib in models.items() if model not in gone[shard]}
        if shard in gone
        else models
        for shard, models in room.loaded.items()
    }
    return replace(room, release=(*(room.release or ()), *outgoing), loaded=stays)


def both(one: Loaded, other: Loaded) -> Loaded:
    """Return what two have loaded together; of what both have, as the other has it."""
    return {
        **one,
        **{
            shard: {**one[shard], **models} if shard in one else models
            for shard, models in other.items()
            if models or shard not in one
        },
    }


def free(assignment: ShardAssignment, loaded: Loaded) -> int:
    """Return the MiB that are left on a shard with an assignment beside what is loaded; below 0: too much."""
    sizes = {model.id: model.memory_mib for model in assignment.models}
    return assignment.memory_mib - sum({**loaded.get(assignment.shard, {}), **sizes}.values())


def plan_beside(rules: RuleSet, base: Base, parts: Parts | None = None) -> tuple[Plan, Release]:
    """Return the plan of `rules`, and which generations must leave to make room for it: as few as can be.

    What `parts` has of another plan isn't made again.

    What other tenants let go of by themselves is waited for rather than that nothing fits.

    Raises WorkspaceError when there is no room even so, or when a VIP is another shard's still, and
    Inconsistent for a plan that no sidecar can serve.
    """
    problems = [*_taken_vips(rules, base), *_taken_objectives(rules, base.others)]
    problems += _other_definitions(rules, base.others)
    problems += clashes(rules.tables, base.layers)
    if problems:
        raise WorkspaceError(problems)
    for room in base.rooms_to_try():
        before = {model: shard for shard, own in room.loaded.items() for model in own}
        before.update(base.before)
        try:
            plan = plan_on(rules, before, room.loaded, parts)
        except WorkspaceError as error:
            misfit = error
            continue
        needs = loaded_mib(plan, room.own) if base.memory_mib else 0
        if needs > base.memory_mib:
            misfit = WorkspaceError([_beyond_quota(needs, base.memory_mib)])
            continue
        check_routes(plan.routes, (assignment.vip for assignment in plan.assignments))
        return plan, base.release(plan, room)
    raise _beside(misfit, base)


def loaded_mib(plan: Plan, own: Loaded) -> int:
    """Return what a tenant has loaded with a plan beside its own that stays, in MiB."""
    sizes = {(shard, model): mib for shard, models in own.items() for model, mib in models.items()}
    sizes |= {(each.shard, model.id): model.memory_mib for each in plan.assignments for model in each.models}
    return sum(sizes.values())


def _beyond_quota(needs: int, quota: int) -> Problem:
    return Problem(
        file="models.yaml",
        code="BEYOND_QUOTA",
        message=f"it needs {needs} MiB with what stays loaded for a rollback; the tenant has {quota} MiB",
        remedy="make models smaller, unpin a generation, or have tenants.yaml give more memory",
    )


def _taken_objectives(rules: RuleSet, others: Others) -> Iterator[Problem]:
    """Yield the objectives that are another tenant's."""
    for objective in rules.objectives:
        tenant = others.objectives.get(objective.name)
        if tenant is not None:
            message = f"objective {objective.name} is tenant {tenant}'s"
            remedy = (
                "take it out or choose another name; or have it handed over: lightbulb tenants offer "
                f"{objective.name} --tenant {tenant} --to YOURS, then lightbulb tenants take {objective.name}"
            )
            yield problem_at(objective.location, "OBJECTIVE_IN_USE", message, remedy)


def _other_definitions(rules: RuleSet, others: Others) -> Iterator[Problem]:
    """Yield the models that another tenant uses, and defines otherwise."""
    for model in rules.models if others.models else ():
        tenant, definition = others.models.get(model.id, ("", ""))
        if tenant and definition != definition_of(model):
            message = f"tenant {tenant} has {model.id} loaded as {definition}, not {definition_of(model)}"
            remedy = "define it alike, or give it another version"
            yield problem_at(model.location, "OTHER_DEFINITION", message, remedy)


def _taken_vips(rules: RuleSet, base: Base) -> Iterator[Problem]:
    """Yield the VIPs that old keys lead to at another shard."""
    for shard in rules.shards:
        holder, number = base.vips.get(shard.vip, (shard.name, 0))
        if holder != shard.name:
            message = f"VIP {shard.vip} is that of shard {holder} in generation {number}, which is loaded"
            remedy = f"give shard {shard.name} another VIP, or wait until that generation has left"
            yield problem_at(shard.location, "VIP_IN_USE", message, remedy)


def _beside(misfit: WorkspaceError, base: Base) -> WorkspaceError:
    """Return the error that also says what takes the room."""
    hint = ""
    if base.stay:
        stay = ", ".join(map(str, base.stay))
        hint = f"; generations {stay} stay loaded, being active or pinned"
    if base.others.memory_mib:
        memory = sorted(base.others.memory_mib.items(), key=lambda item: (-item[1], item[0]))
        hint += "; others have: " + ", ".join(f"{tenant} {mib} MiB" for tenant, mib in memory[:MAX_TENANTS])
    return WorkspaceError(replace(each, remedy=each.remedy + hint) for each in misfit.problems)
