"""State-of-the-world ADS as a state machine, for clients that ask for it.

The same order and gates as delta (`order`); a response carries all that the client asked for of a type.
A type is sent again only when its content is new or asked for anew, a refused content when it is asked
for anew. What a client holds from a stream before this one is known only when its version is that of what
it should have: clusters of another content can't be kept until the routes are changed, as they are with
delta.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from lightbulb.ads.messages import NO_REASONS, WILDCARD, SotwRequest, SotwResponse
from lightbulb.ads.server.order import NEVER_EMPTIED, clusters_are_held_back
from lightbulb.ads.server.refusals import EVERYTHING, MAX_REASON, TypeAndName, reasons_of
from lightbulb.ads.server.snapshot import NO_RESOURCES, Resources, Snapshot
from lightbulb.ads.server.tracks import SessionLimits, Track, Tracks, length_of
from lightbulb.ads.values import CLUSTER, ENDPOINTS, Resource

World = tuple[Resource, ...]
"""All that a response of a type holds, by name."""


@dataclass(slots=True, kw_only=True)
class SotwTypeState:
    """One type of one stream: what it asked for, what it has, and what is under way; times in seconds."""

    type_url: str
    names: frozenset[str] = frozenset()
    names_length: int = 0
    wildcard: bool = False
    named: bool = False
    """It has named something, be it "*": from then on an empty list means nothing, not everything."""
    current: Resources = field(default_factory=lambda: NO_RESOURCES)
    held: Mapping[str, Resource] = field(default_factory=dict)
    version: str = ""
    nonce: str = ""
    pending: World | None = None
    since: float = 0.0
    rejected: str = ""
    """The version that the client refused, all of it: what a version brings is applied together."""
    reasons: Mapping[str, str] = field(default_factory=lambda: NO_REASONS)
    """Name -> reason of what it refused of that, or else EVERYTHING."""
    asked: bool = False
    """A request that must be answered even if the content is old: the names are new."""
    repairing: bool = False
    """What it held is to be sent again: it refused clusters, and keeps them warming."""
    late: bool = False

    def take_names(self, names: tuple[str, ...], variants: tuple[str, ...] = ()) -> None:
        """Note what the client wants from now on; `variants` are there for nobody, but no wildcard either."""
        if names or variants:
            self.wildcard, self.named = WILDCARD in names, True
        elif self.named:
            self.wildcard = False
        else:
            self.wildcard = True
        explicit = frozenset(names) - {WILDCARD}
        if explicit - self.names:
            self.asked, self.rejected = True, ""  # it asks anew, be it for what it refused
        self.names, self.names_length = explicit, length_of(explicit)
        if not self.wildcard and self.held.keys() - explicit:
            self.held = {name: each for name, each in self.held.items() if name in explicit}
            self.version = content_version(_sorted(self.held))

    def update(self, current: Resources) -> None:
        """Take what the client should have from now on."""
        known = bool(self.current or self.held)
        self.current = current
        if not known and self.version:
            world = self.wanted(removals=True)
            if content_version(world) == self.version:
                self.held = {resource.name: resource for resource in world}

    def wanted(self, *, removals: bool, of: Resources | None = None) -> World:
        """Return what the next response holds; without `removals`, also what is to be removed later.

        `of` is what the client should have if not what is current.
        """
        current = self.current if of is None else of
        names = current.keys() if self.wildcard else self.names & current.keys()
        result = {name: current[name] for name in names}
        if not removals or (not result and self.type_url in NEVER_EMPTIED):
            result = {**self.held, **result}
        return _sorted(result)

    def due(self, world: World) -> bool:
        """Say whether `world` is news to the client."""
        version = content_version(world)
        if not world and self.version and self.type_url in NEVER_EMPTIED:
            return False  # it has something from a stream before this one
        return version != self.rejected and (self.asked or version != self.version)

    def sent(self, world: World, nonce: str, now: float) -> None:
        """Note that `world` is on its way."""
        self.pending, self.nonce, self.since = world, nonce, now
        self.asked = self.repairing = False

    def acknowledge(self) -> None:
        """Note that the client has what was pending."""
        world = self._take_pending()
        self.version = content_version(world)
        self.held = {resource.name: resource for resource in world}

    def refuse(self, error: str, refused: Mapping[str, str] = NO_REASONS) -> None:
        """Note that the client refused what was pending."""
        world = self._take_pending()
        version = content_version(world)
        if version == self.version:
            return  # a repair that is refused itself: there is nothing better to send
        self.rejected = version
        found = reasons_of(error, refused, sent={each.name for each in world}, removed=())
        self.reasons = found or {EVERYTHING: error[:MAX_REASON]}
        # Envoy keeps clusters that it refused warming, and holds back every later ACK for them.
        self.repairing = self.type_url == CLUSTER and bool(self.held)

    def refusals(self, of: Resources | None = None) -> Mapping[str, str]:
        """Return name -> reason of what the client refuses of what it should have (`of`, or the current)."""
        if not self.rejected:
            return NO_REASONS
        now = {content_version(self.wanted(removals=removals, of=of)) for removals in (True, False)}
        return self.reasons if self.rejected in now else NO_REASONS

    def unacked(self, of: Resources) -> AbstractSet[str]:
        """Return the names whose ACK is missing before the client has `of`; none if it refuses that."""
        if self.refusals(of):
            return frozenset()
        world = {each.name: each.version for each in self.wanted(removals=True, of=of)}
        old = {name for name, version in world.items() if self._lacks(name, version)}
        return old | (self.held.keys() - world.keys())

    def _lacks(self, name: str, version: str) -> bool:
        held = self.held.get(name)
        return held is None or held.version != version

    def expire(self) -> None:
        """Note that no ACK came in time; take back clusters, which may never warm."""
        if self.type_url == CLUSTER and self.held:
            self.refuse("not acknowledged in time")
        self.late = True

    @property
    def awaited_since(self) -> float | None:
        """Since when an ACK is awaited; None when none is, or when its deadline has passed."""
        return None if self.pending is None or self.late else self.since

    @property
    def holds_back(self) -> bool:
        """Whether something is left to send, be it removals alone."""
        return not self.synced

    @property
    def synced(self) -> bool:
        """True when the client has acknowledged all that it should have, or refused it."""
        return self._idle and not self.due(self.wanted(removals=True))

    @property
    def settled(self) -> bool:
        """True when nothing is under way, nothing is left to send but removals, and no cluster is refused.

        A refused world doesn't say which of its clusters is bad: no route may name any of them.
        """
        refused = self.type_url == CLUSTER and self.refusals()
        return self._idle and not refused and not self.due(self.wanted(removals=False))

    @property
    def _idle(self) -> bool:
        return self.pending is None and not self.repairing

    def _take_pending(self) -> World:
        assert self.pending is not None
        world, self.pending, self.late = self.pending, None, False
        return world


def content_version(world: World) -> str:
    """Return the version of a response: the hash of what is in it, the same at every replica."""
    digest = hashlib.blake2b(digest_size=8)
    for resource in world:
        digest.update(f"{resource.name}\0{resource.version}\0".encode())
    return digest.hexdigest()


class SotwSession:
    """The state of one state-of-the-world stream; the same interface as DeltaSession."""

    def __init__(self, snapshot: Snapshot | None, limits: SessionLimits | None = None) -> None:
        """With no snapshot the session notes what is asked for, and answers once there is one."""
        self._tracks: Tracks[SotwTypeState] = Tracks(snapshot, limits)

    @property
    def snapshot(self) -> Snapshot | None:
        """What the stream should have."""
        return self._tracks.snapshot

    @property
    def watches(self) -> Mapping[str, SotwTypeState]:
        """Type URL -> what the stream asked for, has and owes; to read only."""
        return self._tracks.by_type

    def on_request(self, request: SotwRequest, now: float) -> tuple[SotwResponse, ...]:
        """Take a request; raises TooManyNames."""
        if not self._tracks.hears(request.type_url, now):
            return ()
        self._tracks.check_request(request.names, request.variants)
        watch = self.watches.get(request.type_url)
        if watch is None:
            self._open(request)
        elif request.nonce != watch.nonce:
            return ()
        else:
            self._take_answer(watch, request)
            watch.take_names(request.names, request.variants)
        self._tracks.check_names()
        return self._flush(now)

    def on_snapshot(self, snapshot: Snapshot, now: float) -> tuple[SotwResponse, ...]:
        """Take what the stream should have from now on."""
        if not self._tracks.shows(snapshot):
            return ()
        for watch in self.watches.values():
            watch.update(snapshot.of(watch.type_url))
        return self._flush(now)

    def on_tick(self, now: float) -> tuple[SotwResponse, ...]:
        """Take the time: deal with ACKs that are overdue, and removals that were held back."""
        self._tracks.expire(now)
        return self._flush(now)

    def next_deadline(self) -> float | None:
        """Return when `on_tick` has something to do, if ever."""
        return min(self._tracks.deadlines(), default=None)

    def unsynced(self, snapshot: Snapshot) -> tuple[str, ...]:
        """Return the types of which the stream hasn't acknowledged all that `snapshot` has for it."""
        return self._tracks.unsynced(snapshot)

    def track(self, type_url: str) -> Track | None:
        """Return what is asked for of a type; None when nothing is, yet."""
        return self.watches.get(type_url)

    def refusals(self, snapshot: Snapshot) -> Mapping[TypeAndName, str]:
        """Return the reason of each that is refused of `snapshot`: of the same content as was refused."""
        return {
            (type_url, name): reason
            for type_url, watch in self.watches.items()
            for name, reason in watch.refusals(snapshot.of(type_url)).items()
        }

    def held(self, type_url: str) -> Mapping[str, str]:
        """Return name -> version of what the client has of a type, as far as is known."""
        watch = self.watches.get(type_url)
        return {} if watch is None else {name: each.version for name, each in watch.held.items()}

    def _take_answer(self, watch: SotwTypeState, request: SotwRequest) -> None:
        if watch.pending is None:
            return
        self._tracks.answered()
        if request.error is None:
            watch.acknowledge()
        else:
            watch.refuse(request.error, request.refused)

    def _open(self, request: SotwRequest) -> None:
        watch = SotwTypeState(type_url=request.type_url, version=request.version)
        watch.take_names(request.names, request.variants)
        if self.snapshot is not None:
            watch.update(self.snapshot.of(request.type_url))
        self._tracks.add(watch)
        warm = request.type_url != ENDPOINTS or not clusters_are_held_back(self.watches)
        watch.asked = not (warm and request.version)

    def _flush(self, now: float) -> tuple[SotwResponse, ...]:
        """Return every response that may go now, in the order in which they must."""
        return () if self.snapshot is None else tuple(self._responses(now))

    def _responses(self, now: float) -> Iterator[SotwResponse]:
        for watch in self._tracks.in_order:
            world = self._next(watch, now)
            if world is None:
                continue
            if watch.type_url == CLUSTER:
                self._warm(watch, world)
            watch.sent(world, self._tracks.next_nonce(), now)
            yield SotwResponse(
                type_url=watch.type_url, nonce=watch.nonce, version=content_version(world), resources=world
            )

    def _warm(self, clusters: SotwTypeState, world: World) -> None:
        """Have endpoints sent again when clusters are that the client has: its new ones wait for them."""
        endpoints = self.watches.get(ENDPOINTS)
        changed = any(
            each.version != held.version for each in world if (held := clusters.held.get(each.name))
        )
        if endpoints is not None and (changed or clusters.repairing):
            endpoints.asked = True

    def _next(self, watch: SotwTypeState, now: float) -> World | None:
        """Return what is to be sent now; None for nothing."""
        if watch.pending is not None:
            return None
        if watch.repairing:
            return _sorted(watch.held)
        world = watch.wanted(removals=self._tracks.may_remove(watch, now))
        due = watch.due(world) or (self._tracks.asks_back(watch, now) and watch.holds_back)
        return world if due and self._tracks.may_update(watch) else None


def _sorted(resources: Mapping[str, Resource]) -> World:
    return tuple(resources[name] for name in sorted(resources))
