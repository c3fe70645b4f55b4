"""Which shard loads which model. Pure and deterministic.

A model is placed with all that it depends on, which counts once a shard. One that a shard is told to hold is
there and nowhere else. Others stay where they are when they still fit there; otherwise they go to the shard
with the most memory left, larger ones first. (Simple on purpose: no packing is tighter by much when models
are small against shards, and this one moves nothing that needn't move.)
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
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


def closure(roots: Iterable[str], models: Mapping[str, Model]) -> frozenset[str]:
    """Return models and all that they depend on, by id; what isn't in `models` is left out."""
    found: set[str] = set()
    stack = list(roots)
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
    needs = _needs(wanted, models)
    told = {model: shard.name for shard in shards for model in shard.models}
    bins = ShardBins(shards, models, resident, shared={name for needed in needs.values() for name in needed})

    def in_order(names: Iterable[str]) -> list[str]:
        sizes = {name: _size(needs.get(name) or (name,), models) for name in names}
        return sorted(sorted(sizes), key=sizes.__getitem__, reverse=True)  # equal sizes stay sorted by name

    # First what is told to be somewhere, then what stays, so that nothing new can push it out.
    shard_of: dict[str, str] = {}
    for shard, names in _staying(wanted, {**previous, **told} if told else previous).items():
        kept = _keep(names, needs, told, bins, shard, in_order)
        shard_of.update(dict.fromkeys(kept, shard))
    misfits = []
    for name in in_order(each for each in wanted if each not in shard_of):
        # One that is told to be somewhere had no room there, and there is less now.
        best = None if name in told else bins.put_where_best(needs.get(name) or (name,))
        if best is not None:
            shard_of[name] = best.shard.name
        else:
            free = _largest_free(bins, told.get(name, ""))
            size = _size(needs.get(name) or (name,), models)
            misfits.append(Unplaceable(model=models[name], needs=size, largest_free=free))
    return Placement(shard_of=shard_of, loaded=bins.loaded(), misfits=tuple(misfits))


def _size(needed: Iterable[str], models: Mapping[str, Model]) -> int:
    return sum(models[each].memory_mib for each in needed)


def _needs(wanted: Collection[str], models: Mapping[str, Model]) -> Mapping[str, tuple[str, ...]]:
    """Return what each model is loaded with, itself too; most need no other, and aren't there."""
    return {name: tuple(closure((name,), models)) for name in wanted if models[name].depends_on}


def _staying(wanted: Iterable[str], places: Mapping[str, str]) -> Mapping[str, Sequence[str]]:
    """Return shard -> the models whose place it is."""
    staying: dict[str, list[str]] = {}
    for name in wanted:
        if name in places:
            staying.setdefault(places[name], []).append(name)
    return staying


def _keep(  # noqa: PLR0913, PLR0917 - what places models
    names: Sequence[str],
    needs: Mapping[str, tuple[str, ...]],
    told: Collection[str],
    bins: ShardBins,
    shard: str,
    in_order: Callable[[Iterable[str]], list[str]],
) -> Sequence[str]:
    """Put models on the shard that is their place, as far as there is room; return those that are there.

    Where there is room for all, which is usual, it makes no difference which of them comes first.
    """
    room = bins.get(shard)
    if room is None:
        return ()
    if bins.put(room, set(names).union(*(needs[name] for name in names if name in needs))):
        return names
    order = sorted(in_order(names), key=lambda each: each not in told)
    return [name for name in order if bins.put(room, needs.get(name) or (name,))]


def _largest_free(bins: ShardBins, shard: str) -> int:
    """Return what that shard has left; without one, the most that any has."""
    only = bins.get(shard)
    return bins.largest_free() if only is None else only.free
