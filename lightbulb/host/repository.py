"""The models of a host: what is assigned, what is loaded, and why not.

    assigned -> LOADING -> READY -> (no longer assigned) UNLOADING -> gone
                   '-----> UNAVAILABLE, with the reason

Everything here happens in one event loop; only a model's own code runs in a thread. What one `apply` brings
is loaded one after the other; several go on side by side. What is assigned no longer is let go of at once,
also while it loads.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial
from types import MappingProxyType

from lightbulb.ads.loads import ModelLoad
from lightbulb.host.dependencies import builds_on, in_order, needs
from lightbulb.host.errors import BadInput, CannotLoad, NotAssigned, NotLoaded
from lightbulb.host.loader import Loader
from lightbulb.host.workflow import Catalogue, Fact, Supplies, Workflow
from lightbulb.model import ModelAssignment, model_id

log = logging.getLogger(__name__)

LOAD_SECONDS = 30.0
"""For models that don't say how long they take. Shorter than a control plane waits for an ACK (60 s), so that
what hangs is refused by name."""

ROOM_SECONDS = 10.0


class State(Enum):
    """States of the Open Inference Protocol's model repository."""

    LOADING = "LOADING"
    READY = "READY"
    UNLOADING = "UNLOADING"
    UNAVAILABLE = "UNAVAILABLE"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Load:
    """A load that is under way; it raises CannotLoad, and is cancelled when it is let go of."""

    assignment: ModelAssignment
    task: asyncio.Task[None]

    def is_of(self, assignment: ModelAssignment) -> bool:
        """Say whether it does what another assignment of the model asks for."""
        own = self.assignment
        return (needs(own), own.load_timeout) == (needs(assignment), assignment.load_timeout)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An assigned model. It has a workflow when READY or UNLOADING, and a reason when UNAVAILABLE."""

    assignment: ModelAssignment
    state: State
    workflow: Workflow | None = None
    reason: str = ""


class Repository:
    """What a host has. Readers take one immutable mapping; a change swaps it.

    A load that takes more than its model's `load_timeout`, or else `load_seconds`, is refused; it goes on,
    and the next assignment of that model takes it over. One that doesn't fit beside models that are being
    unloaded waits up to `room_seconds` for them.
    """

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        facts: Mapping[str, Fact],
        memory_mib: int,
        load_seconds: float = LOAD_SECONDS,
        room_seconds: float = ROOM_SECONDS,
    ) -> None:
        """Start with nothing assigned."""
        self._catalogue = catalogue
        self._facts = facts
        self._memory_mib = memory_mib
        self._room_seconds = room_seconds
        self._entries: Mapping[str, Entry] = MappingProxyType({})
        self._in_flight: Counter[str] = Counter()
        self._assigned: dict[str, ModelAssignment] = {}
        self._loads: dict[str, _Load] = {}
        self._building: set[str] = set()
        """Models whose memory is taken, though they aren't loaded yet."""
        self._dropped = asyncio.Event()
        self._retries: dict[str, asyncio.Task[Mapping[str, str]]] = {}
        self._loader = Loader(load_seconds)

    @property
    def entries(self) -> Mapping[str, Entry]:
        """Every model that is assigned, or on its way out, by id."""
        return self._entries

    @property
    def loads(self) -> tuple[ModelLoad, ...]:
        """The loads that are under way, of what is assigned."""
        return self._loader.loads

    @property
    def letting_go(self) -> tuple[str, ...]:
        """Models that nobody waits for and whose loads still run."""
        return self._loader.running

    def find(self, name: str, version: str) -> Entry:
        """Return a READY model; without a version, the only one of that name.

        Raises NotLoaded, and BadInput when it isn't said which model is meant.
        """
        if not name:
            raise BadInput("model_name is missing", path="model_name")
        if version:
            return self._ready(model_id(name, version))
        ready = [
            entry
            for entry in self._entries.values()
            if entry.assignment.name == name and entry.state is State.READY
        ]
        if len(ready) > 1:
            versions = ", ".join(sorted(entry.assignment.version for entry in ready))
            raise BadInput(
                f"model_version is missing: {name} is loaded as {versions}", path="model_version", model=name
            )
        if not ready:
            raise NotLoaded(f"model {name} is not loaded; resolve again", model=name)
        return ready[0]

    def is_assigned(self, name: str) -> bool:
        """Say whether any version of a model is assigned: loaded, or to be loaded, or failed."""
        return any(
            entry.assignment.name == name and entry.state is not State.UNLOADING
            for entry in self._entries.values()
        )

    def hold(self, name: str, version: str) -> Entry:
        """Return what `find` does, and keep it loaded until `release`."""
        entry = self.find(name, version)
        self._in_flight[entry.assignment.id] += 1
        return entry

    def release(self, entry: Entry) -> None:
        """Say that a request of an entry that was held is done."""
        model = entry.assignment.id
        self._in_flight[model] -= 1
        if not self._in_flight[model]:
            del self._in_flight[model]
            self._drop_idle()

    async def apply(self, added: Sequence[ModelAssignment], removed: Sequence[str] = ()) -> Mapping[str, str]:
        """Let go of what is assigned no longer, then load what is; return id -> reason of what failed.

        A model that is loaded already stays as it is, also when a new assignment of it is refused; one that
        is being loaded goes on. Of a model that a later call tells of, that call says what becomes of it.
        """
        for model in removed:
            self._let_go(model)
        self._drop_idle()
        return await self._load_all(added)

    async def retry(self, name: str) -> Mapping[str, str]:
        """Try again to load what failed of an assigned model, and of those that it builds on.

        Returns id -> reason of what failed again. Raises NotAssigned. Calls for one name share one attempt.
        """
        if name not in self._retries:
            if not self.is_assigned(name):
                raise NotAssigned(
                    f"{name} is not assigned to this host; the control plane assigns models", model=name
                )
            task = asyncio.create_task(self._retry(name))
            task.add_done_callback(partial(self._retried, name))
            self._retries[name] = task
        return await asyncio.shield(self._retries[name])

    def close(self) -> None:
        """Load nothing more."""
        for task in (*self._retries.values(), *(load.task for load in self._loads.values())):
            task.cancel()
        self._loader.close()

    def _retried(self, name: str, task: asyncio.Task[Mapping[str, str]]) -> None:
        """Let go of an attempt that has ended; a fault of ours is said here, as its callers may have gone."""
        del self._retries[name]
        if not task.cancelled() and (fault := task.exception()) is not None:
            log.error("trying %s again failed", name, exc_info=fault)

    def _ready(self, model: str) -> Entry:
        entry = self._entries.get(model)
        if entry is None:
            raise NotLoaded(f"model {model} is not loaded; resolve again", model=model)
        if entry.state is not State.READY:
            raise NotLoaded(f"model {model} is {entry.state.value}; resolve again", model=model)
        return entry

    async def _retry(self, name: str) -> Mapping[str, str]:
        failed = {
            model: entry.assignment
            for model, entry in self._entries.items()
            if entry.state is State.UNAVAILABLE
        }
        wanted = [model for model, assignment in failed.items() if assignment.name == name]
        for model in wanted:  # grows while it is walked
            wanted.extend(other for other in failed[model].depends_on if other in failed.keys() - wanted)
        return await self._load_all([failed[model] for model in wanted])

    async def _load_all(self, assignments: Sequence[ModelAssignment]) -> Mapping[str, str]:
        """Load one after the other; return id -> reason of what failed."""
        ordered, circular = in_order(assignments)
        for assignment in (*ordered, *circular):
            self._assign(assignment)
        circle = ", ".join(sorted(assignment.id for assignment in circular))
        failed: dict[str, str] = {}
        for assignment in circular:
            failed[assignment.id] = f"models depend on each other in a circle: {circle}"
            self._refuse(assignment, failed[assignment.id])
        for assignment in ordered:
            try:
                await self._loaded(assignment)
            except CannotLoad as error:
                if self._is_wanted(assignment):
                    failed[assignment.id] = str(error)
        return failed

    def _assign(self, assignment: ModelAssignment) -> None:
        """Take an assignment; what it brings that isn't loaded yet is loaded later."""
        self._assigned[assignment.id] = assignment
        held = self._entries.get(assignment.id)
        if held is None or held.workflow is None:
            self._put(Entry(assignment=assignment, state=State.LOADING))
        elif held.state is State.UNLOADING:  # it comes back while it is still in use
            same = needs(held.assignment) == needs(assignment)
            self._put(
                replace(held, state=State.READY)
                if same
                else Entry(assignment=assignment, state=State.LOADING)
            )

    def _is_wanted(self, assignment: ModelAssignment) -> bool:
        """Say whether this is the latest of its model, and that wasn't let go of since."""
        return self._assigned.get(assignment.id) is assignment

    async def _loaded(self, assignment: ModelAssignment) -> None:
        """Return once a model is loaded, or isn't wanted as assigned here any more; raises CannotLoad."""
        if not self._is_wanted(assignment):
            return
        entry = self._entries[assignment.id]
        if entry.state is State.UNAVAILABLE:  # another that builds on it has had it loaded
            raise CannotLoad(entry.reason)
        load = self._start(assignment)
        await asyncio.wait({load.task})
        if not load.task.cancelled() and (error := load.task.exception()) is not None:
            raise error

    def _start(self, assignment: ModelAssignment) -> _Load:
        """Return the load of a model, which may be under way already."""
        under_way = self._loads.get(assignment.id)
        if under_way is not None:
            if under_way.is_of(assignment):
                return under_way
            under_way.task.cancel()
        load = _Load(assignment=assignment, task=asyncio.create_task(self._load_or_refuse(assignment)))
        self._loads[assignment.id] = load
        load.task.add_done_callback(partial(self._ended, load))
        return load

    def _ended(self, load: _Load, task: asyncio.Task[None]) -> None:
        if self._loads.get(load.assignment.id) is load:
            del self._loads[load.assignment.id]
        if not task.cancelled():
            task.exception()  # whoever waits for it is told; there may be nobody

    async def _load_or_refuse(self, assignment: ModelAssignment) -> None:
        try:
            await self._load(assignment)
        except CannotLoad as error:
            self._refuse(self._assigned[assignment.id], str(error))
            raise

    async def _load(self, assignment: ModelAssignment) -> None:
        model = assignment.id
        held = self._entries[model]
        if held.state is State.READY and held.assignment == assignment:
            return
        await self._dependencies(assignment)
        factory, supplies = self._supplies(assignment)
        await self._make_room(assignment)
        workflow = self._entries[model].workflow
        if workflow is None or needs(held.assignment) != needs(assignment):
            self._building.add(model)
            try:
                workflow = await self._loader.build(model, factory, supplies, assignment.load_timeout)
            finally:
                self._building.discard(model)
        self._put(Entry(assignment=self._assigned[model], state=State.READY, workflow=workflow))
        log.info("model %s is loaded and validated", model)

    async def _dependencies(self, assignment: ModelAssignment) -> None:
        """Return once no load of what a model builds on is under way; raises CannotLoad."""
        for model in assignment.depends_on:
            wanted, entry = self._assigned.get(model), self._entries.get(model)
            if wanted is None or entry is None or entry.state is not State.LOADING:
                continue
            if builds_on(self._assigned, model, assignment.id):
                raise CannotLoad(f"models depend on each other in a circle: {assignment.id}, {model}")
            await asyncio.wait({self._start(wanted).task})

    def _refuse(self, assignment: ModelAssignment, reason: str) -> None:
        log.warning("model %s is refused: %s", assignment.id, reason)
        held = self._entries.get(assignment.id)
        if held is None or held.state is not State.READY:
            self._put(Entry(assignment=assignment, state=State.UNAVAILABLE, reason=reason))

    def _supplies(self, assignment: ModelAssignment) -> tuple[type[Workflow], Supplies]:
        """Return what loads a model, and what it needs for that; raises CannotLoad."""
        factory = self._catalogue.get(assignment.id)
        if factory is None:
            raise CannotLoad("this host has no such model")
        unknown = sorted(name for name in assignment.facts if name not in self._facts)
        if unknown:
            have = ", ".join(sorted(self._facts))
            raise CannotLoad(f"no such fact: {', '.join(unknown)}; this host has {have}")
        undeclared = sorted(
            (set(factory.facts) - set(assignment.facts))
            | (set(factory.depends_on) - set(assignment.depends_on))
        )
        if undeclared:
            raise CannotLoad(f"it needs {', '.join(undeclared)}, which its entry in models.yaml doesn't list")
        models: dict[str, Workflow] = {}
        for model in assignment.depends_on:
            entry = self._entries.get(model)
            if entry is None or entry.state is not State.READY or entry.workflow is None:
                state = "not assigned to this host" if entry is None else entry.state.value
                raise CannotLoad(f"it depends on {model}, which is {state}")
            models[model] = entry.workflow
        facts = {name: self._facts[name] for name in assignment.facts}
        return factory, Supplies(model=assignment.id, facts=facts, models=models)

    async def _make_room(self, assignment: ModelAssignment) -> None:
        """Return when the model fits, if need be after others are unloaded; raises CannotLoad."""
        try:
            async with asyncio.timeout(self._room_seconds):
                while assignment.memory_mib > self._free(assignment.id) and self._unloading(assignment.id):
                    self._dropped.clear()
                    await self._dropped.wait()
        except TimeoutError:
            log.warning("models %s are still in use", ", ".join(self._unloading(assignment.id)))
        free = self._free(assignment.id)
        if assignment.memory_mib > free:
            raise CannotLoad(f"it needs {assignment.memory_mib} MiB; {free} of {self._memory_mib} are free")

    def _free(self, model: str) -> int:
        """Return the MiB that are free for a model, counting what it holds now."""
        taken = (
            entry.assignment
            for entry in self._entries.values()
            if entry.workflow is not None or entry.assignment.id in self._building
        )
        return self._memory_mib - sum(each.memory_mib for each in taken if each.id != model)

    def _unloading(self, besides: str = "") -> tuple[str, ...]:
        return tuple(
            model
            for model, entry in self._entries.items()
            if entry.state is State.UNLOADING and model != besides
        )

    def _let_go(self, model: str) -> None:
        self._assigned.pop(model, None)
        load = self._loads.pop(model, None)
        if load is not None:
            log.info("model %s is let go of while it loads", model)
            load.task.cancel()
        entry = self._entries.get(model)
        if entry is not None:
            self._put(replace(entry, state=State.UNLOADING))

    def _drop_idle(self) -> None:
        """Forget what is being unloaded, and in use by no request and no other model."""
        while idle := self._idle():
            self._entries = MappingProxyType(
                {model: entry for model, entry in self._entries.items() if model not in idle}
            )
            self._dropped.set()
            log.info("unloaded %s", ", ".join(idle))

    def _idle(self) -> tuple[str, ...]:
        """Return what is being unloaded, and used by no request and no model that has a workflow."""
        loaded = (entry.assignment for entry in self._entries.values() if entry.workflow)
        needed = {other for assignment in loaded for other in assignment.depends_on}
        return tuple(
            model for model in self._unloading() if model not in needed and not self._in_flight[model]
        )

    def _put(self, entry: Entry) -> None:
        self._entries = MappingProxyType({**self._entries, entry.assignment.id: entry})
