"""What goes into one delta response, and what of it is awaited. Values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

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
