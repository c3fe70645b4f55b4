"""Places where a test can make a store, of either kind, and look at what stands behind it."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from controlplane.store.contract import Change, Event, LogEntry, Store
from controlplane.store.open import open_store
from tests.store.redis_server import SECONDS, RedisServer

CLUSTER = "tests"

LONG = 600.0
"""Seconds of a lease or a wait that ends by something else than its time."""


def entry(number: int, author: str = "ann") -> LogEntry:
    return LogEntry(
        number=number,
        content_hash=f"{number:064x}",
        source_hash="5" * 64,
        author=author,
        message=f"generation {number}",
        source_revision="r1",
        published_at=1_700_000_000.25,
    )


def event(detail: str) -> Event:
    return Event(at=1_700_000_000.5, author="ann", action="publish", generation=3, detail=detail)


def step(expected: int, body: bytes = b"\0state\xff", **more: object) -> Change:
    return Change(expected=expected, body=body, **more)


@contextlib.contextmanager
def opened_redis(url: str, timeout: float = SECONDS) -> Iterator[Store]:
    from controlplane.store.redis import RedisStore  # noqa: PLC0415 - a racer on SQLite starts faster without

    with contextlib.closing(RedisStore(url, CLUSTER, timeout=timeout)) as store:
        yield store


class Place:
    """Where one store can be made; what was opened there is closed after the test."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.opened = contextlib.ExitStack()

    def open(self, cluster: str = CLUSTER) -> Store:
        return self.opened.enter_context(contextlib.closing(open_store(self.url, cluster)))


class SqlitePlace(Place):
    def __init__(self, path: Path) -> None:
        super().__init__(f"sqlite:{path}")
        self.path = path

    def run(self, statement: str, *values: object) -> list[tuple]:
        """Look at, or tamper with, the file beside the store."""
        with contextlib.closing(sqlite3.connect(self.path)) as db, db:
            db.execute("PRAGMA ignore_check_constraints=ON")
            return db.execute(statement, values).fetchall()

    def kept_events(self) -> int:
        return self.run("SELECT count(*) FROM events")[0][0]

    def set_blob(self, content_hash: str, blob: bytes) -> None:
        self.run("UPDATE blobs SET blob = ? WHERE hash = ?", blob, content_hash)

    def set_body(self, body: bytes) -> None:
        self.run("UPDATE head SET body = ?", body)

    def set_version(self, version: str) -> None:
        self.run("UPDATE head SET version = ?", version)

    def set_format(self, number: int) -> None:
        self.run(f"PRAGMA user_version={number}")


class RedisPlace(Place):
    def __init__(self, server: RedisServer, number: int) -> None:
        super().__init__(server.database(number))
        self.server = server
        self.number = number

    def key(self, name: str) -> str:
        return f"lightbulb:{{{CLUSTER}}}:{name}"

    def kept_events(self) -> int:
        return int(self.server.call("LLEN", self.key("events"), database=self.number)[1:])

    def set_blob(self, content_hash: str, blob: bytes) -> None:
        self.server.call("SET", self.key(f"blob:{content_hash}"), blob, database=self.number)

    def set_body(self, body: bytes) -> None:
        self.server.call("HSET", self.key("state"), "body", body, database=self.number)

    def set_version(self, version: str) -> None:
        self.server.call("HSET", self.key("state"), "version", version, database=self.number)

    def set_format(self, number: int) -> None:
        self.server.call("HSET", self.key("state"), "format", str(number), database=self.number)
