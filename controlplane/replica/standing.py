"""How a stream stands: what its consumer owes and refuses of what is shown, as a whole and by tenant. Pure.

While one tenant alone shows something, nobody looks at names: to go through those of ten thousand resources
at a thousand streams would cost more than all else.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from itertools import chain

from controlplane.rollout.failure import Refusal
from controlplane.rollout.lanes import Lanes
from controlplane.rollout.ownership import Ownership
from controlplane.rollout.registry import NEVER_SYNCED, Arrears, Consumer, Synced
from controlplane.rollout.state import Phase, Rollout
from lightbulb.ads.server.snapshot import Snapshot
from lightbulb.ads.server.stream_status import StreamStatus
from lightbulb.ads.values import (
    CLUSTER,
    LISTENER,
    OBJECTIVE_CONTROL,
    OBJECTIVE_TABLES,
    SCOPED_ROUTE,
    SIDECAR_STATE,
)

WHOLE_TYPES = (CLUSTER, LISTENER, SCOPED_ROUTE, OBJECTIVE_TABLES)
"""Types of which a consumer of everything asks for all. Who asks for some by name is a consumer of part."""


LATE_SECONDS = 1.0
"""A Lightbulb that takes longer to acknowledge something is counted as in step from then on."""

Owed = Mapping[str, Collection[str]]
"""Type -> names of resources whose ACK is missing."""


def refusals_of(stream: StreamStatus, snapshot: Snapshot) -> tuple[Refusal, ...]:
    """Return what the consumer refuses of a snapshot, in order."""
    return tuple(
        Refusal(
            consumer_kind=stream.node.kind,
            consumer_id=stream.node.id,
            resource_type=type_url,
            resource=name,
            reason=reason,
        )
        for (type_url, name), reason in sorted(stream.refusals(snapshot).items())
    )


def types_owed(stream: StreamStatus, snapshot: Snapshot, refusals: Collection[Refusal]) -> tuple[str, ...]:
    """Return the types of which the consumer hasn't acknowledged all, also if it hasn't asked for all yet.

    An Envoy asks for the routes of a new scope a moment after it has acknowledged the scope; and one that
    reconnects asks for its types one by one. But what a consumer of part never asked for it doesn't owe.
    """
    unsynced = stream.unsynced(snapshot)
    if refusals or _wants_part(stream):
        return unsynced
    return (*unsynced, *(each for each in _not_all_held(stream, snapshot) if each not in unsynced))


def _wants_part(stream: StreamStatus) -> bool:
    return any(stream.asks_for_all(type_url) is False for type_url in WHOLE_TYPES)


def _not_all_held(stream: StreamStatus, snapshot: Snapshot) -> Collection[str]:
    return [
        type_url
        for type_url, resources in snapshot.by_type.items()
        if type_url != SIDECAR_STATE  # a Lightbulb may do without
        # An older one has never heard of it, and whoever has asks for it before all that comes after it.
        and not (type_url == OBJECTIVE_CONTROL and stream.asks_for_all(type_url) is None)
        and len(stream.held(type_url)) < len(resources)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a consumer stands with what tenants show: what it routes, and its `Consumer.refused_of`.

    `behind` is tenant -> how it is behind with that one, and `synced` is `Consumer.synced_by_tenant`, where
    there are several.
    """

    routes: tuple[int, ...]
    refused_of: int
    behind: Mapping[str, Arrears] = field(default_factory=dict)
    synced: Mapping[str, Synced] = field(default_factory=lambda: NEVER_SYNCED)


class LanesShown:
    """What is asked of the lanes that are shown at every stream: found once for all of them."""

    def __init__(self, lanes: Lanes) -> None:
        """Look at each lane once."""
        self.routed: Mapping[str, tuple[int, ...]] = lanes.routed
        self.moving: tuple[tuple[str, Rollout], ...] = tuple(
            (tenant, rollout) for tenant, rollout in lanes if rollout.phase is not Phase.SETTLED
        )
        self._lanes = lanes
        self._routes: dict[tuple[frozenset[str], int], tuple[tuple[int, ...], tuple[int, ...]]] = {}
        """Whom a sidecar lags with, and the routes that it has (by identity) -> these, and those to come."""

    def routes_of(self, known: Consumer, behind: Mapping[str, Arrears]) -> tuple[int, ...]:
        """Return what a sidecar routes: of a tenant that it is behind with, the generations that it did."""
        # What it refuses, it doesn't route; that it can't listen is another matter.
        lagging = frozenset(
            tenant
            for tenant, own in behind.items()
            if tenant in self.routed and (own.waiting_for or _of_more_than_the_listener(own.refusals))
        )
        key = lagging, id(known.routes) if lagging else 0
        if key not in self._routes:
            self._routes[key] = known.routes, self._routes_with(lagging, known.routes)
        return self._routes[key][1]

    def _routes_with(self, lagging: frozenset[str], before: tuple[int, ...]) -> tuple[int, ...]:
        """Return what is routed by a sidecar that lags, and that routed `before`."""
        others = (own for tenant, own in self.routed.items() if tenant not in lagging)
        needed = frozenset().union(*(self._lanes.rollouts[tenant].needed for tenant in lagging))
        return (*chain.from_iterable(others), *(number for number in before if number in needed))


