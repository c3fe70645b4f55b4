"""Generations, as the store keeps them and as values; decoded once, and shared where they are the same."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from hashlib import sha256
from types import MappingProxyType
from typing import TypeVar

from controlplane.model import PLATFORM, Plan, RoutingRule, ShardAssignment
from controlplane.rollout.codec import (
    plan_from_bytes,
    plan_to_bytes,
    platform_from_bytes,
    platform_to_bytes,
    route_from_bytes,
    shard_from_bytes,
)
from controlplane.rollout.state import Generation
from controlplane.store.contract import LogEntry, NotFound, Store
from lightbulb.model import ObjectiveTable
from lightbulb.resolution.codec import table_from_bytes

T = TypeVar("T")


class NotKept(NotFound):
    """A generation whose content was let go."""

    def __init__(self, number: int) -> None:
        """Name the number."""
        super().__init__(f"of generation {number} only the line in the log is kept by now")
        self.about = {"generation": str(number)}


class Archive:
    """Reads generations. Tables, routes and shards that two of them share are one object, and cost nothing.

    Blocking, and for one thread at a time.
    """

    def __init__(self, store: Store) -> None:
        """Read nothing yet."""
        self._store = store
        self._generations: Mapping[int, Generation] = {}
        self._tables: dict[bytes, ObjectiveTable] = {}
        self._shards: dict[bytes, ShardAssignment] = {}
        self._routes: dict[bytes, RoutingRule] = {}
        self._prepared: dict[str, Plan] = {}
        self._entries: dict[int, LogEntry] = {}

    def keep(self, numbers: Iterable[int]) -> Mapping[int, Generation]:
        """Return the generations of these numbers, and forget all others.

        Raises NotFound, Corrupt, Malformed, Unreachable; then it holds what it held.
        """
        kept = {number: self._generations.get(number) or self._read(number) for number in sorted(numbers)}
        if kept.keys() != self._generations.keys():
            before = self._plans().values()
            self._generations, self._prepared = MappingProxyType(kept), {}
            self._entries = {number: self._entries[number] for number in kept}
            if not set(map(id, before)) <= set(map(id, self._plans().values())):
                self._forget()
        return self._generations

    def prepare(self, content_hash: str) -> None:
        """Read the content of a generation that there is none of yet: better now than once it is committed.

        Raises NotFound, Corrupt, Malformed, Unreachable.
        """
        in_vain, self._prepared = self._prepared, {}
        self._prepared = {content_hash: self._decoded(self._store.blob(content_hash))}
        if in_vain:
            self._forget()

    def read(self, number: int) -> Generation:
        """Return one generation, which isn't kept. Raises NotFound, Corrupt, Malformed, Unreachable."""
        held = self._generations.get(number)
        if held is not None:
            return held
        generation = self._read(number)
        del self._entries[number]
        self._forget()
        return generation

    def _read(self, number: int) -> Generation:
        entry = self._entries[number] = self._store.entry(number)
        content_hash = entry.content_hash
        plan = self._plans().get(content_hash)
        if plan is None:
            plan = self._decoded(self._blob(number, content_hash))
        platform = None
        if entry.tenant == PLATFORM:
            platform = platform_from_bytes(self._blob(number, content_hash))
        sizes = {id(table): len(body) for body, table in self._tables.items()}
        return Generation(
            number=number,
            content_hash=content_hash,
            plan=plan,
            tenant=entry.tenant,
            platform=platform,
            table_bytes=array("L", [sizes[id(table)] for table in plan.tables]),
        )

    def line(self, number: int) -> tuple[LogEntry, bytes] | None:
        """Return the line of the log and the content of a generation that is kept, without the store."""
        generation, entry = self._generations.get(number), self._entries.get(number)
        if generation is None or entry is None:
            return None
        content = (
            plan_to_bytes(generation.plan, entry.source_hash)
            if generation.platform is None
            else platform_to_bytes(generation.platform, entry.source_hash)
        )
        return (entry, content) if sha256(content).hexdigest() == entry.content_hash else None

    def _plans(self) -> Mapping[str, Plan]:
        return self._prepared | {each.content_hash: each.plan for each in self._generations.values()}

    def _forget(self) -> None:
        """Forget tables, shards and routes of what is held no more."""
        plans = self._plans().values()
        self._tables = _used(self._tables, (plan.tables for plan in plans))
        self._shards = _used(self._shards, (plan.assignments for plan in plans))
        self._routes = _used(self._routes, (plan.routes for plan in plans))

    def _blob(self, number: int, content_hash: str) -> bytes:
        try:
            return self._store.blob(content_hash)
        except NotFound as error:
            raise NotKept(number) from error

    def _decoded(self, body: bytes) -> Plan:
        return plan_from_bytes(
            body,
            partial(_once, self._tables, table_from_bytes),
            partial(_once, self._shards, shard_from_bytes),
            partial(_once, self._routes, route_from_bytes),
        )


def _once(known: dict[bytes, T], decode: Callable[[bytes], T], body: bytes) -> T:
    value = known.get(body)
    if value is None:
        value = known[body] = decode(body)
    return value


def _used(known: Mapping[bytes, T], values: Iterable[Iterable[T]]) -> dict[bytes, T]:
    used = set[int]().union(*(map(id, each) for each in values))
    return {body: value for body, value in known.items() if id(value) in used}
