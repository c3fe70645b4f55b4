"""Which shard loads which model. Pure and deterministic.

A model is placed with all that it depends on, which counts once a shard. One that a shard is told to hold is
there and nowhere else. Others stay where they are when they still fit there; otherwise they go to the shard
with the most memory left, larger ones first. (Simple on purpose: no packing is tighter by much when models
are small against shards, and this one moves nothing that needn't move.)
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
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
    sizes = {name: models[name].memory_mib for name in wanted} | {
        name: sum(models[each].memory_mib for each in needed) for name, needed in needs.items()
    }
    order = sorted(sorted(sizes), key=sizes.__getitem__, reverse=True)  # equal sizes stay sorted by name
    told = {model: shard.name for shard in shards for model in shard.models}
    bins = ShardBins(shards, models, resident, shared={name for needed in needs.values() for name in needed})
    # First what is told to be somewhere, then what stays, so that nothing new can push it out.
    first = sorted(order, key=lambda each: each not in told) if told else order
    shard_of = _keep(first, needs, {**previous, **told}, bins)
    misfits = []
    for name in (each for each in order if each not in shard_of):
        # One that is told to be somewhere had no room there, and there is less now.
        best = None if name in told else bins.put_where_best(needs.get(name) or (name,))
        if best is not None:
            shard_of[name] = best.shard.name
        else:
            free = _largest_free(bins, told.get(name, ""))
            misfits.append(Unplaceable(model=models[name], needs=sizes[name], largest_free=free))
    return Placement(shard_of=shard_of, loaded=bins.loaded(), misfits=tuple(misfits))


def _needs(wanted: Collection[str], models: Mapping[str, Model]) -> Mapping[str, tuple[str, ...]]:
    """Return what each model is loaded with, itself too; most need no other, and aren't there."""
    return {name: tuple(closure((name,), models)) for name in wanted if models[name].depends_on}


def _keep(
    order: Sequence[str], needs: Mapping[str, tuple[str, ...]], places: Mapping[str, str], bins: ShardBins
) -> dict[str, str]:
    """Put each model on its shard of `places`, where there is room for it; return model -> shard of those."""
    kept: dict[str, str] = {}
    for name in order:
        place = bins.get(places.get(name, ""))
        if place is not None and bins.put(place, needs.get(name) or (name,)):
            kept[name] = place.shard.name
    return kept


def _largest_free(bins: ShardBins, shard: str) -> int:
    """Return what that shard has left; without one, the most that any has."""
    only = bins.get(shard)
    return bins.largest_free() if only is None else only.free
