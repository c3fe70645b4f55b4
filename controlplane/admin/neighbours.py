"""What tenants have, as far as it binds another one's plan; found once for each that has changed nothing."""

from __future__ import annotations

import threading
from collections.abc import Collection, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass

from controlplane.model import ShardAssignment
from controlplane.planning.beside import Loaded, Others, definition_of
from controlplane.rollout.desired_state import ByShard, Distinct, Recent, merged, vips
from controlplane.rollout.state import Generation
from lightbulb.model import ModelAssignment, ObjectiveTable


@dataclass(frozen=True, slots=True, kw_only=True)
class _Holding:
    """What one tenant has: `objectives` and `models` as of `Others`, and what is loaded, in MiB."""

    objectives: Mapping[str, str]
    models: Mapping[str, tuple[str, str]]
    memory_mib: int


class Neighbours:
    """Knows them by their generations, as objects: equal ones are looked at, and give the same.

    Threads may share it.
    """

    def __init__(self) -> None:
        """Know nobody yet."""
        self._recent = Recent()
        self._sizes = ByShard(_sizes)
        self._lock = threading.Lock()

    def bind(self, others: Iterable[Generation], own: Container[str]) -> Others:
        """Return what others have; not the objectives that are `own`, whoever had or is to have them."""
        with self._lock:
            holdings = self._recent.by_tenant(_holding, others)
        objectives: dict[str, str] = {}
        models: dict[str, tuple[str, str]] = {}
        for each in holdings.values():
            objectives.update(each.objectives)
            models.update(each.models)
        return Others(
            objectives={name: tenant for name, tenant in objectives.items() if name not in own},
            models=models,
            memory_mib={tenant: holdings[tenant].memory_mib for tenant in sorted(holdings)},
        )

    def sizes(self, generations: tuple[Generation, ...]) -> Loaded:
        """Return what generations have loaded: shard -> model id -> its MiB."""
        with self._lock:
            return self._sizes.of(self._recent.placed(generations))

    def vips(self, live: Iterable[Generation]) -> Mapping[str, tuple[str, int]]:
        """Return each live VIP's shard, and the generation that has it so."""
        found: dict[str, tuple[str, int]] = {}
        with self._lock:
            for each in self._recent.by_tenant(_vips, live).values():
                found.update(each)
        return found

    def forget(self, needed: Collection[Generation]) -> None:
        """Drop what was found of generations that nobody needs any more."""
        with self._lock:
            self._recent.forget(needed)


def sizes_in(models: Iterable[ModelAssignment]) -> Mapping[str, int]:
    """Return what models are loaded with: id -> MiB."""
    return {model.id: model.memory_mib for model in models}


def _sizes(distinct: Distinct) -> Mapping[str, int]:
    return sizes_in(merged(distinct))


def _vips(live: tuple[Generation, ...]) -> Mapping[str, tuple[str, int]]:
    return {vip: (shard, each.number) for each in live for vip, shard in vips([each]).items()}


def _holding(generations: tuple[Generation, ...]) -> _Holding:
    """Return what a tenant has by these; where they differ, the last one counts."""
    objectives: dict[str, str] = {}
    models: dict[str, tuple[str, str]] = {}
    loaded: dict[tuple[str, str], int] = {}
    for generation, tables, shards in _distinct(generations):
        objectives.update((table.objective, generation.tenant) for table in tables)
        for shard in shards:
            for model in shard.models:
                models[model.id] = generation.tenant, definition_of(model)
                loaded[shard.shard, model.id] = model.memory_mib
    return _Holding(objectives=objectives, models=models, memory_mib=sum(loaded.values()))


def _distinct(
    generations: Iterable[Generation],
) -> Iterator[tuple[Generation, list[ObjectiveTable], list[ShardAssignment]]]:
    """Yield each generation with those of its tables and shards that no later one has too.

    So what they share is looked at once, and still as often as it takes for the last of several to count.
    """
    seen: set[int] = set()
    found = []
    for generation in reversed(tuple(generations)):
        plan = generation.plan
        tables = [table for table in plan.tables if id(table) not in seen]
        shards = [shard for shard in plan.assignments if id(shard) not in seen]
        seen.update(map(id, tables), map(id, shards))
        found.append((generation, tables, shards))
    yield from reversed(found)
