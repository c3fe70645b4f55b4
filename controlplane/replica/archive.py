"""Generations, as the store keeps them and as values; decoded once, and shared where they are the same."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from types import MappingProxyType
from typing import TypeVar
from weakref import WeakValueDictionary

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


@dataclass(frozen=True, slots=True)
class _Content:
    """What a generation is made of; `table_bytes` as there."""

    plan: Plan
    table_bytes: array[int]


class Archive:
    """Reads generations. Tables, routes and shards that two of them share are one object, and cost nothing.

    It knows these for as long as anybody has them: that one generation goes is no matter of the others.

    Blocking, and for one thread at a time.
    """

    def __init__(self, store: Store) -> None:
        """Read nothing yet."""
        self._store = store
        self._generations: Mapping[int, Generation] = {}
        self._tables = WeakValueDictionary[bytes, ObjectiveTable]()
        self._shards = WeakValueDictionary[bytes, ShardAssignment]()
        self._routes = WeakValueDictionary[bytes, RoutingRule]()
        self._contents: dict[str, _Content] = {}
        """By hash; of the generations that are kept, and of the one that was prepared."""
        self._entries: dict[int, LogEntry] = {}

    def keep(self, numbers: Iterable[int]) -> Mapping[int, Generation]:
        """Return the generations of these numbers, and forget all others.

        Raises NotFound, Corrupt, Malformed, Unreachable; then it holds what it held.
        """
        kept = {number: self._generations.get(number) or self._read(number) for number in sorted(numbers)}
        if kept.keys() != self._generations.keys():
            self._generations = MappingProxyType(kept)
            self._entries = {number: self._entries[number] for number in kept}
            hashes = dict.fromkeys(each.content_hash for each in kept.values())
            self._contents = {each: self._contents[each] for each in hashes}
        return self._generations

    def prepare(self, content_hash: str) -> None:
        """Read the content of a generation that there is none of yet: better now than once it is committed.

        Raises NotFound, Corrupt, Malformed, Unreachable.
        """
        if content_hash not in self._contents:
            kept = {each.content_hash for each in self._generations.values()}
            self._contents = {each: self._contents[each] for each in kept}
            self._contents[content_hash] = self._decoded(self._store.blob(content_hash))

    def read(self, number: int) -> Generation:
        """Return one generation, which isn't kept. Raises NotFound, Corrupt, Malformed, Unreachable."""
        held = self._generations.get(number)
        if held is not None:
            return held
        before = self._contents.copy()
        try:
            return self._read(number)
        finally:
            self._contents = before
            self._entries.pop(number, None)

    def _read(self, number: int) -> Generation:
        entry = self._entries[number] = self._store.entry(number)
        content_hash = entry.content_hash
        content = self._contents.get(content_hash)
        if content is None:
            content = self._contents[content_hash] = self._decoded(self._blob(number, content_hash))
        platform = None
        if entry.tenant == PLATFORM:
            platform = platform_from_bytes(self._blob(number, content_hash))
        return Generation(
            number=number,
            content_hash=content_hash,
            plan=content.plan,
            tenant=entry.tenant,
            platform=platform,
            table_bytes=content.table_bytes,
            author=entry.author,
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

    def _blob(self, number: int, content_hash: str) -> bytes:
        try:
            return self._store.blob(content_hash)
        except NotFound as error:
            raise NotKept(number) from error

    def _decoded(self, body: bytes) -> _Content:
        sizes = array("L")

        def table(body: bytes) -> ObjectiveTable:
            sizes.append(len(body))
            return _once(self._tables, table_from_bytes, body)

        plan = plan_from_bytes(
            body,
            table,
            partial(_once, self._shards, shard_from_bytes),
            partial(_once, self._routes, route_from_bytes),
        )
        return _Content(plan, sizes)


def _once(known: WeakValueDictionary[bytes, T], decode: Callable[[bytes], T], body: bytes) -> T:
    value = known.get(body)
    if value is None:
        value = known[body] = decode(body)
    return value
