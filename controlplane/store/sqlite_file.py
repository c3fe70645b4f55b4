"""A SQLite file that holds a store: made whole, checked when opened, its errors told in the store's words.

It never looks at what the tables mean; `sqlite` does.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from controlplane.store.contract import Corrupt, StoreError, Unreachable, WrongStore
from controlplane.store.refusals import FORMAT, newer_format, other_cluster

APPLICATION_ID = 0x4C425342
"""In the file's header: tells our files from other programs'."""

_MAGIC = b"SQLite format 3\0"
_HEADER_BYTES = 100

_SCHEMA = """
CREATE TABLE store (cluster TEXT NOT NULL, identity TEXT NOT NULL, mark INTEGER NOT NULL,
  CHECK (typeof(cluster) = 'text' AND typeof(identity) = 'text' AND typeof(mark) = 'integer'));
CREATE TABLE head (version INTEGER NOT NULL, body BLOB NOT NULL,
  CHECK (typeof(version) = 'integer' AND typeof(body) = 'blob'));
CREATE TABLE lease (holder TEXT NOT NULL, token INTEGER NOT NULL, expires REAL NOT NULL,
  CHECK (typeof(holder) = 'text' AND typeof(token) = 'integer' AND typeof(expires) = 'real'));
CREATE TABLE blobs (hash TEXT PRIMARY KEY, blob BLOB NOT NULL,
  CHECK (typeof(hash) = 'text' AND typeof(blob) = 'blob'));
CREATE TABLE log (number INTEGER PRIMARY KEY, entry BLOB NOT NULL, CHECK (typeof(entry) = 'blob'));
CREATE TABLE events (id INTEGER PRIMARY KEY, event BLOB NOT NULL, CHECK (typeof(event) = 'blob'));
CREATE TABLE requests (id INTEGER PRIMARY KEY, request TEXT NOT NULL UNIQUE, outcome BLOB NOT NULL,
  CHECK (typeof(request) = 'text' AND typeof(outcome) = 'blob'));
CREATE TABLE reports (replica TEXT PRIMARY KEY, report BLOB NOT NULL,
  CHECK (typeof(replica) = 'text' AND typeof(report) = 'blob'));
"""
"""`store`, `head` and `lease` have one row each. `mark` counts what wakes a `wait`; `holder` '' is nobody.

Types are checked, since SQLite only prefers them; the check of integrity includes these.
"""

_CORRUPT = ("CORRUPT", "NOTADB", "ERROR", "CONSTRAINT", "MISMATCH", "FORMAT")
"""SQLite's names for a file that isn't what we wrote; our statements are fixed: an ERROR is the tables'."""

_REMEDIES = {
    "FULL": "make room on its disk",
    "READONLY": "let this user write to it and to its folder",
    "PERM": "let this user write to it and to its folder",
    "CANTOPEN": "see that its folder exists and that this user may write there",
    "BUSY": "see which other process holds it",
    "LOCKED": "see which other process holds it",
    "IOERR": "see that its disk works and has room",
}


