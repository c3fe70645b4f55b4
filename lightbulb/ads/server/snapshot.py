"""What every consumer should have: named, versioned resources by type."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from operator import attrgetter
from types import MappingProxyType

from lightbulb.ads.values import NO_STAMP, CommitStamp, Resource

Resources = Mapping[str, Resource]
_NAME = attrgetter("name")
NO_RESOURCES: Resources = MappingProxyType({})


def make_resource(name: str, body: bytes, refers: Iterable[str] = ()) -> Resource:
    """Return a resource whose version is the hash of `body`: replicas agree without talking."""
    version = hashlib.blake2b(body, digest_size=8).hexdigest()
    return Resource(name=name, version=version, body=body, refers=frozenset(refers))


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Type URL -> name -> Resource. Unchanged mappings are shared between snapshots.

    `stamp` tells how new it is, at all replicas alike: who has seen a higher one isn't taken back. One that
    `only_adds` doesn't know all that may be in use: what it lacks isn't taken away. (Over delta ADS: each
    response of state-of-the-world ADS is all there is.)
    """

    by_type: Mapping[str, Resources]
    stamp: CommitStamp = NO_STAMP
    only_adds: bool = False

    def of(self, type_url: str) -> Resources:
        """Return the resources of a type; empty for a type that there are none of."""
        return self.by_type.get(type_url, NO_RESOURCES)

    def replace(self, type_url: str, resources: Iterable[Resource]) -> Snapshot:
        """Return a snapshot with the resources of one type replaced."""
        resources = tuple(resources)
        named = MappingProxyType(dict(zip(map(_NAME, resources), resources, strict=True)))
        return replace(self, by_type=MappingProxyType({**self.by_type, type_url: named}))


def named(resources: Resources, names: Iterable[str]) -> list[Resource]:
    """Return the resources of these names, of those that there are."""
    return [resources[name] for name in names if name in resources]


def with_resources(part: Snapshot, type_url: str, resources: list[Resource]) -> Snapshot:
    """Return a part with other resources of a type; itself when they are as they were."""
    held = part.by_type.get(type_url, NO_RESOURCES)
    same = len(held) == len(resources) and all(held.get(each.name) is each for each in resources)
    return part if same and type_url in part.by_type else part.replace(type_url, resources)


EMPTY_SNAPSHOT = Snapshot(MappingProxyType({}))
