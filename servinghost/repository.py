"""The models of a host: what is assigned, what is loaded, and why not.

Readers take one immutable mapping; a change swaps it. A model that is unloaded lives on in the
requests that hold it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

from lightbulb.model import ModelAssignment, model_id
from servinghost.facts import check_facts
from servinghost.models.catalogue import Factory
from servinghost.workflow import Workflow

log = logging.getLogger(__name__)


class State(Enum):
    """States of the Open Inference Protocol's model repository."""

    READY = "READY"
    UNAVAILABLE = "UNAVAILABLE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An assigned model: loaded, or the reason why it isn't."""

    assignment: ModelAssignment
    workflow: Workflow | None = None
    reason: str = ""

    @property
    def state(self) -> State:
        """READY when it is loaded."""
        return State.UNAVAILABLE if self.workflow is None else State.READY


class Repository:
    """What a host has. `load` and `unload` are for one thread at a time; readers need no lock."""

    def __init__(self, catalogue: Mapping[str, Factory], memory_mib: int) -> None:
        """Start with nothing loaded."""
        self._catalogue = catalogue
        self._memory_mib = memory_mib
        self._entries: Mapping[str, Entry] = MappingProxyType({})

    @property
    def entries(self) -> Mapping[str, Entry]:
        """Every assigned model by id."""
        return self._entries

    def find(self, name: str, version: str) -> Entry | None:
        """Return a loaded model; with no version the only one of that name. None when there is none."""
        if version:
            entry = self._entries.get(model_id(name, version))
            return entry if entry is not None and entry.workflow is not None else None
        ready = [
            entry
            for entry in self._entries.values()
            if entry.assignment.name == name and entry.workflow is not None
        ]
        return ready[0] if len(ready) == 1 else None

    def load(self, assignments: tuple[ModelAssignment, ...]) -> Mapping[str, str]:
        """Load and validate models, dependencies first; return id -> reason for each that failed."""
        failed: dict[str, str] = {}
        waiting = {assignment.id: assignment for assignment in assignments}
        while waiting:
            ready = [each for each in waiting.values() if not waiting.keys() & set(each.depends_on)]
            for assignment in ready or list(waiting.values()):
                del waiting[assignment.id]
                entry = self._load(assignment)
                self._swap({**self._entries, assignment.id: entry})
                if entry.workflow is None:
                    failed[assignment.id] = entry.reason
        return failed

    def unload(self, names: tuple[str, ...]) -> None:
        """Forget models that are assigned no longer."""
        self._swap({name: entry for name, entry in self._entries.items() if name not in names})

    def _load(self, assignment: ModelAssignment) -> Entry:
        held = self._entries.get(assignment.id)
        if held is not None and held.workflow is not None:
            return Entry(assignment=assignment, workflow=held.workflow)
        try:
            self._check(assignment)
            workflow = self._catalogue[assignment.id]()
            workflow.validate()
        except Exception as error:  # noqa: BLE001 - whatever a model does, the host goes on
            log.warning("model %s failed to load: %s", assignment.id, error)
            return Entry(assignment=assignment, reason=f"{type(error).__name__}: {error}")
        log.info("model %s loaded and validated", assignment.id)
        return Entry(assignment=assignment, workflow=workflow)

    def _check(self, assignment: ModelAssignment) -> None:
        """Raise when a model can't be loaded here whatever its code does."""
        if assignment.id not in self._catalogue:
            raise LookupError("this host has no such model")
        check_facts(assignment.facts)
        missing = [
            name
            for name in assignment.depends_on
            if name not in self._entries or self._entries[name].workflow is None
        ]
        if missing:
            raise LookupError(f"it depends on {', '.join(missing)}, which is not loaded here")
        loaded = [entry for entry in self._entries.values() if entry.workflow is not None]
        used = sum(entry.assignment.memory_mib for entry in loaded)
        if used + assignment.memory_mib > self._memory_mib:
            raise MemoryError(
                f"it needs {assignment.memory_mib} MiB;"
                f" {self._memory_mib - used} of {self._memory_mib} are left"
            )

    def _swap(self, entries: dict[str, Entry]) -> None:
        self._entries = MappingProxyType(entries)