class SqliteFile:
    """An open file: one connection to read, one to write, each for a thread at a time."""

    def __init__(self, path: Path, cluster: str, patience: float) -> None:
        """Open the file, or make it; wait `patience` seconds at most for a lock.

        Raises Corrupt, WrongStore and Unreachable.
        """
        self.path = path
        with translated(path), contextlib.ExitStack() as opened:
            if not path.exists():
                _create(path, cluster)
            _check_header(path)
            self._inode = _inode(path)
            self._reader = _Connection(path, patience)
            opened.callback(self._reader.close)
            self._writer = _Connection(path, patience)
            opened.callback(self._writer.close)
            with self._reader.taken() as db:
                _check(db, path, cluster)
            opened.pop_all()

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Give the connection that reads; each statement sees one state of the store."""
        with translated(self.path), self._reader.taken() as db:
            self._check_same()
            yield db

    @contextlib.contextmanager
    def writing(self, *, durable: bool = True) -> Iterator[sqlite3.Connection]:
        """Give the connection that writes, in a transaction: on an error nothing of it stays.

        What isn't `durable` outlives this process, but perhaps not the machine's power; it costs no fsync.
        """
        with translated(self.path), self._writer.taken() as db:
            self._check_same()
            db.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            finally:
                if db.in_transaction:
                    db.execute("ROLLBACK")

    def close(self) -> None:
        """Close both connections, each when the statement under way has ended."""
        with translated(self.path):
            self._reader.close()
            self._writer.close()

    def _check_same(self) -> None:
        """Refuse to go on with a file that was removed or replaced: what is written to it is lost."""
        if _inode(self.path) != self._inode:
            raise WrongStore(f"{self.path} isn't the file that was opened any more; start this process again")


class _Connection:
    """A connection that threads take in turns."""

    def __init__(self, path: Path, patience: float) -> None:
        self._path = path
        self._patience = patience
        self._lock = threading.Lock()
        self._db = sqlite3.connect(
            f"file:{quote(os.fsencode(path))}?mode=rw",  # never makes a file: an empty one isn't a store
            uri=True,
            timeout=patience,
            isolation_level=None,
            check_same_thread=False,
        )
        self._db.execute("PRAGMA journal_size_limit=16777216")

    @contextlib.contextmanager
    def taken(self) -> Iterator[sqlite3.Connection]:
        if not self._lock.acquire(timeout=self._patience):
            raise Unreachable(f"{self._path} is kept busy by other threads; see that its disk works")
        try:
            yield self._db
        finally:
            self._lock.release()

    def close(self) -> None:
        with self.taken() as db:
            db.close()


@contextlib.contextmanager
def translated(path: Path) -> Iterator[None]:
    """Raise what SQLite and the file system raise as Corrupt or Unreachable, with a remedy."""
    try:
        yield
    except sqlite3.Error as error:
        raise _in_our_words(error, path) from error
    except OSError as error:
        raise Unreachable(f"{path} can't be used ({error}); see that it exists and may be written") from error


def _in_our_words(error: sqlite3.Error, path: Path) -> StoreError:
    name = getattr(error, "sqlite_errorname", "").removeprefix("SQLITE_")
    undecodable = not name and isinstance(error, sqlite3.OperationalError)  # a text that isn't UTF-8
    if undecodable or name.startswith(_CORRUPT):
        return Corrupt(f"{path} is damaged, or isn't a store ({error}); restore a backup of it")
    remedy = next((each for code, each in _REMEDIES.items() if name.startswith(code)), "open it again")
    return Unreachable(f"{path} can't be used now ({error}); {remedy}")


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _inode(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


def _create(path: Path, cluster: str) -> None:
    """Make a file whole beside its place, and put it there unless somebody else did so first."""
    new = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with contextlib.closing(sqlite3.connect(new, isolation_level=None)) as db:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=FULL")
            db.execute("BEGIN")
            db.execute(f"PRAGMA application_id={APPLICATION_ID}")
            db.execute(f"PRAGMA user_version={FORMAT}")
            for statement in _SCHEMA.split(";"):
                db.execute(statement)
            db.execute("INSERT INTO store VALUES (?, ?, 0)", (cluster, uuid.uuid4().hex))
            db.execute("INSERT INTO head VALUES (0, x'')")
            db.execute("INSERT INTO lease VALUES ('', 0, 0)")
            db.execute("COMMIT")
        with contextlib.suppress(FileExistsError):
            os.link(new, path)
    finally:
        for each in (new, _beside(new, "-wal"), _beside(new, "-shm")):
            each.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # or the file's name may be gone after a power cut
    finally:
        os.close(folder)


def _check_header(path: Path) -> None:
    """Look at the first bytes ourselves.

    SQLite takes an empty file for a new one, and drops its log; and it fills a last page that is cut short
    with zeros. Where there is a log, it may hold what the file lacks.
    """
    log = _beside(path, "-wal")
    has_log = log.exists() and log.stat().st_size > 0
    with path.open("rb") as file:
        header = file.read(_HEADER_BYTES)
        size = os.fstat(file.fileno()).st_size
    if len(header) < _HEADER_BYTES or not header.startswith(_MAGIC):
        raise Corrupt(f"{path} isn't a SQLite file, or was cut short; restore a backup of it")
    page = int.from_bytes(header[16:18], "big")
    whole = int.from_bytes(header[28:32], "big") * (page if page > 1 else 65536)
    if size < whole and not has_log:
        raise Corrupt(f"{path} was cut short, to {size} of {whole} bytes; restore a backup of it")


def _check(db: sqlite3.Connection, path: Path, cluster: str) -> None:
    """Refuse another program's file, another format, damage, and another cluster's store, in this order."""
    if _value(db, "PRAGMA application_id") != APPLICATION_ID:
        raise Corrupt(f"{path} is another program's database; name another path")
    written_by = int(_value(db, "PRAGMA user_version"))
    if written_by > FORMAT:
        raise newer_format(str(path), str(written_by))
    with contextlib.closing(sqlite3.connect(":memory:")) as model:
        model.executescript(_SCHEMA)
        expected = _tables(model)
    if written_by != FORMAT or _tables(db) != expected:
        raise Corrupt(f"{path} has other tables than a store of format {FORMAT}; restore a backup of it")
    found = _value(db, "PRAGMA integrity_check(1)")  # not the quick one: it trusts an index that lacks a row
    if found != "ok":
        raise Corrupt(f"{path} is damaged ({found.splitlines()[-1]}); restore a backup of it")
    theirs = _value(db, "SELECT cluster FROM store")
    if theirs != cluster:
        raise other_cluster(str(path), theirs, cluster)


def _tables(db: sqlite3.Connection) -> list[tuple[str, str]]:
    return db.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()


def _value(db: sqlite3.Connection, statement: str) -> Any:
    (value,) = db.execute(statement).fetchone() or ("",)
    return value
