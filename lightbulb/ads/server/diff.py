"""What many streams would ask of the same resources: found once for all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import compress
from operator import attrgetter, eq, is_not
from types import MappingProxyType

from lightbulb.ads.server.snapshot import Resources
from lightbulb.ads.values import Resource
from lightbulb.memo import Memo

MAX_BYTES = 64 * 1024 * 1024
"""For each of the two that are remembered; they keep resources of snapshots that nobody is shown any more."""

NEWEST = 16
"""Remembered however large they are: those of the snapshots that are being sent now."""

NAME_BYTES = 100
"""What an entry of a mapping takes, about."""


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
    return one is not other and diff(one, other) != NO_DIFF


def versions(resources: Resources) -> Mapping[str, str]:
    """Return name -> version, the same mapping for all who ask of the same resources."""
    return _versions(_Pair(resources, resources))


def _find_diff(pair: _Pair) -> Diff:
    old, new = pair.old, pair.new
    others: Iterable[str] = new
    if len(old) == len(new) and all(map(eq, old, new)):  # the same names in the same order: few are others
        others = compress(new, map(is_not, old.values(), new.values()))
    changed = frozenset(
        name for name in others if (held := old.get(name)) is None or held.version != new[name].version
    )
    return Diff(changed, frozenset(old.keys() - new.keys()))


def _diff_bytes(pairs: tuple[_Pair], found: Diff) -> int:
    """Return what remembering takes: the old mapping, and the bodies that only it has."""
    (pair,) = pairs
    gone = [pair.old[name] for name in (*found.changed, *found.removed) if name in pair.old]
    return NAME_BYTES * (len(pair.old) + len(found.changed) + len(found.removed)) + _bodies(gone)


def _find_versions(pair: _Pair) -> Mapping[str, str]:
    return MappingProxyType(dict(map(_NAME_AND_VERSION, pair.new.values())))


def _versions_bytes(pairs: tuple[_Pair], found: Mapping[str, str]) -> int:
    return 2 * NAME_BYTES * len(found) + _bodies(pairs[0].new.values())


def _bodies(resources: Iterable[Resource]) -> int:
    return sum(map(len, map(_BODY, resources)))


_BODY, _NAME_AND_VERSION = attrgetter("body"), attrgetter("name", "version")
_diff = Memo(_find_diff, max_bytes=MAX_BYTES, size=_diff_bytes, newest=NEWEST)
_versions = Memo(_find_versions, max_bytes=MAX_BYTES, size=_versions_bytes, newest=NEWEST)
