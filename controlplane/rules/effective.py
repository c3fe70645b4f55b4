"""Who gets which model of a table in effect; of a table that hasn't changed it is recalled. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from controlplane.planning.shares.never import MAX_LOOKS as WORKSPACE_LOOKS
from controlplane.planning.shares.report import TableShares, shares_of
from controlplane.planning.shares.walk import MAX_LOOKS
from controlplane.rules.memory import Memory, name_of
from lightbulb.model import ObjectiveTable


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelShare:
    """The least and the most percent of users that get a model, by its index in the table; see `Share`."""

    model: int
    least: float
    most: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectiveShares:
    """The share of each model, the largest first: exact, or else of so many users who were `counted`.

    `looks` is what it took, of the `allowed` ones.
    """

    models: tuple[ModelShare, ...]
    counted: int
    looks: int
    allowed: int


def effective_shares(
    tables: Iterable[ObjectiveTable], digests: Mapping[str, str], memory: Memory
) -> Iterator[EffectiveShares]:
    """Yield the shares of each table; the work for all of them is bounded.

    `digests` is objective -> hash of its table's bytes, from which its shares follow.
    """
    looks = WORKSPACE_LOOKS
    for table in tables:
        shares = _of_table(table, digests[table.objective], min(looks, MAX_LOOKS), memory)
        looks = max(0, looks - shares.looks)
        yield shares


def _of_table(table: ObjectiveTable, digest: str, allowed: int, memory: Memory) -> EffectiveShares:
    name = name_of("shares", digest)
    known = memory.recall(EffectiveShares, name)
    if known is not None and (known.allowed == allowed or (not known.counted and known.looks <= allowed)):
        return known
    found = _effective(shares_of(table, allowed), allowed)
    memory.remember(name, found)
    return found


def _effective(shares: TableShares, allowed: int) -> EffectiveShares:
    ordered = sorted(shares.models.items(), key=lambda each: (-each[1].most, each[0]))
    return EffectiveShares(
        models=tuple(
            ModelShare(model=model, least=float(share.least * 100), most=float(share.most * 100))
            for model, share in ordered
        ),
        counted=shares.counted,
        looks=shares.looks,
        allowed=allowed,
    )
