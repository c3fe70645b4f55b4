"""What is known of a stream, for those who wait for it and for people. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from controlplane.xds.session import DeltaSession
from controlplane.xds.snapshot import Snapshot
from controlplane.xds.sotw import SotwSession
from lightbulb.ads.values import Node


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamStatus:
    """An open stream. `rejected`: resource name -> reason, of what is refused in its current version.

    `behind(snapshot)` returns the types of which not all of `snapshot` is acknowledged.
    """

    id: int
    node: Node
    peer: str
    rejected: Mapping[str, str]
    late: tuple[str, ...]
    behind: Callable[[Snapshot], tuple[str, ...]]
    held: Mapping[str, Mapping[str, str]]

    def acked(self, type_url: str) -> Mapping[str, str]:
        """Return name -> version of what the client is known to have of a type."""
        return {name: version for name, version in self.held.get(type_url, {}).items() if version}


def status_of(stream_id: int, node: Node, peer: str, session: DeltaSession | SotwSession) -> StreamStatus:
    """Return the status of a stream; its mappings are views of the session's own."""
    if isinstance(session, DeltaSession):
        parts = session.subscriptions
        refusing = [part for part in parts.values() if part.rejected]
        rejected = {name: reason for part in refusing for name, reason in part.refusals().items()}
        late = tuple(type_url for type_url, part in parts.items() if part.late)
        held: Mapping[str, Mapping[str, str]] = {type_url: part.held for type_url, part in parts.items()}
    else:
        watches = session.watches
        refused = {type_url: watch.refusal() for type_url, watch in watches.items() if watch.reason}
        rejected = {type_url: reason for type_url, reason in refused.items() if reason}
        late = tuple(type_url for type_url, watch in watches.items() if watch.late)
        held = {
            type_url: {name: resource.version for name, resource in watch.held.items()}
            for type_url, watch in watches.items()
        }
    return StreamStatus(
        id=stream_id, node=node, peer=peer, rejected=rejected, late=late, behind=session.behind, held=held
    )
