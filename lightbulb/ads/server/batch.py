"""What goes into one delta response, and what of it is awaited. Values."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from lightbulb.ads.values import Resource


@dataclass(frozen=True, slots=True)
class Batch:
    """What is to go into one response."""

    resources: tuple[Resource, ...] = ()
    removed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.resources or self.removed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A response that the client hasn't acknowledged; times in seconds."""

    nonce: str
    sent: Mapping[str, Resource]
    removed: tuple[str, ...]
    since: float
    supersedes: AbstractSet[str] = frozenset()
    """Those of its names of which a response told that wasn't answered when this one was sent."""
    superseded: AbstractSet[str] = frozenset()
    """Names that it told of, too, and of which a newer response tells."""

    def __bool__(self) -> bool:
        return bool(self.sent or self.removed)

    def without(self, names: AbstractSet[str]) -> Pending:
        """Return what of it still counts once the client was told something newer of `names`."""
        superseded = names & {*self.sent, *self.removed}
        if not superseded:
            return self
        return replace(
            self,
            sent={name: each for name, each in self.sent.items() if name not in names},
            removed=tuple(name for name in self.removed if name not in names),
            superseded=self.superseded | superseded,
        )
