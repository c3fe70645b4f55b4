"""Holds what resolution needs, as the control plane sends it: tables, controls, sidecars, the generation.

A reader takes `feed.tables` once and works on that: it is immutable, and an update replaces it. A resource
that can't be used is refused by name, and what was there before goes on serving. A Feed knows only what came
in Updates, so to start from disk it is enough to keep those.

A replica that is behind, or one of another store, must not take us back. Its generation shows whether it
would, and comes after its tables. So what a new stream brings of a tenant is kept aside until that tenant's
generation is accepted; from then on it serves at once. Tenants' come together, but after a store lost
commits: each tenant's comes when all that it needs is loaded again.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType

from lightbulb.ads.client.session import Update
from lightbulb.ads.values import (
    ACTIVE_GENERATION,
    OBJECTIVE_CONTROL,
    OBJECTIVE_TABLES,
    SIDECAR_STATE,
    Resource,
    active_name,
)
from lightbulb.errors import ReservedParameter
from lightbulb.model import (
    ActiveGeneration,
    HeldBack,
    ObjectiveControl,
    ObjectiveTable,
)
from lightbulb.resolution.codec import (
    control_from_bytes,
    generation_from_bytes,
    objective_tables_from_bytes,
    sidecar_state_from_bytes,
    table_to_bytes,
)
from lightbulb.resolution.resolve import Resolver
from lightbulb.rpc.enrich import check_parameters
from lightbulb.tables.values import EMPTY_TABLES, IN_STEP, NO_ACTIVE, Tables, Timeline, beside

TYPES = (OBJECTIVE_TABLES, OBJECTIVE_CONTROL, SIDECAR_STATE, ACTIVE_GENERATION)
"""What to subscribe to, in this order: the generation comes after the tables and sidecars that it needs."""

AFRESH = (ACTIVE_GENERATION,)
"""What every new stream must send again: it shows whether its replica is behind."""

SLICE = 32
"""Objectives that are compiled before other tasks get the event loop: some milliseconds of work."""

_EMPTIED = "refused: it would leave no objective at all"
_WITHDRAWN = "refused: a generation is replaced, never withdrawn"
_ON_PURPOSE = "on purpose, delete the state folder and restart this Lightbulb"


class Feed:
    """Applies updates of TYPES, one at a time, in order."""

    def __init__(self) -> None:
        self.tables = EMPTY_TABLES
        self._brought = EMPTY_TABLES  # all that has come; ahead of `tables` until its stream is trusted
        self._stream = 0
        self._trusted = -1  # the last stream of which a generation was accepted
        self._accepted: frozenset[str] = frozenset()  # the tenants of which one was, on that stream
        self._turn = asyncio.Lock()  # fair: first come, first served
        self._ready = asyncio.Event()

    @property
    def ready(self) -> bool:
        """Whether a whole generation has come."""
        return self._ready.is_set()

    @property
    def settled(self) -> bool:
        """Whether all that has come is in use, so that it is worth keeping on disk."""
        return self.tables is self._brought

    async def wait_ready(self) -> None:
        """Return as soon as a whole generation has come."""
        await self._ready.wait()

    def open_stream(self) -> None:
        """Note that updates come from a new stream from now on."""
        self._stream += 1

    async def apply(self, update: Update) -> Mapping[str, str]:
        """Apply an update; return resource name -> reason for each resource that can't be used."""
        stream = self._stream  # noted now: a new one may open while this update waits for its turn
        async with self._turn:
            if update.type_url == ACTIVE_GENERATION:
                return self._apply_generation(update, stream)
            if update.type_url == SIDECAR_STATE:
                rejected = self._apply_sidecars(update)
            elif update.type_url == OBJECTIVE_CONTROL:
                rejected = self._apply_controls(update)
            else:
                rejected = await self._apply_tables(update)
            if stream == self._trusted:
                self._serve()
            return rejected

    def _serve(self) -> None:
        """Answer from all that has come, but of tenants whose generation is the one before still."""
        before, brought = self.tables, self._brought
        waiting = before.generations.keys() - self._accepted
        if waiting:  # of a tenant that is no more, nothing is there to wait for
            waiting &= {each.tenant for each in brought.objectives.values()}
        self.tables = beside(before, brought, waiting) if waiting else brought

    async def _apply_tables(self, update: Update) -> Mapping[str, str]:
        before, rejected = self._brought.objectives, {}
        objectives = dict(before)
        for name in update.removed:
            objectives.pop(name, None)
        for position, resource in enumerate(update.added, 1):
            try:
                timeline = _make_timeline(resource, before.get(resource.name))
                control = self._brought.controls.get(resource.name)
                objectives[resource.name] = _obeying(timeline, control, before.get(resource.name))
            except (ValueError, ReservedParameter) as error:
                rejected[resource.name] = str(error)
            if position % SLICE == 0:
                await asyncio.sleep(0)
        if before and not objectives:
            # A control plane that has lost everything must not take the objectives away.
            return dict.fromkeys(update.removed, _EMPTIED) | rejected
        self._brought = replace(self._brought, objectives=MappingProxyType(objectives))
        return rejected

    def _apply_controls(self, update: Update) -> Mapping[str, str]:
        rejected: dict[str, str] = {}
        controls, objectives = dict(self._brought.controls), dict(self._brought.objectives)
        for name in update.removed:
            controls.pop(name, None)
        for resource in update.added:
            try:
                control = control_from_bytes(resource.body)
                _check_newer(resource.name, control, self.tables.controls.get(resource.name))
                controls[resource.name] = control
            except ValueError as error:
                rejected[resource.name] = str(error)
        added = {each.name for each in update.added} - rejected.keys()
        for name in {*update.removed, *added} & objectives.keys():
            objectives[name] = _obeying(objectives[name], controls.get(name))
        self._brought = replace(
            self._brought, controls=MappingProxyType(controls), objectives=MappingProxyType(objectives)
        )
        return rejected

    def _apply_sidecars(self, update: Update) -> Mapping[str, str]:
        rejected: dict[str, str] = {}
        sidecars = dict(self._brought.sidecars)
        for name in update.removed:
            sidecars.pop(name, None)
        for resource in update.added:
            try:
                state = sidecar_state_from_bytes(resource.body)
                sidecars[resource.name] = IN_STEP if state == IN_STEP else state
            except ValueError as error:
                rejected[resource.name] = str(error)
        self._brought = replace(self._brought, sidecars=MappingProxyType(sidecars))
        return rejected

    def _apply_generation(self, update: Update, stream: int) -> Mapping[str, str]:
        seen, generations = self.tables.generations, dict(self._brought.generations)
        rejected: dict[str, str] = {}
        for name in update.removed:
            tenant = next((each for each in generations if active_name(each) == name), "")
            if len(generations) > 1 and not _has_objectives(self._brought, tenant):
                generations.pop(tenant, None)  # that tenant is no more
            else:
                rejected[name] = _WITHDRAWN
        accepted = set[str]()
        for resource in update.added:
            try:
                generation = generation_from_bytes(resource.body)
                _check_successor(resource.name, generation, seen.get(generation.tenant, NO_ACTIVE))
            except ValueError as error:
                rejected[resource.name] = str(error)
                continue
            generations[generation.tenant] = generation
            accepted.add(generation.tenant)
        self._brought = replace(self._brought, generations=MappingProxyType(generations))
        if accepted and not rejected:  # one that is behind in one tenant's is behind
            earlier = self._accepted if stream == self._trusted else frozenset()
            self._accepted = earlier | accepted
            self._trusted = stream
        if stream == self._trusted:
            self._serve()
            self._ready.set()
        return rejected


