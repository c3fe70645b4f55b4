"""Shards being filled, and which of them has the most room for what comes next. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import cached_property
from heapq import heapify, heappop, heappush

from controlplane.model import Model, Shard


@dataclass(slots=True, eq=False, kw_only=True)
class ShardBin:
    """A shard being filled; what is `resident` is loaded there anyhow, and takes its room whatever comes.

    `number` is its place among the shards' names: it decides between equals.
    """

    number: int
    shard: Shard
    free: int
    resident: Mapping[str, int]
    loaded: set[str] = field(default_factory=set)


class ShardBins:
    """Every shard, by name; memory in MiB. `resident` is shard -> id -> MiB of what stays loaded there.

    `shared` are the models that may be needed with more than one: it matters where those are.
    """

    def __init__(
        self,
        shards: Iterable[Shard],
        models: Mapping[str, Model],
        resident: Mapping[str, Mapping[str, int]],
        shared: AbstractSet[str],
    ) -> None:
        self._models = models
        self._shared = shared
        self._rooms = {
            shard.name: _shard_bin(number, shard, resident.get(shard.name, {}))
            for number, shard in enumerate(sorted(shards, key=lambda each: each.name))
        }
        self._shared_on: dict[str, list[ShardBin]] = defaultdict(list)
        """Shared model -> where it was put."""
        self._by_free = [(-room.free, room.number, room) for room in self._rooms.values()]
        """A heap, most free memory first. Entries from before a shard was filled further are passed over."""
        heapify(self._by_free)

    def get(self, shard: str) -> ShardBin | None:
        """Return a shard; None when there is none of that name."""
        return self._rooms.get(shard)

    def loaded(self) -> Mapping[str, frozenset[str]]:
        """Return what each shard has been filled with."""
        return {name: frozenset(room.loaded) for name, room in self._rooms.items()}

    def largest_free(self) -> int:
        """Return the most memory that any shard has left."""
        roomiest = self._roomiest()
        return 0 if roomiest is None else roomiest.free

    def put(self, room: ShardBin, needed: Collection[str]) -> bool:
        """Load what is `needed` if it fits there; return whether it does."""
        left = self._left(room, needed)
        if left < 0:
            return False
        self._load(room, needed, left)
        return True

    def put_where_best(self, needed: tuple[str, ...]) -> ShardBin | None:
        """Load what is `needed` on the shard that has the most left afterwards; None when it fits nowhere.

        Among equals it is the first by name. Where nothing of `needed` is yet, all of it counts: of those
        shards only the roomiest can be the best, so the others needn't be looked at.
        """
        best = self._roomiest()
        if best is None:
            return None
        left = self._left(best, needed)
        # Each once, however much of `needed` it holds: a long chain of dependencies is mostly there already.
        for room in dict.fromkeys(room for name in needed for room in self._holders(name)):
            others = self._left(room, needed)
            if others > left or (others == left and room.number < best.number):
                best, left = room, others
        if left < 0:
            return None
        self._load(best, needed, left)
        return best

    def _holders(self, name: str) -> Iterator[ShardBin]:
        """Yield where a model takes nothing more, or less than elsewhere, as it is there already."""
        yield from self._resident_on.get(name, ())
        yield from self._shared_on.get(name, ())

    @cached_property
    def _resident_on(self) -> Mapping[str, list[ShardBin]]:
        """Model -> where it is resident; nobody asks while everything stays where it is."""
        found: dict[str, list[ShardBin]] = defaultdict(list)
        for room in self._rooms.values():
            for name in room.resident:
                found[name].append(room)
        return found

    def _roomiest(self) -> ShardBin | None:
        heap = self._by_free
        while heap and -heap[0][0] != heap[0][2].free:
            heappop(heap)
        return heap[0][2] if heap else None

    def _left(self, room: ShardBin, needed: Collection[str]) -> int:
        """Return how much memory the shard would have left; negative when it doesn't fit."""
        left, loaded, resident, models = room.free, room.loaded, room.resident, self._models
        for name in needed:
            if name not in loaded:
                more = models[name].memory_mib - resident.get(name, 0)
                if more > 0:
                    left -= more
        return left

    def _load(self, room: ShardBin, needed: Collection[str], left: int) -> None:
        new = set(needed) - room.loaded
        room.loaded |= new
        for name in new & self._shared:
            self._shared_on[name].append(room)
        if left != room.free:
            room.free = left
            heappush(self._by_free, (-left, room.number, room))


def _shard_bin(number: int, shard: Shard, resident: Mapping[str, int]) -> ShardBin:
    return ShardBin(
        number=number, shard=shard, free=shard.memory_mib - sum(resident.values()), resident=resident
    )
