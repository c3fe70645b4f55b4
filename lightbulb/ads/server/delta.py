"""Delta ADS as a state machine: requests, snapshots and the time go in, responses come out.

One session a stream. Never touches a socket, a clock or a protobuf.

What it keeps (the protocol's cases, by number, are tests/ads/test_cases.py):
- at most one un-ACKed response a type; what changes meanwhile coalesces to the latest. A host that says so
  is told of it at once: it may load for hours;
- routes follow the clusters and endpoints that they name, once these are ACKed; the generation
  follows its tables;
- clusters and endpoints are removed once everything that could name them is ACKed (`order`);
- a refused version isn't sent again to this stream unless it subscribes to it anew, the others of its
  response are; routes to a cluster that was refused are held back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet

from lightbulb.ads.messages import NO_VERSIONS, WILDCARD, DeltaRequest, DeltaResponse
from lightbulb.ads.server.batch import Batch
from lightbulb.ads.server.order import clusters_are_held_back
from lightbulb.ads.server.refusals import TypeAndName
from lightbulb.ads.server.snapshot import Snapshot
from lightbulb.ads.server.tracks import SessionLimits, Track, Tracks
from lightbulb.ads.server.type_state import TypeState
from lightbulb.ads.values import CLUSTER, ENDPOINTS, MODEL_ASSIGNMENT, ROUTE, SIDE_BY_SIDE

Knows = Callable[[Snapshot, str], bool]
"""Whether a snapshot knows what there is of a type. What it doesn't know, a stream isn't told of."""


def knows_all(_snapshot: Snapshot, _type_url: str) -> bool:
    """Take a snapshot for the whole truth: a type that it has nothing of has no resources."""
    return True


class DeltaSession:
    """The state of one delta stream."""

    def __init__(
        self, snapshot: Snapshot | None, limits: SessionLimits | None = None, *, knows: Knows = knows_all
    ) -> None:
        """With no snapshot the session notes what is asked for, and answers once there is one."""
        self._tracks: Tracks[TypeState] = Tracks(snapshot, limits)
        self._knows = knows
        self._retry_at: float | None = None
        self._cold: set[str] = set()
        """Clusters that were sent, and whose endpoints have not been sent since."""

    @property
    def snapshot(self) -> Snapshot | None:
        """What the stream should have."""
        return self._tracks.snapshot

    @property
    def subscriptions(self) -> Mapping[str, TypeState]:
        """Type URL -> what the stream wants, has and owes; to read only."""
        return self._tracks.by_type

    def on_request(self, request: DeltaRequest, now: float) -> tuple[DeltaResponse, ...]:
        """Take a request; raises TooManyNames."""
        if not self._tracks.hears(request.type_url, now):
            return ()
        self._tracks.check_request(request.subscribe, request.variants, request.initial_versions)
        subscription = self.subscriptions.get(request.type_url)
        if subscription is None:
            self._open(request)
        else:
            self._take_answer(subscription, request)
            if request.type_url == MODEL_ASSIGNMENT and subscription.rejected and self._retry_at is None:
                self._retry_at = now + self._tracks.limits.retry_seconds
            subscription.subscribe(request.subscribe)
            subscription.unsubscribe(request.unsubscribe)
        self._tracks.check_names()
        return self._flush(now)

    def on_snapshot(self, snapshot: Snapshot, now: float) -> tuple[DeltaResponse, ...]:
        """Take what the stream should have from now on."""
        first = self.snapshot is None
        if not self._tracks.shows(snapshot):
            return ()
        for subscription in self.subscriptions.values():
            subscription.update(snapshot.of(subscription.type_url), only_adds=snapshot.only_adds)
            if first:
                subscription.mark_all()
        return self._flush(now)

    def on_tick(self, now: float) -> tuple[DeltaResponse, ...]:
        """Take the time: deal with ACKs that are overdue, and removals that were held back."""
        self._tracks.expire(now)
        if self._retry_at is not None and now >= self._retry_at:
            self._retry_at = None
            self.subscriptions[MODEL_ASSIGNMENT].retry()
        return self._flush(now)

    def next_deadline(self) -> float | None:
        """Return when `on_tick` has something to do, if ever."""
        retry = () if self._retry_at is None else (self._retry_at,)
        return min((*retry, *self._tracks.deadlines()), default=None)

    def unsynced(self, snapshot: Snapshot) -> tuple[str, ...]:
        """Return the types of which the stream hasn't acknowledged all that `snapshot` has for it."""
        return self._tracks.unsynced(snapshot)

    def track(self, type_url: str) -> Track | None:
        """Return what is asked for of a type; None when nothing is, yet."""
        return self.subscriptions.get(type_url)

    def refusals(self, snapshot: Snapshot) -> Mapping[TypeAndName, str]:
        """Return the reason of each that is refused of `snapshot`: of the same version as was refused."""
        return {
            (type_url, name): reason
            for type_url, subscription in self.subscriptions.items()
            if subscription.rejected
            for name, reason in subscription.refusals(snapshot.of(type_url)).items()
        }

    def held(self, type_url: str) -> Mapping[str, str]:
        """Return name -> version of what the client has of a type, as far as is known; "" for not known."""
        subscription = self.subscriptions.get(type_url)
        return NO_VERSIONS if subscription is None else subscription.held

    def _take_answer(self, subscription: TypeState, request: DeltaRequest) -> None:
        """Take an ACK or a NACK of what is pending; a stale nonce is neither."""
        if not subscription.awaits(request.nonce):
            return
        self._tracks.answered()
        if request.error is None:
            subscription.acknowledge(request.nonce)
        else:
            subscription.refuse(request.nonce, request.error, request.refused)

    def _open(self, request: DeltaRequest) -> None:
        side_by_side = request.node is not None and SIDE_BY_SIDE in request.node.metadata
        subscription = TypeState(type_url=request.type_url, side_by_side=side_by_side)
        self._tracks.add(subscription)
        if self.snapshot is not None:
            subscription.current = self.snapshot.of(request.type_url)
            subscription.only_adds = self.snapshot.only_adds
        subscription.has.take_over(request.initial_versions, subscription.current)
        if WILDCARD in request.subscribe or not (
            request.subscribe or request.unsubscribe or request.variants
        ):
            subscription.wildcard = True
            subscription.owes_answer = not request.initial_versions
        explicit = [name for name in request.subscribe if name != WILDCARD]
        subscription.name(explicit)
        # On a reconnect a name that is held needs no answer; one that isn't does, if only "gone". But
        # clusters that are held back warm until endpoints come, be they those that it has.
        warm = not clusters_are_held_back(self.subscriptions)
        subscription.forced.update(name for name in explicit if not (warm and name in subscription.held))
        subscription.unsubscribe(request.unsubscribe)
        if not subscription.wildcard:
            subscription.has.keep(subscription.names)
        subscription.mark_all()

    def _flush(self, now: float) -> tuple[DeltaResponse, ...]:
        """Return every response that may go now, in the order in which they must."""
        snapshot = self._tracks.snapshot
        return () if snapshot is None else tuple(self._responses(snapshot, now))

    def _responses(self, snapshot: Snapshot, now: float) -> Iterator[DeltaResponse]:
        for subscription in self._tracks.in_order:
            if subscription.type_url == ENDPOINTS:
                self._warm(subscription)
            if not subscription.may_send:
                continue
            batch = self._batch(subscription, snapshot, now)
            if batch is None:
                continue
            nonce = self._tracks.next_nonce()
            subscription.sent(batch, nonce, now)
            if subscription.type_url == CLUSTER:
                self._cold.update(resource.name for resource in batch.resources)
            yield DeltaResponse(
                type_url=subscription.type_url,
                nonce=nonce,
                resources=batch.resources,
                removed=batch.removed,
                stamp=str(snapshot.stamp),
            )

    def _warm(self, endpoints: TypeState) -> None:
        """Have endpoints sent again when their clusters were: the new ones would wait for a time-out."""
        again = self._cold & endpoints.names
        self._cold -= again
        endpoints.forced |= again
        endpoints.dirty |= again

    def _batch(self, subscription: TypeState, snapshot: Snapshot, now: float) -> Batch | None:
        """Return what is to be sent now, which may be an answer without content; None for nothing."""
        if not subscription.repairs:
            if not subscription.dirty and not subscription.owes_answer:
                return None
            if not self._knows(snapshot, subscription.type_url):
                return None
        if not self._tracks.may_update(subscription):
            return None
        batch = subscription.next_batch(
            removals=self._tracks.may_remove(subscription, now),
            missing=self._missing_clusters(subscription.type_url),
            byte_limit=self._tracks.limits.response_bytes,
        )
        asks_back = bool(subscription.dirty) and self._tracks.asks_back(subscription, now)
        return batch if batch or subscription.owes_answer or asks_back else None

    def _missing_clusters(self, type_url: str) -> AbstractSet[str]:
        """Return the clusters that a route must not name: the client refused them, and may have no other."""
        clusters = self.subscriptions.get(CLUSTER)
        if type_url != ROUTE or clusters is None:
            return frozenset()
        return {name for name in clusters.rejected if not clusters.held.get(name)}
