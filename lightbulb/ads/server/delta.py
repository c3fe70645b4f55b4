"""Delta ADS as a state machine: requests, snapshots and the time go in, responses come out.

One session a stream. Never touches a socket, a clock or a protobuf.

What it keeps (the protocol's cases, by number, are tests/xds/test_cases.py):
- at most one un-ACKed response a type; what changes meanwhile coalesces to the latest;
- routes follow the clusters and endpoints that they name, once these are ACKed; the generation
  follows its tables;
- clusters and endpoints are removed once everything that could name them is ACKed (`order`);
- a refused version is never sent again to this stream, the others of its response are; routes to a
  cluster that was refused are held back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import count

from lightbulb.ads.messages import NO_VERSIONS, DeltaRequest, DeltaResponse
from lightbulb.ads.server.order import REMOVED_AFTER, may_remove, may_update
from lightbulb.ads.server.snapshot import Snapshot
from lightbulb.ads.server.type_state import WILDCARD, Batch, TypeState
from lightbulb.ads.values import CLUSTER, ENDPOINTS, MODEL_ASSIGNMENT, PUSH_ORDER, ROUTE


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLimits:
    """What a stream may take: seconds to ACK, and to ask for all that it wants; bytes; names.

    `response_bytes` is how much of resources goes into one response; a larger one goes alone. A host is
    asked again after `retry_seconds` to load what it refused: what it lacked may be there by now.
    """

    ack_seconds: float = 15.0
    asking_seconds: float = 10.0
    retry_seconds: float = 15.0
    response_bytes: int = 2 * 1024 * 1024
    names: int = 200_000


class TooManyNames(Exception):
    """A stream subscribes to more names than it may."""


class DeltaSession:
    """The state of one delta stream."""

    def __init__(self, snapshot: Snapshot | None, limits: SessionLimits | None = None) -> None:
        """With no snapshot the session notes what is asked for, and answers once there is one."""
        self.snapshot = snapshot
        self._limits = limits or SessionLimits()
        self._nonces = count(1)
        self._complete_at: float | None = None
        self._retry_at: float | None = None
        self._subscriptions: dict[str, TypeState] = {}
        self._cold: set[str] = set()
        """Clusters that were sent, and whose endpoints have not been sent since."""

    @property
    def subscriptions(self) -> Mapping[str, TypeState]:
        """Type URL -> what the stream wants, has and owes; to read only."""
        return self._subscriptions

    def on_request(self, request: DeltaRequest, now: float) -> tuple[DeltaResponse, ...]:
        """Take a request; raises TooManyNames."""
        if request.type_url not in PUSH_ORDER:
            return ()
        if self._complete_at is None:
            self._complete_at = now + self._limits.asking_seconds
        subscription = self._subscriptions.get(request.type_url)
        if subscription is None:
            self._open(request)
        else:
            self._take_answer(subscription, request)
            if request.type_url == MODEL_ASSIGNMENT and subscription.rejected and self._retry_at is None:
                self._retry_at = now + self._limits.retry_seconds
            subscription.subscribe(request.subscribe)
            subscription.unsubscribe(request.unsubscribe)
        if sum(len(each.names) for each in self._subscriptions.values()) > self._limits.names:
            raise TooManyNames(f"more than {self._limits.names} names on one stream")
        return self._flush(now)

    def on_snapshot(self, snapshot: Snapshot, now: float) -> tuple[DeltaResponse, ...]:
        """Take what the stream should have from now on."""
        before, self.snapshot = self.snapshot, snapshot
        if before is not None and before.by_type is snapshot.by_type:
            return ()  # only the stamp is new
        for subscription in self._subscriptions.values():
            subscription.update(snapshot.of(subscription.type_url))
            if before is None:
                subscription.mark_all()
        return self._flush(now)

    def on_tick(self, now: float) -> tuple[DeltaResponse, ...]:
        """Take the time: deal with ACKs that are overdue, and removals that were held back."""
        for subscription in self._subscriptions.values():
            pending = subscription.pending
            if (
                pending is not None
                and not subscription.late
                and now >= pending.since + self._limits.ack_seconds
            ):
                subscription.expire()
        if self._retry_at is not None and now >= self._retry_at:
            self._retry_at = None
            self._subscriptions[MODEL_ASSIGNMENT].retry()
        return self._flush(now)

    def next_deadline(self) -> float | None:
        """Return when `on_tick` has something to do, if ever."""
        return min(self._deadlines(), default=None)

    def behind(self, snapshot: Snapshot) -> tuple[str, ...]:
        """Return the types of which the stream hasn't acknowledged all that `snapshot` has for it."""
        return tuple(
            type_url
            for type_url, subscription in self._subscriptions.items()
            if subscription.current is not snapshot.of(type_url) or not subscription.synced
        )

    def refusals(self, snapshot: Snapshot) -> Mapping[str, str]:
        """Return name -> reason of what is refused of `snapshot`: the same versions as were refused."""
        return {
            name: reason
            for type_url, subscription in self._subscriptions.items()
            if subscription.rejected
            for name, reason in subscription.refusals(snapshot.of(type_url)).items()
        }

    def held(self, type_url: str) -> Mapping[str, str]:
        """Return name -> version of what the client has of a type, as far as is known; "" for not known."""
        subscription = self._subscriptions.get(type_url)
        return NO_VERSIONS if subscription is None else subscription.held

    def _open(self, request: DeltaRequest) -> None:
        subscription = TypeState(type_url=request.type_url)
        self._subscriptions[request.type_url] = subscription
        if self.snapshot is not None:
            subscription.current = self.snapshot.of(request.type_url)
        subscription.has.take_over(request.initial_versions, subscription.current)
        if not request.subscribe or WILDCARD in request.subscribe:
            subscription.wildcard = True
            subscription.owes_answer = not request.initial_versions
        explicit = [name for name in request.subscribe if name != WILDCARD]
        subscription.names.update(explicit)
        # On a reconnect a name that is held needs no answer; one that isn't does, if only "gone".
        subscription.forced.update(name for name in explicit if name not in subscription.held)
        subscription.unsubscribe(request.unsubscribe)
        subscription.mark_all()

    def _take_answer(self, subscription: TypeState, request: DeltaRequest) -> None:
        """Take an ACK or a NACK of what is pending; a stale nonce is neither."""
        if subscription.pending is None or request.nonce != subscription.pending.nonce:
            return
        if request.error is None:
            subscription.acknowledge()
        else:
            subscription.refuse(request.error)

    def _flush(self, now: float) -> tuple[DeltaResponse, ...]:
        """Return every response that may go now, in the order in which they must."""
        if self.snapshot is None:
            return ()
        responses: list[DeltaResponse] = []
        for type_url in PUSH_ORDER:
            subscription = self._subscriptions.get(type_url)
            if subscription is None:
                continue
            if type_url == ENDPOINTS:
                self._warm(subscription)
            if subscription.pending is not None:
                continue
            batch = self._batch(subscription, now)
            if batch is None:
                continue
            nonce = str(next(self._nonces))
            subscription.sent(batch, nonce, now)
            if type_url == CLUSTER:
                self._cold.update(resource.name for resource in batch.resources)
            responses.append(
                DeltaResponse(
                    type_url=type_url,
                    nonce=nonce,
                    resources=batch.resources,
                    removed=batch.removed,
                    stamp=self.snapshot.stamp,
                )
            )
        return tuple(responses)

    def _warm(self, endpoints: TypeState) -> None:
        """Have endpoints sent again when their clusters were: the new ones would wait for a time-out."""
        again = self._cold & endpoints.names
        self._cold -= again
        endpoints.forced |= again
        endpoints.dirty |= again

    def _batch(self, subscription: TypeState, now: float) -> Batch | None:
        """Return what is to be sent now, which may be an answer without content; None for nothing."""
        if not subscription.repairs and not subscription.dirty and not subscription.owes_answer:
            return None
        if not may_update(self._subscriptions, subscription.type_url):
            return None
        complete = self._complete_at is not None and now >= self._complete_at
        batch = subscription.next_batch(
            removals=may_remove(self._subscriptions, subscription.type_url, complete=complete),
            missing=self._missing_clusters(subscription.type_url),
            byte_limit=self._limits.response_bytes,
        )
        return batch if batch or subscription.owes_answer else None

    def _missing_clusters(self, type_url: str) -> AbstractSet[str]:
        """Return the clusters that a route must not name: the client refused them, and has no other."""
        clusters = self._subscriptions.get(CLUSTER)
        if type_url != ROUTE or clusters is None:
            return frozenset()
        return clusters.rejected.keys() - clusters.held.keys()

    def _deadlines(self) -> Iterator[float]:
        if self._retry_at is not None:
            yield self._retry_at
        for subscription in self._subscriptions.values():
            if subscription.pending is not None and not subscription.late:
                yield subscription.pending.since + self._limits.ack_seconds
            held_back = subscription.pending is None and subscription.dirty
            if held_back and subscription.type_url in REMOVED_AFTER and self._complete_at is not None:
                yield self._complete_at
