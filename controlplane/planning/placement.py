"""Which shard loads which model. Pure and deterministic.

A model is placed with all that it depends on, which counts once a shard. One that a shard is told to hold is
there and nowhere else. Others stay where they are when they still fit there; otherwise they go to the shard
with the most memory left, larger ones first. (Simple on purpose: no packing is tighter by much when models
are small against shards, and this one moves nothing that needn't move.)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from controlplane.model import Model, Shard

NOTHING_RESIDENT: Mapping[str, Mapping[str, int]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Misfit:
    """A model that fits nowhere: what it needs, and the most that any shard has left, in MiB."""

    model: Model
    needs: int
    largest_free: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Shard of each placed model, everything that each shard loads, and what fits nowhere."""

    shard_of: Mapping[str, str]
    loaded: Mapping[str, frozenset[str]]
    misfits: tuple[Misfit, ...]


@dataclass(slots=True)
class _Room:
    """A shard being filled; what is `resident` is loaded there anyhow, and takes its room whatever comes."""

    shard: Shard
    free: int
    resident: Mapping[str, int]
    loaded: set[str] = field(default_factory=set)


def closure(model: str, models: Mapping[str, Model]) -> frozenset[str]:
    """Return a model and all that it depends on, by id; what isn't in `models` is left out."""
    found: set[str] = set()
    stack = [model]
    while stack:
        name = stack.pop()
        if name not in found and name in models:
            found.add(name)
            stack.extend(models[name].depends_on)
    return frozenset(found)


def place(
    wanted: Iterable[str],
    models: Mapping[str, Model],
    shards: Sequence[Shard],
    previous: Mapping[str, str],
    resident: Mapping[str, Mapping[str, int]] = NOTHING_RESIDENT,
) -> Placement:
    """Place every model of `wanted` (ids); `previous` is the shard that each was on before.

    `resident` is shard -> id -> MiB of what is loaded there and stays, whether or not it is wanted.
    """
    rooms = {shard.name: _room(shard, resident) for shard in sorted(shards, key=lambda each: each.name)}
    needs = {name: closure(name, models) for name in wanted}
    order = sorted(needs, key=lambda name: (-_size(needs[name], models), name))
    shard_of: dict[str, str] = {}
    fixed = {model: shard.name for shard in shards for model in shard.models}
    # First what is told to be somewhere, then what stays, so that nothing new can push it out.
    for name in sorted(order, key=lambda each: each not in fixed):
        room = rooms.get(fixed.get(name, previous.get(name, "")))
        if room is not None and _try(room, needs[name], models):
            shard_of[name] = room.shard.name
    misfits = []
    for name in order:
        if name in shard_of:
            continue
        allowed = [rooms[fixed[name]]] if name in fixed else rooms.values()
        found = _best(allowed, needs[name], models)
        if found is None:
            largest = max((room.free for room in allowed), default=0)
            size = _size(needs[name], models)
            misfits.append(Misfit(model=models[name], needs=size, largest_free=largest))
        else:
            _try(found, needs[name], models)
            shard_of[name] = found.shard.name
    loaded = {name: frozenset(room.loaded) for name, room in rooms.items()}
    return Placement(shard_of=shard_of, loaded=loaded, misfits=tuple(misfits))


def _room(shard: Shard, resident: Mapping[str, Mapping[str, int]]) -> _Room:
    stays = resident.get(shard.name, {})
    return _Room(shard, shard.memory_mib - sum(stays.values()), stays)


def _size(names: Iterable[str], models: Mapping[str, Model]) -> int:
    return sum(models[name].memory_mib for name in names)


def _extra(room: _Room, needed: frozenset[str], models: Mapping[str, Model]) -> int:
    """Return how much more the shard would use."""
    return sum(
        max(0, models[name].memory_mib - room.resident.get(name, 0))
        for name in needed
        if name not in room.loaded
    )


def _try(room: _Room, needed: frozenset[str], models: Mapping[str, Model]) -> bool:
    extra = _extra(room, needed, models)
    if extra > room.free:
        return False
    room.free -= extra
    room.loaded |= needed
    return True


def _best(rooms: Iterable[_Room], needed: frozenset[str], models: Mapping[str, Model]) -> _Room | None:
    """Return the shard that has the most left afterwards; the first by name among equals."""
    best, most = None, -1
    for room in rooms:
        left = room.free - _extra(room, needed, models)
        if left > most:
            best, most = room, left
    return best
