"""Whether what a relay shows has arrived at its Envoy, as the session with it knows. Pure."""

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
"""Type -> types that Envoy must have been given before anything can be said of it. Envoy asks for scopes
and routes because of a listener: before it has that, being synced with them means nothing."""

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

Envoy asks for endpoints and routes by name, because of clusters and scopes, and does so before it
ACKs these. What it hasn't asked for it doesn't lack; so whoever is ACKed must have brought along what
it refers to. Endpoints wait for no clusters: a host that is gone must not wait for one that warms."""

Lanes = Mapping[str, TypeState]
"""Type -> what Envoy wants, has and owes of it. Empty when it isn't connected."""


def is_known(snapshot: Snapshot, type_url: str) -> bool:
    """Say whether a relay knows what there is of a type: "nothing yet" is not "none".

    An Envoy that is told that there are no listeners is live, and serves nothing. One that runs while
    its relay starts with nothing is told nothing of what it has.
    """
    return bool(snapshot.of(type_url)) or (type_url in snapshot.by_type and type_url not in NEVER_EMPTIED)


def has_arrived(type_url: str, lanes: Lanes, shown: Snapshot) -> bool:
    """Say whether Envoy has acknowledged, or refused, all that is shown of a type."""
    given = all(other in lanes and shown.of(other) for other in GIVEN[type_url])
    if not lanes or not given:
        return False
    return all(
        lanes[other].synced and not differs(lanes[other].current, shown.of(other))
        for other in MUST_BE_SYNCED[type_url]
        if other in lanes and other in shown.by_type
    )


def is_complete(lanes: Lanes, held: Held) -> bool:
    """Say whether `held` has all that Envoy asks for by name: the routes of its scopes, for one."""
    return all(lane.names <= held.get(lane.type_url, NO_RESOURCES).keys() for lane in lanes.values())
