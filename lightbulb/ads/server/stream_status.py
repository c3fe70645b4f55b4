"""What is known of a stream, for those who wait for it and for people."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from lightbulb.ads.server.form import Session
from lightbulb.ads.server.refusals import TypeAndName
from lightbulb.ads.server.snapshot import Snapshot
from lightbulb.ads.values import Node


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamStatus:
    """An open stream. What it says is read from the session whenever it is asked for, in the event loop."""

    id: int
    node: Node
    peer: str
    session: Session
    silent: bool = False
    """Its client has declared heartbeats, and too many are missing."""

    @property
    def rejected(self) -> Mapping[str, str]:
        """Resource name, or else type -> reason, of what the client refuses in its current version."""
        snapshot = self.session.snapshot
        refused = {} if snapshot is None else self.refusals(snapshot)
        return {name or type_url: reason for (type_url, name), reason in refused.items()}

    def refusals(self, snapshot: Snapshot) -> Mapping[TypeAndName, str]:
        """Return the reason of each that is refused of `snapshot`: of the same version as was refused."""
        return self.session.refusals(snapshot)

    def unsynced(self, snapshot: Snapshot) -> tuple[str, ...]:
        """Return the types of which not all of `snapshot` is acknowledged."""
        return self.session.unsynced(snapshot)

    def asks_for_all(self, type_url: str) -> bool | None:
        """Return whether the client wants all of a type; None when it hasn't asked for any of it yet."""
        track = self.session.track(type_url)
        return None if track is None else track.wildcard

    def unacked(self, snapshot: Snapshot, type_url: str) -> AbstractSet[str]:
        """Return the names of a type whose ACK is missing, of what was asked for and isn't refused."""
        track = self.session.track(type_url)
        return frozenset() if track is None else track.unacked(snapshot.of(type_url))

    def held(self, type_url: str) -> Mapping[str, str]:
        """Return name -> version of what the client may have of a type; "" for one that isn't known."""
        return self.session.held(type_url)

    def acked(self, type_url: str) -> Mapping[str, str]:
        """Return name -> version of what the client is known to have of a type."""
        return {name: version for name, version in self.held(type_url).items() if version}
