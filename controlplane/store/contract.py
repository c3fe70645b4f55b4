"""The store's contract: what control planes keep, and how they agree on it.

    blobs      content hash -> bytes of a generation; immutable
    log        number -> LogEntry; append-only
    head       the rollouts' state, under a version that rises by one with every change
    audit      who did what, and what the system did; append-only, the oldest are dropped
    requests   request id -> outcome, so that a call may be repeated
    lease      which replica leads the rollout, and its fencing token
    reports    replica -> what it knows of its consumers

Everything that decides is in `commit`: it takes a whole change, or nothing of it. What the head and the
reports mean is not known here: they are bytes. Implementations are used from several threads at once, and
block; an implementation that can't be reached raises Unreachable within seconds, and never waits for ever.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from lightbulb.model import DEFAULT_TENANT

MAX_BLOB_BYTES = 64 * 1024 * 1024
"""A larger generation is refused: TooLarge."""

MAX_EVENTS = 10_000
"""Events that the audit trail keeps at least; the oldest beyond that may be dropped."""

MAX_REQUESTS = 1_000
"""Request ids that are remembered at least; the oldest beyond that may be dropped."""

MAX_PAGE = 1_000
"""Entries or events that are returned at once."""


class StoreError(Exception):
    """The root of all that a store raises; the message says what to do."""


class Conflict(StoreError):
    """Somebody else changed the head first, or carried the request out: read again, and decide again."""


class Fenced(StoreError):
    """The lease is another replica's by now: stop leading."""


class NotFound(StoreError):
    """There is no such blob or entry."""


class Corrupt(StoreError):
    """What is kept isn't what was put there, or isn't a store of ours. Nothing of it is used."""


class WrongStore(StoreError):
    """A store of another cluster, of a newer format, or another than the one that was opened."""


class CommitsLost(StoreError):
    """A store that was taken back: somebody has seen commits that it doesn't have any more."""


class TooLarge(StoreError):
    """A blob of more than MAX_BLOB_BYTES."""


class Unreachable(StoreError):
    """The store doesn't answer, or can't be written (a full disk). Nothing has changed.

    Only where the answer was lost on its way from a server may the change have been taken, as a whole: the
    head's version tells, or the request's outcome.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """One published generation; `published_at` in Unix seconds by the store's clock.

    Without a `content_hash` it is a number that is taken and nothing else: its generation was lost.
    """

    number: int
    content_hash: str
    source_hash: str
    author: str
    message: str
    source_revision: str
    published_at: float
    tenant: str = DEFAULT_TENANT

    @property
    def is_lost(self) -> bool:
        """Whether this is a number alone."""
        return not self.content_hash


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A line of the audit trail; `generation` 0: it concerns none.

    `action` and `detail` are for people, `kind` and `cause` for programs; what these mean isn't known here.
    """

    at: float
    author: str
    action: str
    generation: int = 0
    detail: str = ""
    kind: str = ""
    cause: bytes = b""
    tenant: str = DEFAULT_TENANT


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The rollout's state. Version 0, with no body: nothing was ever published."""

    version: int
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A step of the rollout, taken as a whole or not at all.

    `expected` is the version that it was decided on. `token` is the lease's, for a step of the leader;
    None for an operator's, which needs no lease. A token is good until another is handed out, or the lease is
    released: past its end, while nobody took over, there is nobody to be fenced from. `entry`, if any, must
    be the log's next, of which the first is 1. A `request_id` that isn't empty is remembered with `outcome`;
    one that is known already is a Conflict, since the request was carried out.
    """

    expected: int
    body: bytes
    events: tuple[Event, ...] = ()
    token: int | None = None
    entry: LogEntry | None = None
    request_id: str = ""
    outcome: bytes = b""
    forget: str = ""
    """Hash of a blob that nothing needs any more, if there is one; it may be gone already."""
    version: int = 0
    """What the head's version is to be, above the expected one; 0: the next."""
    restored: tuple[LogEntry, ...] = ()
    """Lines that the log had lost, in order; they come before `entry`, and the first is the log's next."""

    @property
    def following(self) -> int:
        """The version of the head after it."""
        assert not self.version or self.version > self.expected
        return self.version or self.expected + 1

    @property
    def lines(self) -> tuple[LogEntry, ...]:
        """What is added to the log."""
        return self.restored if self.entry is None else (*self.restored, self.entry)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to lead the rollout, up to `expires` by the store's clock. A new holder has a higher token.

    So has a holder that comes back after its lease ended: what it began before counts no more.
    """

    holder: str
    token: int
    expires: float


class Store(Protocol):
    """A SQLite file, or Redis."""

    @property
    def identity(self) -> str:
        """What tells this store from every other; made when it was created."""

    @property
    def warning(self) -> str:
        """What is to be said of a store that can be read and written; empty: nothing."""

    def now(self) -> float:
        """Return Unix seconds, by the one clock that all replicas share."""

    def head(self) -> Head:
        """Return the rollout's state."""

    def commit(self, change: Change) -> Head:
        """Take a change, and return the new head. Raises Conflict, Fenced."""

    def put_blob(self, blob: bytes) -> str:
        """Keep bytes, durably, and return their hash (SHA-256, hex). Putting them again is a no-op.

        Raises TooLarge.
        """

    def blob(self, content_hash: str) -> bytes:
        """Return bytes that were put. Raises NotFound, and Corrupt when they don't have that hash."""

    def entry(self, number: int) -> LogEntry:
        """Return a line of the log. Raises NotFound."""

    def log(self, *, before: int | None = None, limit: int = MAX_PAGE) -> tuple[LogEntry, ...]:
        """Return lines of the log, the newest first; only those numbered below `before`."""

    def events(self, *, limit: int = MAX_PAGE) -> tuple[Event, ...]:
        """Return the audit trail, the newest first."""

    def outcome(self, request_id: str) -> bytes | None:
        """Return what a request came to; None for one that isn't known (any more)."""

    def lease(self, holder: str, seconds: float) -> Lease | None:
        """Take the lease, or renew it; None while another holds it. A renewal keeps the token."""

    def release(self, lease: Lease) -> None:
        """Give the lease up at once, so that another needn't wait for its end; a lost one is ignored."""

    def put_report(self, replica: str, report: bytes) -> None:
        """Replace what a replica knows of its consumers."""

    def drop_report(self, replica: str) -> None:
        """Forget a replica."""

    def reports(self) -> Mapping[str, bytes]:
        """Return replica -> report."""

    def wait(self, seen: str, seconds: float) -> str:
        """Return when the head or a report has changed, or the lease was released, since the mark `seen`.

        Or after `seconds`. Returns the new mark; "" as `seen` returns at once. Wakes within a tenth of a
        second or so.
        """

    def close(self) -> None:
        """Let go of it; a `wait` under way returns soon, or raises Unreachable."""
