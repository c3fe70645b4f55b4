"""State-of-the-world ADS as a state machine, for clients that ask for it.

The same order and gates as delta; a response carries all that the client asked for of a type. A type
is sent again only when its content is new, and a refused content never.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count

from controlplane.xds.messages import SotwRequest, SotwResponse
from controlplane.xds.session import GATED_BY, REMOVED_AFTER, SessionLimits, TooManyNames
from controlplane.xds.snapshot import NO_RESOURCES, Resources, Snapshot
from controlplane.xds.subscription import MAX_REASON, NEVER_EMPTIED, WILDCARD
from lightbulb.ads.values import CLUSTER, LISTENER, PUSH_ORDER, Resource


@dataclass(slots=True, kw_only=True)
class World:
    """One type of one stream: what it asked for, what it has, and what is under way."""

    type_url: str
    names: frozenset[str] = frozenset()
    wildcard: bool = False
    current: Resources = field(default_factory=lambda: NO_RESOURCES)
    held: Mapping[str, Resource] = field(default_factory=dict)
    version: str = ""
    nonce: str = ""
    pending: tuple[Resource, ...] | None = None
    since: float = 0.0
    rejected: str = ""
    reason: str = ""
    asked: bool = False
    """A request that must be answered even if the content is old: the names are new."""
    late: bool = False
    blocked_since: float | None = None

    def wanted(self, *, removals: bool) -> tuple[Resource, ...]:
        """Return what the next response holds; without `removals`, also what is to be removed later."""
        names = self.current.keys() if self.wildcard else self.names & self.current.keys()
        result = {name: self.current[name] for name in names}
        if not removals or (not result and self.type_url in NEVER_EMPTIED):
            result = {**{name: each for name, each in self.held.items() if name not in result}, **result}
        return tuple(result[name] for name in sorted(result))

    def due(self, resources: tuple[Resource, ...]) -> bool:
        """Say whether `resources` are news to the client."""
        version = content_version(resources)
        return version != self.rejected and (self.asked or version != self.version)

    @property
    def in_step(self) -> bool:
        """True when the client has acknowledged all that it should have, or refused it."""
        return self.pending is None and not self.due(self.wanted(removals=True))

    @property
    def settled(self) -> bool:
        """True when nothing is under way, and nothing is left to send but removals."""
        return self.pending is None and not self.due(self.wanted(removals=False))


def content_version(resources: tuple[Resource, ...]) -> str:
    """Return the version of a response: the hash of what is in it, the same at every replica."""
    digest = hashlib.blake2b(digest_size=8)
    for resource in resources:
        digest.update(f"{resource.name}\0{resource.version}\0".encode())
    return digest.hexdigest()


class SotwSession:
    """The state of one state-of-the-world stream; the same interface as DeltaSession."""

    def __init__(self, snapshot: Snapshot | None, limits: SessionLimits | None = None) -> None:
        """With no snapshot the session notes what is asked for, and answers once there is one."""
        self.snapshot = snapshot
        self._limits = limits or SessionLimits()
        self._nonces = count(1)
        self._worlds: dict[str, World] = {}

    @property
    def worlds(self) -> Mapping[str, World]:
        """Type URL -> what the stream asked for, has and owes; to read only."""
        return self._worlds

    def on_request(self, request: SotwRequest, now: float) -> tuple[SotwResponse, ...]:
        """Take a request; raises TooManyNames."""
        if request.type_url not in PUSH_ORDER:
            return ()
        world = self._worlds.get(request.type_url)
        if world is None:
            world = self._open(request)
        elif request.nonce != world.nonce:
            return ()
        else:
            _take_answer(world, request)
        names = frozenset(request.names) - {WILDCARD}
        if names - world.names:
            world.asked = True
        world.names = names
        if sum(len(each.names) for each in self._worlds.values()) > self._limits.names:
            raise TooManyNames(f"more than {self._limits.names} names on one stream")
        return self._flush(now)

    def on_snapshot(self, snapshot: Snapshot, now: float) -> tuple[SotwResponse, ...]:
        """Take what the stream should have from now on."""
        self.snapshot = snapshot
        for world in self._worlds.values():
            world.current = snapshot.of(world.type_url)
        return self._flush(now)

    def on_tick(self, now: float) -> tuple[SotwResponse, ...]:
        """Take the time: note ACKs that are overdue, and open gates that were shut for too long."""
        for world in self._worlds.values():
            if world.pending is not None and now >= world.since + self._limits.ack_seconds:
                world.late = True
        return self._flush(now)

    def next_deadline(self) -> float | None:
        """Return when `on_tick` has something to do, if ever."""
        waiting = [
            world.since + self._limits.ack_seconds
            for world in self._worlds.values()
            if world.pending is not None and not world.late
        ]
        blocked = [
            world.blocked_since + self._limits.gate_seconds
            for world in self._worlds.values()
            if world.blocked_since is not None and world.pending is None
        ]
        return min(waiting + blocked, default=None)

    def behind(self, snapshot: Snapshot) -> tuple[str, ...]:
        """Return the types of which the stream hasn't acknowledged all that `snapshot` has for it."""
        return tuple(
            type_url
            for type_url, world in self._worlds.items()
            if world.current is not snapshot.of(type_url) or not world.in_step
        )

    def _open(self, request: SotwRequest) -> World:
        world = World(type_url=request.type_url)
        world.wildcard = not request.names or WILDCARD in request.names
        if request.type_url not in {CLUSTER, LISTENER} and not request.names:
            world.wildcard = True
        world.asked = not request.version
        world.version = request.version
        if self.snapshot is not None:
            world.current = self.snapshot.of(request.type_url)
        self._worlds[request.type_url] = world
        return world

    def _flush(self, now: float) -> tuple[SotwResponse, ...]:
        if self.snapshot is None:
            return ()
        responses: list[SotwResponse] = []
        for type_url in PUSH_ORDER:
            world = self._worlds.get(type_url)
            if world is None or world.pending is not None or not self._gate_open(world, now):
                continue
            resources = world.wanted(removals=self._all_settled(REMOVED_AFTER.get(type_url, ())))
            if not world.due(resources):
                continue
            world.nonce = str(next(self._nonces))
            world.pending, world.since, world.asked = resources, now, False
            responses.append(
                SotwResponse(
                    type_url=type_url,
                    nonce=world.nonce,
                    version=content_version(resources),
                    resources=resources,
                )
            )
        return tuple(responses)

    def _gate_open(self, world: World, now: float) -> bool:
        if self._all_settled(GATED_BY.get(world.type_url, ())):
            world.blocked_since = None
            return True
        if world.blocked_since is None:
            world.blocked_since = now
        return now >= world.blocked_since + self._limits.gate_seconds

    def _all_settled(self, types: tuple[str, ...]) -> bool:
        return all(self._worlds[type_url].settled for type_url in types if type_url in self._worlds)


def _take_answer(world: World, request: SotwRequest) -> None:
    if world.pending is None:
        return
    resources, world.pending, world.late = world.pending, None, False
    if request.error is None:
        world.version = content_version(resources)
        world.held = {resource.name: resource for resource in resources}
        world.rejected = world.reason = ""
    else:
        world.rejected, world.reason = content_version(resources), request.error[:MAX_REASON]