def _has_objectives(tables: Tables, tenant: str) -> bool:
    return any(timeline.tenant == tenant for timeline in tables.objectives.values())


def _check_successor(name: str, generation: ActiveGeneration, seen: ActiveGeneration) -> None:
    """Raise ValueError when `generation`, that came under a name, may not replace the one that was seen."""
    if name != active_name(generation.tenant):
        raise ValueError(f"holds the generation of tenant {generation.tenant!r}")
    if generation.number == 0:
        raise ValueError("generation 0 doesn't exist")
    if generation.store and seen.store and generation.store != seen.store:
        raise ValueError(
            f"generation {generation.number} is of store {generation.store!r}, and what is served here is of "
            f"store {seen.store!r}: connect to the control plane of that store; if the store was recreated "
            f"{_ON_PURPOSE}"
        )
    if generation.fence < seen.fence:
        raise ValueError(
            f"generation {generation.number} at fence {generation.fence} is behind generation "
            f"{seen.number} at fence {seen.fence}, which is served here: this control plane must catch up; "
            f"if its store was restored from a backup {_ON_PURPOSE}"
        )


def _check_newer(name: str, control: ObjectiveControl, seen: ObjectiveControl | None) -> None:
    """Raise ValueError when a control, that came under a name, may not replace the one that was seen."""
    if control.objective != name:
        raise ValueError(f"holds what was decided about {control.objective!r}")
    if seen is not None and control.version < seen.version:
        raise ValueError(
            f"it is of version {control.version}, behind version {seen.version}, which is obeyed here: this "
            f"control plane must catch up; if its store was restored from a backup {_ON_PURPOSE}"
        )


