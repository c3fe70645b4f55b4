"""In which order types go over one stream, and what waits for which acknowledgement. Pure.

    CDS -> EDS -> LDS -> SRDS -> RDS -> removals of SRDS, RDS -> removals of CDS, EDS

A route must never name a cluster that the sidecar lacks: updates of routes wait for clusters and their
endpoints, and clusters go only after every route that could name them has been acknowledged.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

from lightbulb.ads.values import (
    ACTIVE_GENERATION,
    CLUSTER,
    ENDPOINTS,
    LISTENER,
    OBJECTIVE_CONTROL,
    OBJECTIVE_TABLES,
    ROUTE,
    SCOPED_ROUTE,
    SIDECAR_STATE,
)

# CDS doesn't gate EDS: Envoy ACKs a cluster once it has its endpoints.
GATED_BY: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        LISTENER: (CLUSTER, ENDPOINTS),
        SCOPED_ROUTE: (CLUSTER, ENDPOINTS),
        ROUTE: (CLUSTER, ENDPOINTS),
        OBJECTIVE_CONTROL: (OBJECTIVE_TABLES,),
        ACTIVE_GENERATION: (OBJECTIVE_TABLES, OBJECTIVE_CONTROL, SIDECAR_STATE),
    }
)
"""Type -> types that must have nothing under way before an update of it is sent."""

REMOVED_AFTER: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {CLUSTER: (LISTENER, SCOPED_ROUTE, ROUTE), ENDPOINTS: (LISTENER, SCOPED_ROUTE, ROUTE)}
)
"""Type -> types that must be synced, removals and all, before resources of it are taken away."""

NEVER_EMPTIED = frozenset({CLUSTER, LISTENER, SCOPED_ROUTE})
"""Types whose removal takes traffic down: should there be none at all, nothing is removed."""


class Track(Protocol):
    """One type of a stream."""

    @property
    def settled(self) -> bool:
        """Nothing is under way, and nothing is left to send but removals."""

    @property
    def synced(self) -> bool:
        """The client has acknowledged all that it should have, but what it refused."""


def may_update(tracks: Mapping[str, Track], type_url: str) -> bool:
    """Say whether updates of a type may go: those before it are there.

    A type that the stream doesn't ask for is not waited for; but for clusters, where it asks for endpoints:
    while clusters warm, an Envoy that reconnects asks for all but them. There is no deadline here: clusters
    have one of their own, and routes sent to a sidecar that may lack their clusters would fail requests.
    """
    if clusters_are_held_back(tracks) and CLUSTER in GATED_BY.get(type_url, ()):
        return False
    return all(tracks[other].settled for other in GATED_BY.get(type_url, ()) if other in tracks)


def clusters_are_held_back(tracks: Mapping[str, Track]) -> bool:
    """Say whether a stream asks for endpoints, and not for the clusters that they are of: these warm."""
    return ENDPOINTS in tracks and CLUSTER not in tracks


def may_remove(tracks: Mapping[str, Track], type_url: str, *, complete: bool) -> bool:
    """Say whether resources of a type may be taken away now.

    `complete` says that the stream has asked for all that it wants. Before, a type that is missing may
    still come: a sidecar that reconnects asks for its clusters first, and takes its routes to those by
    what it was sent long ago.
    """
    return all(
        tracks[other].synced if other in tracks else complete for other in REMOVED_AFTER.get(type_url, ())
    )
