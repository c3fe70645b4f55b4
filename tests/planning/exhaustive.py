"""Placement by looking at every shard for every model: slow, plain, and what the quick one must match."""

from collections.abc import Iterable, Mapping, Sequence

from controlplane.model import Model, Shard
from controlplane.planning.placement import Placement, Unplaceable, closure


class ShardBin:
    def __init__(self, shard: Shard, resident: Mapping[str, int]) -> None:
        self.name = shard.name
        self.free = shard.memory_mib - sum(resident.values())
        self.resident = resident
        self.loaded: set[str] = set()

    def extra(self, needed: frozenset[str], models: Mapping[str, Model]) -> int:
        return sum(
            max(0, models[name].memory_mib - self.resident.get(name, 0))
            for name in needed
            if name not in self.loaded
        )

    def put(self, needed: frozenset[str], models: Mapping[str, Model]) -> bool:
        extra = self.extra(needed, models)
        if extra > self.free:
            return False
        self.free -= extra
        self.loaded |= needed
        return True


def best(rooms: Iterable[ShardBin], needed: frozenset[str], models: Mapping[str, Model]) -> ShardBin | None:
    found, most = None, -1
    for room in rooms:
        left = room.free - room.extra(needed, models)
        if left > most:
            found, most = room, left
    return found


def place(
    wanted: Iterable[str],
    models: Mapping[str, Model],
    shards: Sequence[Shard],
    previous: Mapping[str, str],
    resident: Mapping[str, Mapping[str, int]],
) -> Placement:
    rooms = {
        shard.name: ShardBin(shard, resident.get(shard.name, {}))
        for shard in sorted(shards, key=lambda each: each.name)
    }
    needs = {name: closure((name,), models) for name in wanted}
    sizes = {name: sum(models[each].memory_mib for each in needed) for name, needed in needs.items()}
    order = sorted(needs, key=lambda name: (-sizes[name], name))
    shard_of: dict[str, str] = {}
    fixed = {model: shard.name for shard in shards for model in shard.models}
    for name in sorted(order, key=lambda each: each not in fixed):
        room = rooms.get(fixed.get(name, previous.get(name, "")))
        if room is not None and room.put(needs[name], models):
            shard_of[name] = room.name
    misfits = []
    for name in order:
        if name in shard_of:
            continue
        allowed = [rooms[fixed[name]]] if name in fixed else list(rooms.values())
        found = best(allowed, needs[name], models)
        if found is None:
            largest = max((room.free for room in allowed), default=0)
            misfits.append(Unplaceable(model=models[name], needs=sizes[name], largest_free=largest))
        else:
            found.put(needs[name], models)
            shard_of[name] = found.name
    loaded = {name: frozenset(room.loaded) for name, room in rooms.items()}
    return Placement(shard_of=shard_of, loaded=loaded, misfits=tuple(misfits))
