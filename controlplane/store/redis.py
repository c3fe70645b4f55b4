"""The store in a Redis, for several control planes.

Every change is one script, so it happens as a whole or not at all; time is the Redis server's. How durable a
commit is, is Redis' affair: `appendfsync always` loses nothing that was acknowledged. A Redis database holds
one cluster's store: a second one there would be a cluster's name or a URL mixed up.
"""

from __future__ import annotations

import contextlib
import logging
import time
import uuid
from collections.abc import Mapping
from typing import Any

from controlplane.store import redis_scripts as scripts
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
    StoreError,
    WrongStore,
)
from controlplane.store.redis_link import RedisLink
from controlplane.store.refusals import (
    FORMAT,
    check_cluster,
    conflict,
    fenced,
    newer_format,
    not_next,
    other_cluster,
    repeated,
)

log = logging.getLogger(__name__)

TIMEOUT_SECONDS = 3.0
"""For connecting, and for each answer."""

CLAIM = "lightbulb:cluster"
"""The key, without a prefix, that says whose store a database is."""

_SLICE_SECONDS = 0.5
"""A `wait` asks again after that, so that it notices a close, and a server that is gone."""


class RedisStore:
    """A Store in one Redis database; see the contract."""

    def __init__(
        self, url: str, cluster: str, *, timeout: float = TIMEOUT_SECONDS, replicas: int = 0
    ) -> None:
        """Open the store at `url`, or make it; a commit waits a moment for `replicas` to have it.

        Raises Corrupt, WrongStore, Unreachable; and ValueError for a URL or a cluster's name that can't be
        one. The password in the URL is never shown.
        """
        check_cluster(cluster)
        self._link = RedisLink(url, timeout)
        self._replicas = replicas
        self.warning = ""
        self._prefix = f"lightbulb:{{{cluster}}}:"  # in braces: all keys in one slot
        self._keys = [self._prefix + name for name in scripts.KEYS]
        self._state, _, self._log, self._events, self._requests, _, self._reports, self._changes = self._keys
        with contextlib.ExitStack() as opened:
            opened.callback(self._link.close)
            self._identity = self._open(cluster)
            self._warn()
            opened.pop_all()

    @property
    def identity(self) -> str:
        """What tells this store from every other."""
        return self._identity

    def now(self) -> float:
        """Return Unix seconds by the Redis server's clock."""
        seconds, microseconds = self._link.read("TIME")
        return float(seconds) + float(microseconds) / 1_000_000

    def head(self) -> Head:
        """Return the rollout's state."""
        identity, version, body = self._link.read("HMGET", self._state, "identity", "version", "body")
        if identity != self._identity.encode():
            raise self._replaced()
        if version is None or body is None:
            raise self._damaged(self._state)
        if (version, body) == (b"0", b""):
            return Head(version=0, body=b"")
        unsealed = unseal(body, "the rollout's state", version.decode(errors="replace"))
        return Head(version=int(version), body=unsealed)

    def commit(self, change: Change) -> Head:
        """Take a change, and return the new head. Raises Conflict, Fenced."""
        lines, request, version = change.lines, change.request_id, change.following
        for number, entry in enumerate(lines, lines[0].number if lines else 0):
            if entry.number != number:
                raise not_next(entry.number, number)
        answer = self._commit(
            str(change.expected),
            str(version),
            seal(change.body, str(version)),
            "" if change.token is None else str(change.token),
            str(lines[0].number) if lines else "",
            len(lines),
            request,
            seal(change.outcome, request) if request else b"",
            MAX_EVENTS,
            MAX_REQUESTS,
            self._blob(change.forget) if change.forget else "",
            *map(entry_to_bytes, lines),
            *map(event_to_bytes, change.events),
        )
        match answer:
            case [b"ok"]:
                return Head(version=version, body=change.body)
            case [b"fenced", current, holder]:
                raise fenced(change.token or 0, int(current), holder.decode())
            case [b"conflict", found]:
                raise conflict(change.expected, int(found))
            case [b"next", following]:
                raise not_next(lines[0].number, int(following))
            case [b"repeated"]:
                raise repeated(request)
        raise AssertionError(answer)

    def _commit(self, *arguments: str | bytes | float) -> Any:
        """Run the script of a commit; say so when too few replicas have it, since then it may get lost."""
        if not self._replicas:
            return self._run(scripts.COMMIT, *arguments)
        found, have = self._link.run_and_wait(
            scripts.COMMIT, self._keys, (self._identity, *arguments), self._replicas
        )
        before, self.warning = self.warning, ""
        if have < self._replicas and found == [b"ok"]:
            self.warning = (
                f"{have} of {self._replicas} replicas of {self._link.place} had the newest commit in time: "
                "it is taken, and a failover now may lose it; see that they run, and follow their primary"
            )
            if self.warning != before:
                log.warning("%s", self.warning)
        return self._checked(found)

    def put_blob(self, blob: bytes) -> str:
        """Keep bytes, and return their hash. Raises TooLarge."""
        content_hash = hash_to_put(blob)
        self._link.read("SET", self._blob(content_hash), blob)  # may be repeated: the bytes are the same
        return content_hash

    def blob(self, content_hash: str) -> bytes:
        """Return bytes that were put. Raises NotFound, Corrupt."""
        blob = self._link.read("GET", self._blob(content_hash))
        if blob is None:
            raise NotFound(f"no generation is kept as {content_hash}")
        return verified(blob, content_hash)

    def entry(self, number: int) -> LogEntry:
        """Return a line of the log. Raises NotFound."""
        entry = self._link.read("HGET", self._log, number)
        if entry is None:
            raise NotFound(f"the log has no generation {number}")
        return entry_from_bytes(entry, number)

    def log(self, *, before: int | None = None, limit: int = MAX_PAGE) -> tuple[LogEntry, ...]:
        """Return lines of the log, the newest first; only those numbered below `before`."""
        newest = int(self._link.read("HLEN", self._log))
        first = newest if before is None else min(newest, before - 1)
        numbers = range(first, max(0, first - min(limit, MAX_PAGE)), -1)
        entries = self._link.read("HMGET", self._log, *numbers) if numbers else []
        if None in entries:
            raise self._damaged(self._log)
        return tuple(map(entry_from_bytes, entries, numbers))

    def events(self, *, limit: int = MAX_PAGE) -> tuple[Event, ...]:
        """Return the audit trail, the newest first."""
        if limit <= 0:
            return ()
        events = self._link.read("LRANGE", self._events, 0, min(limit, MAX_PAGE) - 1)
        return tuple(map(event_from_bytes, events))

    def outcome(self, request_id: str) -> bytes | None:
        """Return what a request came to; None for one that isn't known."""
        outcome = self._link.read("HGET", self._requests, request_id)
        return None if outcome is None else unseal(outcome, f"the outcome of {request_id!r}", request_id)

    def lease(self, holder: str, seconds: float) -> Lease | None:
        """Take the lease, or renew it; None while another holds it."""
        match self._run(scripts.LEASE, holder, seconds):
            case [b"ok", token, expires]:
                return Lease(holder=holder, token=int(token), expires=float(expires))
        return None

    def release(self, lease: Lease) -> None:
        """Give the lease up at once; a lost one is ignored."""
        self._run(scripts.RELEASE, str(lease.token))

    def put_report(self, replica: str, report: bytes) -> None:
        """Replace what a replica knows of its consumers."""
        self._run(scripts.PUT_REPORT, replica, seal(report, replica))

    def drop_report(self, replica: str) -> None:
        """Forget a replica."""
        self._run(scripts.DROP_REPORT, replica)

    def reports(self) -> Mapping[str, bytes]:
        """Return replica -> report."""
        found = {name.decode(): report for name, report in self._link.read("HGETALL", self._reports).items()}
        return {name: unseal(found[name], f"the report of {name!r}", name) for name in sorted(found)}

    def wait(self, seen: str, seconds: float) -> str:
        """Return the new mark when something changed since the mark `seen`, or after `seconds`."""
        until = time.monotonic() + seconds
        while True:
            newest = self._link.read("XREVRANGE", self._changes, "+", "-", "COUNT", 1)
            mark: str = newest[0][0].decode() if newest else "0-0"
            left = min(until - time.monotonic(), _SLICE_SECONDS, self._link.timeout / 2)
            if mark != seen or left <= 0:
                return mark
            milliseconds = max(1, int(left * 1000))  # none would block for ever
            self._link.read("XREAD", "COUNT", 1, "BLOCK", milliseconds, "STREAMS", self._changes, seen)

    def close(self) -> None:
        """Let go of it; a `wait` under way soon raises Unreachable."""
        self._link.close()

    def _open(self, cluster: str) -> str:
        """Return the identity of the store that is there, or is made now; raise when it isn't ours."""
        claim = self._link.read("GET", CLAIM)
        if claim is None:  # nothing is written to a store that is there: it may be full, and still be read
            self._link.read("SET", CLAIM, cluster, "NX")
            claim = self._link.read("GET", CLAIM) or b""
        owner = claim.decode(errors="replace")
        if owner != cluster:
            raise other_cluster(self._link.place, owner, cluster)
        made = (uuid.uuid4().hex, str(FORMAT), cluster)
        _, *found = self._answer(scripts.OPEN, *made)
        identity, written_by, named = (value.decode(errors="replace") for value in found)
        if not written_by.isdecimal() or int(written_by) < FORMAT:
            raise self._damaged(self._state)
        if int(written_by) > FORMAT:
            raise newer_format(self._link.place, written_by)
        if named != cluster:
            raise other_cluster(self._link.place, named, cluster)
        return str(identity)

    def _warn(self) -> None:
        """Say so when this Redis forgets; where that may not be asked, its operator has to know."""
        with contextlib.suppress(StoreError):
            found = self._link.read("INFO")
            if str(found.get("maxmemory_policy", "")).startswith("allkeys"):
                log.warning(
                    "%s drops keys when it is full; set its maxmemory-policy to noeviction", self._link.place
                )
            if not found.get("aof_enabled") and not self._link.read("CONFIG GET", "save").get("save"):
                log.warning("%s forgets all when it stops; set its appendonly to yes", self._link.place)

    def _run(self, script: str, *arguments: str | bytes | float) -> Any:
        """Run a script on this store, which must be the one that was opened."""
        return self._answer(script, self._identity, *arguments)

    def _answer(self, script: str, *arguments: str | bytes | float) -> Any:
        return self._checked(self._link.run(script, self._keys, arguments))

    def _checked(self, found: Any) -> Any:
        match found:
            case [b"replaced"]:
                raise self._replaced()
            case [b"corrupt", key]:
                raise self._damaged(key.decode())
            case answer:
                return answer

    def _blob(self, content_hash: str) -> str:
        return f"{self._prefix}blob:{content_hash}"

    def _replaced(self) -> WrongStore:
        return WrongStore(
            f"{self._link.place} doesn't hold the store {self._identity} any more: it was emptied or "
            "replaced; restore a backup of it, or start this process again with what is there now"
        )

    def _damaged(self, key: str) -> Corrupt:
        return Corrupt(f"{self._link.place} has other data in {key} than a store has; restore a backup of it")