def _obeying(
    timeline: Timeline, control: ObjectiveControl | None, before: Timeline | None = None
) -> Timeline:
    """Return an objective that answers as an operator decided; without one, as its rules say.

    A resolver that was there `before`, of the same decision, stays the same object.
    """
    by_rules = _by_rules(timeline)
    if control is not None and control.held_back is not None:
        return replace(timeline, resolvers=_held_back(timeline, control.held_back), by_rules=by_rules)
    if control is None or control.shift is None:
        return replace(timeline, resolvers=by_rules, by_rules=())
    known: dict[int, Resolver | None] = {}
    if before is not None:
        known = {id(rules): obeys for rules, obeys in zip(_by_rules(before), before.resolvers, strict=True)}
    resolvers: list[Resolver | None] = []
    for each in by_rules:
        if id(each) not in known:
            known[id(each)] = None if each is None else each.under(control.shift)
        resolvers.append(known[id(each)])
    return replace(timeline, resolvers=tuple(resolvers), by_rules=by_rules)


def _held_back(timeline: Timeline, held_back: HeldBack) -> tuple[Resolver | None, ...]:
    """Return the resolvers with another in place of the rejected table's, wherever that stands."""
    by_rules = _by_rules(timeline)
    rejected, instead = (
        by_rules[bisect_right(timeline.since, number) - 1]
        for number in (held_back.rejected, held_back.answer_from)
    )
    if instead is None:
        return by_rules
    return tuple(instead if each is rejected else each for each in by_rules)


def _by_rules(timeline: Timeline) -> tuple[Resolver | None, ...]:
    return timeline.by_rules or timeline.resolvers


def _make_timeline(resource: Resource, before: Timeline | None) -> Timeline:
    """Return an objective, ready to answer. A table that was there before keeps its Resolver.

    Raises ValueError or ReservedParameter when it can't be used.
    """
    tables = objective_tables_from_bytes(resource.body)
    if tables.objective != resource.name:
        raise ValueError(f"holds the tables of {tables.objective!r}")
    known = [] if before is None else [each for each in _by_rules(before) if each is not None]
    resolvers: list[Resolver | None] = []
    for entry in tables.tables:
        if entry.table is None:
            resolvers.append(None)
            continue
        resolver = _find(entry.table, known)
        if resolver is None:
            resolver = _make_resolver(entry.table)
            known.append(resolver)
        resolvers.append(resolver)
    since = tuple(entry.since for entry in tables.tables)
    return Timeline(since=since, resolvers=tuple(resolvers), tenant=tables.tenant)


def _find(table: ObjectiveTable, known: Iterable[Resolver]) -> Resolver | None:
    for resolver in known:
        # Equal values may have different bytes: 1, 1.0 and True are equal.
        if resolver.table == table and table_to_bytes(resolver.table) == table_to_bytes(table):
            return resolver
    return None


def _make_resolver(table: ObjectiveTable) -> Resolver:
    for target in table.models:
        check_parameters(target.parameters)
    return Resolver(table)
