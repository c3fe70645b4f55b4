"""Whether Envoy has acknowledged what its relay shows it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from lightbulb.ads.client.held import Held
from lightbulb.ads.server.diff import differs
from lightbulb.ads.server.order import NEVER_EMPTIED
from lightbulb.ads.server.snapshot import NO_RESOURCES, Snapshot
from lightbulb.ads.server.type_state import TypeState
from lightbulb.ads.values import CLUSTER, ENDPOINTS, LISTENER, ROUTE, SCOPED_ROUTE

GIVEN: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        CLUSTER: (CLUSTER,),
        ENDPOINTS: (),
        LISTENER: (LISTENER,),
        SCOPED_ROUTE: (LISTENER,),
        ROUTE: (LISTENER,),
    }
)
"""Type -> types that Envoy must have been given before an ACK of it means anything. Envoy asks for scopes
and routes because of a listener: before it has the listener, it owes no ACK of them."""

MUST_BE_SYNCED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        CLUSTER: (CLUSTER, ENDPOINTS),
        ENDPOINTS: (ENDPOINTS,),
        LISTENER: (LISTENER,),
        SCOPED_ROUTE: (LISTENER, SCOPED_ROUTE, ROUTE),
        ROUTE: (LISTENER, SCOPED_ROUTE, ROUTE),
    }
)
"""Type -> types that must be synced for an update of it to have arrived.

Envoy asks by name for the endpoints of a cluster and the routes of a scope, before it ACKs the cluster or
scope. So those must be synced too. Endpoints don't wait for clusters: a host that has gone must leave even
while a cluster warms."""

Tracks = Mapping[str, TypeState]
"""Type -> what Envoy wants, has and owes of it. Empty when it isn't connected."""


def is_known(snapshot: Snapshot, type_url: str) -> bool:
    """Say whether a relay knows a type's resources: "nothing yet" is not "none".

    An Envoy that is told "no listeners" is ready, and serves nothing. So a relay that starts with nothing
    stays silent, and a running Envoy keeps what it has.
    """
    return bool(snapshot.of(type_url)) or (type_url in snapshot.by_type and type_url not in NEVER_EMPTIED)


def has_arrived(type_url: str, tracks: Tracks, shown: Snapshot) -> bool:
    """Say whether Envoy has acknowledged, or refused, all that is shown of a type."""
    given = all(other in tracks and shown.of(other) for other in GIVEN[type_url])
    if not tracks or not given:
        return False
    return all(
        tracks[other].synced and not differs(tracks[other].current, shown.of(other))
        for other in MUST_BE_SYNCED[type_url]
        if other in tracks and other in shown.by_type
    )


def is_complete(tracks: Tracks, held: Held) -> bool:
    """Say whether `held` has all that Envoy asks for by name, such as the routes of its scopes.

    One that has just started hasn't asked for routes yet: then it can't be known.
    """
    return ROUTE in tracks and all(
        track.names <= held.get(track.type_url, NO_RESOURCES).keys() for track in tracks.values()
    )
