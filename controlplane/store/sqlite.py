"""The store in a SQLite file: the embedded default, for one machine.

A commit is durable when it returns: write-ahead log, fsync. Threads and processes may share the file; it
must lie on a local disk, since SQLite's locks and shared memory don't work over a network.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from controlplane.store.codec import (
    entry_from_bytes,
    entry_to_bytes,
    event_from_bytes,
    event_to_bytes,
    hash_to_put,
    seal,
    unseal,
    verified,
)
from controlplane.store.contract import (
    MAX_EVENTS,
    MAX_PAGE,
    MAX_REQUESTS,
    Change,
    Corrupt,
    Event,
    Head,
    Lease,
    LogEntry,
    NotFound,
)
from controlplane.store.refusals import check_cluster, conflict, fenced, not_next, repeated
from controlplane.store.sqlite_file import SqliteFile

PATIENCE_SECONDS = 5.0
"""How long a lock of another process, or thread, is waited for."""

_POLL_SECONDS = 0.05
"""How often a `wait` looks for what other processes changed."""


class SqliteStore:
    """A Store in one file; see the contract."""

    def __init__(
        self,
        path: str | Path,
        cluster: str,
        *,
        clock: Callable[[], float] = time.time,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        """Open the file, or make it; `clock` gives Unix seconds.

        Raises Corrupt, WrongStore, Unreachable; and ValueError for a cluster's name that can't be one.
        """
        check_cluster(cluster)
        self._clock = clock
        self._changed = threading.Condition()
        self._file = SqliteFile(Path(path).absolute(), cluster, patience)
        with self._file.reading() as db:
            self._identity: str = self._row(db, "SELECT identity FROM store")[0]

    @property
    def identity(self) -> str:
        """What tells this store from every other."""
        return self._identity

    @property
    def warning(self) -> str:
        """A commit is durable when it returns: there is nothing to be said."""
        return ""

    def now(self) -> float:
        """Return Unix seconds by the machine's clock."""
        return self._clock()

    def head(self) -> Head:
        """Return the rollout's state."""
        with self._file.reading() as db:
            version, body = self._row(db, "SELECT version, body FROM head")
        if version == 0 and not body:
            return Head(version=0, body=b"")
        return Head(version=version, body=unseal(body, "the rollout's state", str(version)))

    def commit(self, change: Change) -> Head:
        """Take a change, and return the new head. Raises Conflict, Fenced."""
        with self._file.writing() as db:
            self._check(db, change)
            version = change.following
            db.execute("UPDATE head SET version = ?, body = ?", (version, seal(change.body, str(version))))
            lines = [(entry.number, entry_to_bytes(entry)) for entry in change.lines]
            db.executemany("INSERT INTO log VALUES (?, ?)", lines)
            if change.events:
                rows = [(event_to_bytes(event),) for event in change.events]
                db.executemany("INSERT INTO events (event) VALUES (?)", rows)
                _trim(db, "events", MAX_EVENTS)
            if change.request_id:
                request = (change.request_id, seal(change.outcome, change.request_id))
                db.execute("INSERT INTO requests (request, outcome) VALUES (?, ?)", request)
                _trim(db, "requests", MAX_REQUESTS)
            if change.forget:
                db.execute("DELETE FROM blobs WHERE hash = ?", (change.forget,))
            _touch(db)
        self._wake()
        return Head(version=version, body=change.body)

    def put_blob(self, blob: bytes) -> str:
        """Keep bytes, durably, and return their hash. Raises TooLarge."""
        content_hash = hash_to_put(blob)
        with self._file.writing() as db:
            kept = db.execute("SELECT blob FROM blobs WHERE hash = ?", (content_hash,)).fetchone()
            if kept != (blob,):  # a damaged one is mended
                db.execute("INSERT OR REPLACE INTO blobs VALUES (?, ?)", (content_hash, blob))
        return content_hash

    def blob(self, content_hash: str) -> bytes:
        """Return bytes that were put. Raises NotFound, Corrupt."""
        with self._file.reading() as db:
            row = db.execute("SELECT blob FROM blobs WHERE hash = ?", (content_hash,)).fetchone()
        if row is None:
            raise NotFound(f"no generation is kept as {content_hash}")
        return verified(row[0], content_hash)

    def entry(self, number: int) -> LogEntry:
        """Return a line of the log. Raises NotFound."""
        with self._file.reading() as db:
            row = db.execute("SELECT entry FROM log WHERE number = ?", (number,)).fetchone()
        if row is None:
            raise NotFound(f"the log has no generation {number}")
        return entry_from_bytes(row[0], number)

    def log(self, *, before: int | None = None, limit: int = MAX_PAGE) -> tuple[LogEntry, ...]:
        """Return lines of the log, the newest first; only those numbered below `before`."""
        statement = "SELECT number, entry FROM log WHERE ? IS NULL OR number < ? ORDER BY number DESC LIMIT ?"
        with self._file.reading() as db:
            rows = db.execute(statement, (before, before, _page(limit))).fetchall()
        return tuple(entry_from_bytes(entry, number) for number, entry in rows)

    def events(self, *, limit: int = MAX_PAGE) -> tuple[Event, ...]:
        """Return the audit trail, the newest first."""
        with self._file.reading() as db:
            rows = db.execute("SELECT event FROM events ORDER BY id DESC LIMIT ?", (_page(limit),)).fetchall()
        return tuple(event_from_bytes(event) for (event,) in rows)

    def outcome(self, request_id: str) -> bytes | None:
        """Return what a request came to; None for one that isn't known."""
        with self._file.reading() as db:
            row = db.execute("SELECT outcome FROM requests WHERE request = ?", (request_id,)).fetchone()
        return None if row is None else unseal(row[0], f"the outcome of {request_id!r}", request_id)

    def lease(self, holder: str, seconds: float) -> Lease | None:
        """Take the lease, or renew it; None while another holds it."""
        with self._file.writing() as db:
            owner, token, expires = self._row(db, "SELECT holder, token, expires FROM lease")
            now = self._clock()
            running = owner != "" and expires > now
            if running and owner != holder:
                return None
            lease = Lease(holder=holder, token=token if running else token + 1, expires=now + seconds)
            row = (lease.holder, lease.token, lease.expires)
            db.execute("UPDATE lease SET holder = ?, token = ?, expires = ?", row)
        return lease

    def release(self, lease: Lease) -> None:
        """Give the lease up at once; a lost one is ignored."""
        with self._file.writing() as db:
            released = "UPDATE lease SET holder = '', expires = 0 WHERE token = ? AND holder != ''"
            if db.execute(released, (lease.token,)).rowcount:
                _touch(db)  # who waits for the lease needn't wait for its end
        self._wake()

    def put_report(self, replica: str, report: bytes) -> None:
        """Replace what a replica knows of its consumers."""
        with self._file.writing(durable=False) as db:  # it is told again soon
            db.execute("INSERT OR REPLACE INTO reports VALUES (?, ?)", (replica, seal(report, replica)))
            _touch(db)
        self._wake()

    def drop_report(self, replica: str) -> None:
        """Forget a replica."""
        with self._file.writing(durable=False) as db:
            if db.execute("DELETE FROM reports WHERE replica = ?", (replica,)).rowcount:
                _touch(db)
        self._wake()

    def reports(self) -> Mapping[str, bytes]:
        """Return replica -> report."""
        with self._file.reading() as db:
            rows = db.execute("SELECT replica, report FROM reports ORDER BY replica").fetchall()
        return {replica: unseal(report, f"the report of {replica!r}", replica) for replica, report in rows}

    def wait(self, seen: str, seconds: float) -> str:
        """Return the new mark when something changed since the mark `seen`, or after `seconds`."""
        until = time.monotonic() + seconds
        with self._changed:  # held between the look and the wait, so that no change of ours is missed
            while True:
                with self._file.reading() as db:
                    mark = str(self._row(db, "SELECT mark FROM store")[0])
                left = until - time.monotonic()
                if mark != seen or left <= 0:
                    return mark
                self._changed.wait(min(left, _POLL_SECONDS))

    def close(self) -> None:
        """Let go of the file; a `wait` under way raises Unreachable."""
        self._file.close()
        self._wake()

    def _check(self, db: sqlite3.Connection, change: Change) -> None:
        """Raise Fenced or Conflict, should the change not be one that may be taken now."""
        holder, token = self._row(db, "SELECT holder, token FROM lease")
        if change.token is not None and (not holder or change.token != token):
            raise fenced(change.token, token, holder)
        (version,) = self._row(db, "SELECT version FROM head")
        if version != change.expected:
            raise conflict(change.expected, version)
        (following,) = self._row(db, "SELECT coalesce(max(number), 0) + 1 FROM log")
        for number, entry in enumerate(change.lines, following):
            if entry.number != number:
                raise not_next(entry.number, number)
        known = db.execute("SELECT 1 FROM requests WHERE request = ?", (change.request_id,)).fetchone()
        if change.request_id and known:
            raise repeated(change.request_id)

    def _row(self, db: sqlite3.Connection, statement: str) -> tuple[Any, ...]:
        row: tuple[Any, ...] | None = db.execute(statement).fetchone()
        if row is None:
            raise Corrupt(f"{self._file.path} lacks a row that every store has; restore a backup of it")
        return row

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()


def _page(limit: int) -> int:
    return max(0, min(limit, MAX_PAGE))


def _touch(db: sqlite3.Connection) -> None:
    db.execute("UPDATE store SET mark = mark + 1")


def _trim(db: sqlite3.Connection, table: str, kept: int) -> None:
    """Drop the oldest rows of `events` or `requests`; their ids rise without gaps."""
    db.execute(f"DELETE FROM {table} WHERE id <= (SELECT max(id) FROM {table}) - ?", (kept,))  # noqa: S608
