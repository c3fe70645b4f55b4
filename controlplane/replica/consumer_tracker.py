"""The consumers of this replica: what has become of their streams, as the registry's values.

Only streams that something happened to are looked at. What has gone is remembered for as long as its lease.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace

from controlplane.replica.standing import (
    LanesShown,
    Standing,
    arrears,
    names_owed,
    refusals_of,
    synced_by_tenant,
    types_owed,
    was_late,
)
from controlplane.rollout.desired_state import DesiredState
from controlplane.rollout.failure import MAX_NAME, Refusal, printable
from controlplane.rollout.lanes import NO_LANES, Lanes
from controlplane.rollout.ownership import Ownership
from controlplane.rollout.registry import Address, Arrears, Consumer, Loading
from controlplane.rollout.state import Policy
from controlplane.xds.nodes import HostNode, identify, takes_of
from controlplane.xds.snapshot_cache import Audience, SnapshotCache
from lightbulb.ads.loads import MAX_TEXT, ModelLoad
from lightbulb.ads.server.server import AdsServer
from lightbulb.ads.server.snapshot import Snapshot
from lightbulb.ads.server.stream_status import StreamStatus
from lightbulb.ads.values import CONTROLS, EVERYTHING, MODEL_ASSIGNMENT, Node

Traces = Mapping[tuple[str, str], Consumer]
"""Kind and id -> the latest that is known of a consumer."""

SAME_SECONDS = 5.0
"""What a host tells of one load may take so long to come: less tells no other load."""

MAX_GONE = 50_000
"""Consumers disconnected that are remembered; the longest gone are forgotten first."""


class ConsumerTracker:
    """Reads the state of streams. `view` is what a node should have; times are of the store's clock.

    `snapshots` says of whom that is which a consumer takes.
    """

    def __init__(
        self,
        ads: AdsServer,
        view: Callable[[Node], Snapshot | None],
        snapshots: SnapshotCache,
    ) -> None:
        """Know nobody yet."""
        self._snapshots = snapshots
        self._ads = ads
        self._ownership = Ownership()
        self._lanes = NO_LANES
        self._shown = LanesShown(NO_LANES)
        self._view = view
        self._touched: set[int] = set()
        self._goodbyes: dict[int, Node] = {}
        self._streams: dict[int, Consumer] = {}
        self._loading: dict[int, tuple[Loading, ...]] = {}
        """Stream -> what its host said last that it is loading."""
        self._gone: dict[tuple[str, str], Consumer] = {}
        self._counts: Counter[tuple[str, str]] = Counter()
        self._served = 0
        self._synced: set[int] = set()
        """Streams that have been synced with what is shown, since something new was shown to them."""
        self._unshown: set[int] = set()
        """Streams that there was nothing to show to when they were last looked at."""

    def touch(self, stream_id: int) -> None:
        """Note that something happened to a stream."""
        self._touched.add(stream_id)

    def goodbye(self, stream_id: int, node: Node) -> None:
        """Note that a stream's consumer ends in order; its stream is about to close."""
        self._goodbyes[stream_id] = node

    def take_progress(self, stream_id: int, loads: Iterable[ModelLoad], now: float) -> None:
        """Note what a host says that it is loading."""
        before = {each.model: each.since for each in self._loading.pop(stream_id, ())}
        told = tuple(_loading(each, before.get(each.model), now) for each in loads)
        if told:
            self._loading[stream_id] = told
        self._touched.add(stream_id)

    def touch_all(self, audience: Audience) -> None:
        """Note that something new is shown to these: they owe an ACK, whether or not it was sent yet."""
        self._touched |= self._unshown  # to them everything is new
        self._touched.update(
            stream_id
            for stream_id, consumer in self._streams.items()
            if audience.includes(consumer.kind, consumer.shard)
        )

    def adopt(self, orphans: Iterable[Consumer]) -> None:
        """Remember consumers of replicas that ended."""
        for orphan in orphans:
            self._gone.setdefault((orphan.kind, orphan.id), orphan)

    def wake(self, everybody: Iterable[Consumer], now: float, policy: Policy) -> None:
        """Take nobody to have gone, or to be late, before now: there was nobody to see them.

        `everybody` is the latest that is known anywhere: a trace of one that was elsewhere since is old.
        """
        latest = {(each.kind, each.id): each.since for each in everybody if each.disconnected}
        for key, gone in self._gone.items():
            if latest.get(key) == gone.since:
                self._gone[key] = gone.gone_since(now, policy)
        self._streams = {key: each.late_since(now) for key, each in self._streams.items()}

    def look(
        self,
        lanes: Lanes,
        desired: DesiredState | None,
        everybody: Iterable[Consumer],
        now: float,
    ) -> bool:
        """Take in what happened; return whether anything did.

        `lanes` are shown, as `desired`; `everybody` is the latest that is known at whichever replica.
        """
        if lanes is not self._lanes:
            self._lanes, self._shown = lanes, LanesShown(lanes)
        shown = lanes.desired_version
        if desired is not None:
            self._ownership.show(desired)
        if shown != self._served:
            self._served = shown
            self._synced -= self._touched  # to the others nothing new is shown
        touched, self._touched = self._touched, set()
        traces = self._traces(touched - self._streams.keys(), everybody)
        for stream_id in touched:
            stream = self._ads.stream(stream_id)
            if stream is None:
                self._lose(stream_id, traces, now)
            else:
                self._streams[stream_id] = self._consumer(stream, traces, now)
        return bool(touched)

    def _traces(self, newcomers: Collection[int], everybody: Iterable[Consumer]) -> Traces:
        """Return what is known of those that are new here; of a crowd, nobody else is looked at twice."""
        streams = map(self._ads.stream, newcomers)
        ids = {each.node.id for each in streams if each is not None}
        ids.update(each.id for number, each in self._goodbyes.items() if number in newcomers)
        return {(each.kind, each.id): each for each in everybody if each.id in ids} if ids else {}

    def consumers(self, now: float, policy: Policy) -> tuple[Consumer, ...]:
        """Return every stream, and those who have gone and have none now."""
        expired = [key for key, gone in self._gone.items() if not gone.remembered(now, policy)]
        for key in expired:
            del self._gone[key]
        return (*self._streams.values(), *self._gone.values())

    def _lose(self, stream_id: int, traces: Traces, now: float) -> None:
        consumer, leaving = self._streams.pop(stream_id, None), self._goodbyes.pop(stream_id, None)
        self._synced.discard(stream_id)
        self._unshown.discard(stream_id)
        self._loading.pop(stream_id, None)
        if consumer is not None:
            key = consumer.kind, consumer.id
            self._counts[key] -= 1
        elif leaving is not None:  # it came to say goodbye alone, maybe after it was seen elsewhere
            key = leaving.kind, leaving.id
            trace = _latest(self._gone.get(key), traces.get(key))
            consumer = trace or Consumer(id=leaving.id, kind=leaving.kind)
        else:
            return
        if self._counts[key]:
            return  # another stream of it is there
        del self._counts[key]
        self._gone[key] = (
            consumer.departed(now) if leaving is not None else consumer.lost(now, orphaned=False)
        )
        if len(self._gone) > MAX_GONE:
            del self._gone[min(self._gone, key=lambda each: self._gone[each].since)]

    def _consumer(self, stream: StreamStatus, traces: Traces, now: float) -> Consumer:
        known = self._streams.get(stream.id) or self._newcomer(stream, traces, now)
        snapshot = self._view(stream.node)
        if snapshot is None:
            self._unshown.add(stream.id)
            seen = replace(
                known, waiting_for=(), refusals=(), unsynced_since=0.0, refused_of=0, by_tenant=None
            )
        else:
            self._unshown.discard(stream.id)
            seen = self._judged(known, stream, snapshot, now)
        if known.kind != "host":
            return seen
        told = self._loading.get(stream.id, ())
        owed = stream.unacked(snapshot, MODEL_ASSIGNMENT) if told and snapshot is not None else ()
        return replace(
            seen,
            loaded=frozenset(stream.acked(MODEL_ASSIGNMENT)),
            loading=tuple(each for each in told if each.model in owed),
            silent_since=(known.silent_since or now) if stream.silent else 0.0,
        )

    def _judged(self, known: Consumer, stream: StreamStatus, snapshot: Snapshot, now: float) -> Consumer:
        """Return what has become of a consumer that is shown `snapshot`."""
        refusals = refusals_of(stream, snapshot)
        waiting_for = types_owed(stream, snapshot, refusals)
        synced = not waiting_for
        first = synced and (stream.id not in self._synced or was_late(known, now))
        if synced:
            self._synced.add(stream.id)
        takes = EVERYTHING if known.kind == "host" else takes_of(stream.node)
        split = len(self._shown.routed) > 1
        if split:
            standing = self._standing_by_tenant(known, refusals, waiting_for, stream, snapshot, now)
        else:
            standing = self._standing(known, refusals, synced=synced)
        return replace(
            known,
            tenants=self._snapshots.tenants(takes),
            unknown=self._snapshots.unknown(takes),
            waiting_for=waiting_for,
            refusals=refusals,
            refused_before=() if refusals or synced else known.refused_before,
            refused_numbers=() if refusals or synced else known.refused_numbers,
            synced_since=now if first else known.synced_since,
            unsynced_since=(known.unsynced_since or now) if waiting_for or refusals else 0.0,
            routes=standing.routes,
            refused_of=standing.refused_of,
            by_tenant=standing.behind or None,
            synced_by_tenant=standing.synced,
        )

    def _standing(self, known: Consumer, refusals: tuple[Refusal, ...], *, synced: bool) -> Standing:
        """Return how a consumer stands with the only tenant."""
        numbers = next(iter(self._shown.routed.values()), ())
        # What it refuses, it doesn't route; that it can't listen is another matter.
        routes = synced and known.kind == "sidecar" and all(each.of_listener for each in refusals)
        return Standing(
            routes=numbers if routes else known.routes, refused_of=known.refusal_of(refusals, numbers)
        )

    def _standing_by_tenant(  # noqa: PLR0913, PLR0917 - all that counts
        self,
        known: Consumer,
        refusals: tuple[Refusal, ...],
        waiting_for: tuple[str, ...],
        stream: StreamStatus,
        snapshot: Snapshot,
        now: float,
    ) -> Standing:
        """Return how a consumer stands with each tenant."""
        behind: Mapping[str, Arrears] = {}
        if waiting_for or refusals:
            owed = names_owed(stream, snapshot, waiting_for, refusals)
            behind = arrears(known, refusals, owed, self._ownership, self._shown, now)
        return Standing(
            routes=self._shown.routes_of(known, behind) if known.kind == "sidecar" else known.routes,
            refused_of=max((each.refused_of for each in behind.values()), default=0),
            behind=behind,
            synced=synced_by_tenant(known, self._shown, behind, now),
        )

    def _newcomer(self, stream: StreamStatus, traces: Traces, now: float) -> Consumer:
        """Return a new stream's consumer; it routes what it did when it was last seen.

        Its last stream may still be there: what was refused there was refused before this one.
        """
        key = stream.node.kind, stream.node.id
        self._counts[key] += 1
        trace = _latest(self._gone.pop(key, None), traces.get(key))
        last = trace.lost(now, orphaned=False) if trace is not None else None
        shard, address = _place(stream.node)
        return Consumer(
            id=stream.node.id,
            kind=stream.node.kind,
            shard=shard,
            address=address,
            routes=last.routes if last is not None else (),
            refused_before=last.refused_before if last is not None else (),
            refused_numbers=last.refused_numbers if last is not None else (),
            since=now,
            disobeys=stream.node.kind == "lightbulb" and CONTROLS not in stream.node.metadata,
        )


def _latest(here: Consumer | None, anywhere: Consumer | None) -> Consumer | None:
    """Return the latest that is known of a consumer: it may have been elsewhere since it was here."""
    if here is None or anywhere is None:
        return here or anywhere
    return here if anywhere.disconnected and here.since >= anywhere.since else anywhere


def _loading(load: ModelLoad, before: float | None, now: float) -> Loading:
    """Return a load; `before` is since when it was under way as the host said earlier."""
    since = now - load.seconds
    same = before is not None and abs(since - before) < SAME_SECONDS
    return Loading(
        model=printable(load.model, MAX_NAME),
        since=before if before is not None and same else since,
        fraction=load.fraction,
        text=printable(load.text, MAX_TEXT),
    )


def _place(node: Node) -> tuple[str, Address | None]:
    """Return a host's shard, and where it takes requests; nothing for others."""
    identity = identify(node)
    if isinstance(identity, HostNode):
        return identity.shard, (identity.address, identity.port)
    return "", None
