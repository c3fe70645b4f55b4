"""Which shard loads which model. Pure and deterministic.

A model is placed with all that it depends on, which counts once a shard. One that a shard is told to hold is
there and nowhere else. Others stay where they are when they still fit there; otherwise they go to the shard
with the most memory left, larger ones first. (Simple on purpose: no packing is tighter by much when models
are small against shards, and this one moves nothing that needn't move.)
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from controlplane.model import Model, Shard
from controlplane.planning.shard_bins import ShardBins

NOTHING_RESIDENT: Mapping[str, Mapping[str, int]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Unplaceable:
    """A model that fits nowhere: what it needs, and the most that any shard has left, in MiB."""

    model: Model
    needs: int
    largest_free: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Shard of each placed model, everything that each shard loads, and what fits nowhere."""

    shard_of: Mapping[str, str]
    loaded: Mapping[str, frozenset[str]]
    misfits: tuple[Unplaceable, ...]


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
    wanted: Collection[str],
    models: Mapping[str, Model],
    shards: Sequence[Shard],
    previous: Mapping[str, str],
    resident: Mapping[str, Mapping[str, int]] = NOTHING_RESIDENT,
) -> Placement:
    """Place every model of `wanted` (ids); `previous` is the shard that each was on before.

    `resident` is shard -> id -> MiB of what is loaded there and stays, whether or not it is wanted.
    """
    # Most models need nothing else: what isn't made for those needn't be gone through, and there are many.
    needs = {name: tuple(closure(name, models)) for name in wanted if models[name].depends_on}
    sizes = {name: models[name].memory_mib for name in wanted} | {
        name: sum(models[each].memory_mib for each in needed) for name, needed in needs.items()
    }
    order = sorted(sorted(sizes), key=sizes.__getitem__, reverse=True)  # equal sizes stay sorted by name
    fixed = {model: shard.name for shard in shards for model in shard.models}
    rooms = ShardBins(shards, models, resident, shared={name for needed in needs.values() for name in needed})
    shard_of: dict[str, str] = {}
    # First what is told to be somewhere, then what stays, so that nothing new can push it out.
    for name in sorted(order, key=lambda each: each not in fixed) if fixed else order:
        room = rooms.get(fixed.get(name, previous.get(name, "")))
        if room is not None and rooms.put(room, needs.get(name) or (name,)):
            shard_of[name] = room.shard.name
    misfits = []
    for name in order:
        if name in shard_of:
            continue
        told = rooms.get(fixed[name]) if name in fixed else None  # it had no room there, and has less now
        room = rooms.put_where_best(needs.get(name) or (name,)) if told is None else None
        if room is not None:
            shard_of[name] = room.shard.name
        else:
            largest = rooms.largest_free() if told is None else told.free
            misfits.append(Unplaceable(model=models[name], needs=sizes[name], largest_free=largest))
    return Placement(shard_of=shard_of, loaded=rooms.loaded(), misfits=tuple(misfits))
