"""What many streams would ask of the same resources: found once for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from lightbulb.ads.server.snapshot import Resources


@dataclass(frozen=True, slots=True)
class Diff:
    """Names whose version is new, and names that are gone."""

    changed: frozenset[str]
    removed: frozenset[str]


NO_DIFF = Diff(frozenset(), frozenset())


@dataclass(frozen=True, slots=True, eq=False)
class _Pair:
    """Two mappings compared by identity: snapshots share what didn't change."""

    old: Resources
    new: Resources

    def __hash__(self) -> int:
        return hash((id(self.old), id(self.new)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Pair) and self.old is other.old and self.new is other.new


def diff(old: Resources, new: Resources) -> Diff:
    """Return what changed; O(1) when both are the same object or the pair was compared lately."""
    return NO_DIFF if old is new else _diff(_Pair(old, new))


def differs(one: Resources, other: Resources) -> bool:
    """Say whether two differ in a name or a version; as quick as `diff`."""
    return diff(one, other) != NO_DIFF


def versions(resources: Resources) -> Mapping[str, str]:
    """Return name -> version, the same mapping for all who ask of the same resources."""
    return _versions(_Pair(resources, resources))


@lru_cache(maxsize=256)
def _diff(pair: _Pair) -> Diff:
    old, new = pair.old, pair.new
    changed = frozenset(
        name
        for name, resource in new.items()
        if (held := old.get(name)) is not resource and (held is None or held.version != resource.version)
    )
    return Diff(changed, frozenset(old.keys() - new.keys()))


@lru_cache(maxsize=256)
def _versions(pair: _Pair) -> Mapping[str, str]:
    return MappingProxyType({resource.name: resource.version for resource in pair.new.values()})
