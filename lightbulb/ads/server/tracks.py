"""What delta and state-of-the-world sessions do alike with the types of a stream, its tracks. Pure.

Limits and deadlines, names, the order in which types go out, and what is not synced. What a track sends, and
what an answer to that means, is the session's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import chain, count
from typing import Generic, Protocol, TypeVar

from lightbulb.ads.server.diff import differs
from lightbulb.ads.server.order import REMOVED_AFTER, may_remove, may_update
from lightbulb.ads.server.order import Track as OrderedTrack
from lightbulb.ads.server.snapshot import Resources, Snapshot
from lightbulb.ads.values import PUSH_ORDER


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLimits:
    """What a stream may take: seconds to ACK, and to ask for all that it wants; bytes; names.

    `response_bytes` is how much of resources and names goes into one response; a larger one goes alone.
    A name may have `name_length` characters, and all that a stream asks for `names_length`. A host is
    asked again after `retry_seconds` to load what it refused: what it lacked may be there by now.
    """

    ack_seconds: float = 15.0
    asking_seconds: float = 10.0
    retry_seconds: float = 15.0
    response_bytes: int = 2 * 1024 * 1024
    names: int = 200_000
    name_length: int = 4096
    names_length: int = 32 * 1024 * 1024


class TooManyNames(Exception):
    """A stream subscribes to more names than it may, or to longer ones."""


class Track(OrderedTrack, Protocol):
    """One type of a stream, whichever form of ADS that speaks."""

    @property
    def type_url(self) -> str:
        """The type."""

    @property
    def names(self) -> AbstractSet[str]:
        """What the stream asks for by name."""

    @property
    def wildcard(self) -> bool:
        """Whether the stream asks for all that there is."""

    @property
    def names_length(self) -> int:
        """How many characters these have."""

    @property
    def current(self) -> Resources:
        """What the client should have, as far as the track was told."""

    @property
    def awaited_since(self) -> float | None:
        """Since when an ACK is awaited; None when none is, or when its deadline has passed."""

    @property
    def holds_back(self) -> bool:
        """Whether something is to be sent that may have to wait for what the stream hasn't asked for yet."""

    def expire(self) -> None:
        """Take that no ACK came in time."""

    def unacked(self, of: Resources) -> AbstractSet[str]:
        """Return the names whose ACK is missing before the client has `of`, but for what it refuses of it."""


def length_of(names: Iterable[str]) -> int:
    """Return how many characters names have together; quick, since a stream may have 100,000."""
    return sum(map(len, names))


L = TypeVar("L", bound=Track)


class Tracks(Generic[L]):
    """The tracks of one stream, by type URL."""

    def __init__(self, snapshot: Snapshot | None, limits: SessionLimits | None) -> None:
        """With no snapshot there is nothing to be said yet."""
        self.snapshot = snapshot
        self.limits = limits or SessionLimits()
        self.by_type: dict[str, L] = {}
        """Type URL -> track; to read only."""
        self.in_order: tuple[L, ...] = ()
        """The tracks in the order in which they are served; to read only."""
        self._nonces = count(1)
        self._asking_until: float | None = None
        self._had_time = False
        """The time to ask had passed when `expire` was called last: nobody has to be told of it again."""
        self._answered = False
        """The client answered something. What it asks for as it begins a stream it said before that."""

    def hears(self, type_url: str, now: float) -> bool:
        """Note that a request came; say whether it is for a type that there is."""
        if type_url not in PUSH_ORDER:
            return False
        if self._asking_until is None:
            self._asking_until = now + self.limits.asking_seconds
        return True

    def answered(self) -> None:
        """Note that the client answered a response of this stream."""
        self._answered = True

    def shows(self, snapshot: Snapshot) -> bool:
        """Take what the stream should have from now on; say whether more than its stamp may be new."""
        before, self.snapshot = self.snapshot, snapshot
        if before is None or before.by_type is not snapshot.by_type:
            return True
        return before.only_adds is not snapshot.only_adds

    def check_request(self, *named: Collection[str]) -> None:
        """Raise TooManyNames when a request alone names more than a stream may, before anything is kept."""
        self._check(sum(map(len, named)), sum(map(length_of, named)))
        longest = max(map(len, chain(*named)), default=0)
        if longest > self.limits.name_length:
            raise TooManyNames(f"a name of {longest} characters; {self.limits.name_length} are allowed")

    def check_names(self) -> None:
        """Raise TooManyNames when the stream asks for more of them than it may."""
        tracks = self.by_type.values()
        self._check(sum(len(track.names) for track in tracks), sum(track.names_length for track in tracks))

    def _check(self, names: int, characters: int) -> None:
        limits = self.limits
        if names > limits.names:
            raise TooManyNames(f"more than {limits.names} names on one stream")
        if characters > limits.names_length:
            raise TooManyNames(f"names of more than {limits.names_length} characters on one stream")

    def add(self, track: L) -> None:
        """Take a type that the stream asks for from now on."""
        self.by_type[track.type_url] = track
        self.in_order = tuple(self.by_type[each] for each in PUSH_ORDER if each in self.by_type)

    def next_nonce(self) -> str:
        """Return what the next response is to be answered with."""
        return str(next(self._nonces))

    def may_update(self, track: L) -> bool:
        """Say whether updates of the track's type may go now."""
        return may_update(self.by_type, track.type_url)

    def may_remove(self, track: L, now: float) -> bool:
        """Say whether resources of the track's type may be taken away now."""
        return may_remove(self.by_type, track.type_url, complete=self._answered and self._is_late(now))

    def asks_back(self, track: L, now: float) -> bool:
        """Say whether the client is to answer something, be there no news, before anything is taken away.

        It had the time to ask for what is missing. But what it asked may be on its way still: either end may
        have stood, or what is between them. What it said before it answered has come before that.
        """
        if self._answered or not self._is_late(now):
            return False
        return any(other not in self.by_type for other in REMOVED_AFTER.get(track.type_url, ()))

    def _is_late(self, now: float) -> bool:
        return self._asking_until is not None and now >= self._asking_until

    def expire(self, now: float) -> None:
        """Tell the tracks whose ACK is overdue."""
        self._had_time = self._is_late(now)
        for track in self.by_type.values():
            since = track.awaited_since
            if since is not None and now >= since + self.limits.ack_seconds:
                track.expire()

    def deadlines(self) -> Iterator[float]:
        """Yield when ACKs are overdue, and when removals that are held back may go, or be asked about."""
        asking_until = None if self._had_time else self._asking_until
        for track in self.by_type.values():
            if track.awaited_since is not None:
                yield track.awaited_since + self.limits.ack_seconds
            if asking_until is not None and track.type_url in REMOVED_AFTER and track.holds_back:
                yield asking_until

    def unsynced(self, snapshot: Snapshot) -> tuple[str, ...]:
        """Return the types of which the stream hasn't acknowledged all that `snapshot` has for it."""
        return tuple(
            type_url
            for type_url, track in self.by_type.items()
            if not track.synced or differs(track.current, snapshot.of(type_url))
        )