def arrears(  # noqa: PLR0913, PLR0917 - a pure function of all that counts
    known: Consumer,
    refusals: Collection[Refusal],
    owed: Owed,
    ownership: Ownership,
    shown: LanesShown,
    now: float,
) -> Mapping[str, Arrears]:
    """Return tenant -> how a consumer is behind with what that one shows; not of those it is in step with.

    `known` has its arrears as they were.
    """
    waiting: dict[str, set[str]] = {}
    for type_url, names in owed.items():
        for name in names:
            for tenant in ownership.of(type_url, name):
                waiting.setdefault(tenant, set()).add(type_url)
    refused: dict[str, list[Refusal]] = {}
    for refusal in refusals:
        for tenant in ownership.of(refusal.resource_type, refusal.resource):
            refused.setdefault(tenant, []).append(refusal)
    found: dict[str, Arrears] = {}
    for tenant in sorted(waiting.keys() | refused.keys()):
        own, routed = tuple(refused.get(tenant, ())), shown.routed.get(tenant, ())
        found[tenant] = Arrears(
            waiting_for=tuple(filter(waiting.get(tenant, set()).__contains__, owed)),
            refusals=own,
            unsynced_since=known.unsynced_with(tenant) or now,
            refused_of=known.for_tenant(tenant).refusal_of(own, routed) if own else 0,
        )
    return found


def names_owed(
    stream: StreamStatus, snapshot: Snapshot, types: Collection[str], refusals: Collection[Refusal]
) -> Owed:
    """Return type -> names that the consumer owes an ACK of, whether or not it has asked for them.

    `types` are its `types_owed`: of others it owes nothing that it has asked for. `refusals` are its
    `refusals_of` the same snapshot.
    """
    owed = {
        type_url: stream.unacked(snapshot, type_url) for type_url in types if type_url in snapshot.by_type
    }
    # Who refuses nothing and has asked for all owes what it lacks, without a look at all names.
    by_name = types if refusals else [each for each in types if not stream.asks_for_all(each)]
    if by_name and not _wants_part(stream):
        refused = {(each.resource_type, each.resource) for each in refusals}
        for type_url in by_name:  # what isn't all held is owed
            missing = snapshot.of(type_url).keys() - stream.held(type_url).keys()
            lacking = {name for name in missing if (type_url, name) not in refused}
            owed[type_url] = lacking.union(owed.get(type_url, ()))
    return owed


def _of_more_than_the_listener(refusals: Collection[Refusal]) -> bool:
    return not all(each.of_listener for each in refusals)


def was_late(known: Consumer, now: float) -> bool:
    """Say whether a Lightbulb that is in step now wasn't for so long that the margin doesn't cover it.

    A sidecar that it hadn't heard of yet may have come back: till now its clients were told something old.
    """
    since = known.unsynced_since
    return known.kind == "lightbulb" and 0.0 < since < now - LATE_SECONDS


def synced_by_tenant(
    known: Consumer, shown: LanesShown, behind: Mapping[str, Arrears], now: float
) -> Mapping[str, Synced]:
    """Return by tenant when the consumer first had what that one shows in the version that it has now.

    Only of tenants whose rollout waits for that.
    """
    synced: dict[str, Synced] = {}
    for tenant, rollout in shown.moving:
        before = known.synced_by_tenant.get(tenant)
        if tenant in behind and behind[tenant].waiting_for:
            if before is not None:
                synced[tenant] = before
        elif (
            before is None or before[0] != rollout.desired_version or was_late(known.for_tenant(tenant), now)
        ):
            synced[tenant] = rollout.desired_version, now
        else:
            synced[tenant] = before
    return synced
