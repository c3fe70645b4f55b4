"""What one client has of one type: name -> version. Pure.

A thousand synced sidecars have the same ten thousand names: one mapping for all of them, of which one that
differs makes a copy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet

from lightbulb.ads.server.diff import versions
from lightbulb.ads.server.snapshot import NO_RESOURCES, Resources


class ClientVersions:
    """To be read as `versions`, and changed by its methods."""

    __slots__ = ("versions",)

    def __init__(self) -> None:
        """Hold nothing."""
        self.versions: Mapping[str, str] = versions(NO_RESOURCES)

    def take_all(self, current: Resources) -> None:
        """Hold what is current."""
        self.versions = versions(current)

    def take_over(self, said: Mapping[str, str], current: Resources) -> None:
        """Hold what a client says that it has."""
        self.versions = now = versions(current)
        if said != now:
            self.versions = dict(_same_text(said, current))

    def differing(self, current: Resources) -> frozenset[str]:
        """Return the names that the client has otherwise than they are current, or has not, or alone has."""
        now = versions(current)
        if self.versions is now:
            return frozenset()
        return frozenset(name for name, _ in self.versions.items() ^ now.items())

    def __setitem__(self, name: str, version: str) -> None:
        self._own()[name] = version

    def drop(self, name: str) -> None:
        """Hold one no more; it needn't be held."""
        if name in self.versions:
            del self._own()[name]

    def keep(self, names: AbstractSet[str]) -> None:
        """Hold no others."""
        if self.versions.keys() <= names:
            return
        self.versions = {name: version for name, version in self.versions.items() if name in names}

    def _own(self) -> dict[str, str]:
        if not isinstance(self.versions, dict):
            self.versions = dict(self.versions)
        return self.versions


def _same_text(said: Mapping[str, str], current: Resources) -> Iterator[tuple[str, str]]:
    """Yield name and version, as the very objects of `current` where they equal them."""
    for name, version in said.items():
        own = current.get(name)
        yield (own.name, own.version) if own is not None and own.version == version else (name, version)
