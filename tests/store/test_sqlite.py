"""A SQLite file under everything that can happen to a file."""

import contextlib
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from controlplane.store.contract import Corrupt, Head, StoreError, Unreachable, WrongStore
from controlplane.store.sqlite import SqliteStore
from tests.store.places import CLUSTER, SqlitePlace, entry, event, step
from tests.store.racer import race
from tests.store.redis_server import SECONDS

ROOT = Path(__file__).parents[2]
NOBODY = 65534


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@contextlib.contextmanager
def opened(path: Path, **options: object) -> Iterator[SqliteStore]:
    with contextlib.closing(SqliteStore(path, CLUSTER, **options)) as store:
        yield store


@pytest.fixture
def written(path: Path) -> Path:
    """A store with 30 generations, closed."""
    with opened(path) as store:
        list(race(store, 30, "ann"))
    return path


def test_the_clock_is_given(path: Path) -> None:
    now = 1000.0
    with opened(path, clock=lambda: now) as store:
        lease = store.lease("a", 5)
        assert lease is not None
        assert (store.now(), lease.expires) == (1000.0, 1005.0)
        now = 1004.9
        assert store.lease("b", 5) is None
        now = 1005.0
        assert store.lease("b", 5) is not None


def test_killed_at_any_moment_it_has_all_that_was_acknowledged(path: Path) -> None:
    command = [sys.executable, "-m", "tests.store.racer", f"sqlite:{path}", "1000000"]
    seen = 0
    for seed in range(20):
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for _ in range(random.Random(seed).randrange(40)):
                seen = int(process.stdout.readline())
            process.kill()
            rest = process.stdout.read().splitlines(keepends=True)
        seen = max([seen, *(int(line) for line in rest if line.endswith("\n"))])
        with opened(path) as store:
            version = store.head().version
            assert seen <= version <= seen + 1
            assert store.head() == Head(version=version, body=f"state {version}".encode() if version else b"")
            assert [each.number for each in store.log(limit=50)] == list(range(version, 0, -1))[:50]
            assert [each.detail for each in store.events(limit=1)] == [str(version)][: bool(version)]
            assert (store.outcome(f"request {version}") or b"").decode() == (str(version) if version else "")
            assert store.outcome(f"request {version + 1}") is None
            seen = version
    assert seen > 0


def test_a_file_that_was_cut_short_is_refused_whatever_is_left(written: Path) -> None:
    whole = written.read_bytes()
    for length in (0, 1, 15, 16, 99, 100, 511, 4095, *range(4096, len(whole), 4096), len(whole) - 1):
        written.write_bytes(whole[:length])
        with pytest.raises(Corrupt, match=r"store\.db .*restore a backup"):
            SqliteStore(written, CLUSTER)
        assert written.read_bytes() == whole[:length]
    written.write_bytes(whole)
    with opened(written) as store:
        assert store.head().version == 30


def test_a_page_that_was_overwritten_is_refused(written: Path) -> None:
    whole = written.read_bytes()
    for page in range(1, len(whole) // 4096):
        instead = random.Random(page).randbytes(4096)
        written.write_bytes(whole[: page * 4096] + instead + whole[(page + 1) * 4096 :])
        with pytest.raises(Corrupt, match=r"store\.db is damaged .*restore a backup"):
            SqliteStore(written, CLUSTER)


def bit_turned(whole: bytes, chance: random.Random) -> bytes:
    turned = bytearray(whole)
    turned[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
    return bytes(turned)


def page_misplaced(whole: bytes, chance: random.Random) -> bytes:
    pages = [whole[start : start + 4096] for start in range(0, len(whole), 4096)]
    pages[chance.randrange(1, len(pages))] = chance.choice(pages[1:])
    return b"".join(pages)


@pytest.mark.parametrize("damage", [bit_turned, page_misplaced])
def test_what_is_damaged_is_never_read(
    written: Path, damage: Callable[[bytes, random.Random], bytes]
) -> None:
    def contents(store: SqliteStore) -> list[object]:
        return [store.head(), store.log(), store.events(), *(store.blob(blob) for blob in blobs)]

    blobs = [sha256(f"blob {number}".encode() * 500).hexdigest() for number in range(1, 31)]
    whole = written.read_bytes()
    with opened(written) as store:
        expected = contents(store)
    refused = 0
    for seed in range(200):
        written.write_bytes(damage(whole, random.Random(seed)))
        try:
            with opened(written) as store:
                assert contents(store) == expected
        except (Corrupt, WrongStore):
            refused += 1
    assert refused > 50


@pytest.mark.parametrize("content", [b"not a database\n" * 100, bytes(8192)], ids=["text", "zeros"])
def test_what_isnt_a_database_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(Corrupt, match=r"store\.db isn't a SQLite file"):
        SqliteStore(path, CLUSTER)
    assert path.read_bytes() == content


def test_another_programs_database_is_refused(path: Path) -> None:
    SqlitePlace(path).run("CREATE TABLE head (version, body)")
    with pytest.raises(Corrupt, match="another program's database; name another path"):
        SqliteStore(path, CLUSTER)


@pytest.mark.parametrize(
    "statement",
    ["DROP TABLE events", "CREATE TABLE more (x)", "ALTER TABLE head ADD COLUMN x", "DELETE FROM store"],
)
def test_other_tables_are_refused(written: Path, statement: str) -> None:
    SqlitePlace(written).run(statement)
    with pytest.raises((Corrupt, WrongStore), match=r"store\.db"):
        SqliteStore(written, CLUSTER)


def test_tables_that_vanish_while_it_is_open_are_named(written: Path) -> None:
    with opened(written) as store:
        SqlitePlace(written).run("DROP TABLE events")
        before = store.head(), store.log()
        with pytest.raises(Corrupt, match="no such table: events"):
            store.commit(step(30, entry=entry(31), events=(event("x"),)))
        assert (store.head(), store.log()) == before


@pytest.mark.parametrize("change", ["remove", "replace"])
def test_a_file_that_is_taken_away_while_open_is_noticed(written: Path, change: str) -> None:
    with opened(written) as store:
        written.rename(written.with_name("backup"))
        if change == "replace":
            shutil.copy(written.with_name("backup"), written)
        for call in (store.head, lambda: store.commit(step(30))):
            with pytest.raises((Unreachable, WrongStore), match=r"store\.db"):
                call()


def test_a_lock_that_isnt_let_go_is_told_after_a_while(written: Path) -> None:
    with opened(written, patience=0.05) as store:
        with contextlib.closing(sqlite3.connect(written, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(Unreachable, match=r"store\.db .*locked.*which other process holds it"):
                store.commit(step(30))
            assert store.head().version == 30  # reading goes on
        assert store.commit(step(30)).version == 31


def assert_full(store: SqliteStore, filled: Exception) -> None:
    """Nothing of what didn't fit is there, all else is."""
    assert "make room on its disk" in str(filled) or "has room" in str(filled)
    version = store.head().version
    assert [each.number for each in store.log(limit=1)] == [version]
    assert [each.detail for each in store.events(limit=1)] == [str(version)]


def fill(store: SqliteStore) -> StoreError:
    with pytest.raises(Unreachable) as error:
        list(race(store, 100_000, "ann"))
    return error.value


def test_a_file_that_may_not_grow_loses_nothing(path: Path) -> None:
    with opened(path) as store:
        list(race(store, 3, "ann"))
        with store._file.writing() as db:
            (pages,) = db.execute("PRAGMA page_count").fetchone()
            db.execute(f"PRAGMA max_page_count={pages + 20}")  # SQLite then says SQLITE_FULL
        assert_full(store, fill(store))
        with store._file.writing() as db:
            db.execute("PRAGMA max_page_count=100000")
        version = store.head().version
        assert list(race(store, version + 2, "ann")) == [version + 1, version + 2]


def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("mounting a small disk isn't permitted here")
    try:
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(200_000))
        with opened(disk / "store.db") as store:
            assert_full(store, fill(store))
            version = store.head().version
            ballast.unlink()
            assert list(race(store, version + 2, "ann")) == [version + 1, version + 2]
        with opened(disk / "store.db") as store:
            assert store.head().version == version + 2
        with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
            while file.write(bytes(1000)):
                pass
        with pytest.raises(Unreachable, match=r"new\.db"):
            SqliteStore(disk / "new.db", CLUSTER)
        assert {each.name for each in disk.iterdir()} <= {
            "ballast",
            "store.db",
            "store.db-wal",
            "store.db-shm",
        }
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.fixture
def forbidden() -> Iterator[Path]:
    """A folder with a store, in neither of which this user may write (which root always may)."""
    folder = Path(tempfile.mkdtemp())
    with opened(folder / "store.db") as store:
        list(race(store, 3, "ann"))
    folder.chmod(0o555)
    (folder / "store.db").chmod(0o444)
    root = os.geteuid() == 0
    try:
        if root:
            os.seteuid(NOBODY)
        yield folder
    finally:
        if root:
            os.seteuid(0)
        folder.chmod(0o755)
        shutil.rmtree(folder)


def write(path: Path) -> None:
    with opened(path) as store:
        store.commit(step(3))


def test_a_file_that_cant_be_written_is_told(forbidden: Path) -> None:
    for name in ("store.db", "new.db"):
        with pytest.raises(Unreachable, match=rf"{name} .*(may write there|may be written|write to it)"):
            write(forbidden / name)


def test_a_folder_that_isnt_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match=r"no/store\.db .*folder exists"):
        SqliteStore(tmp_path / "no" / "store.db", CLUSTER)


def test_a_process_that_is_killed_while_it_holds_a_lock_holds_it_no_more(written: Path) -> None:
    holder = (
        "import sqlite3, sys; db = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "db.execute('BEGIN IMMEDIATE'); db.execute('UPDATE head SET version = 99')\n"
        "print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", holder, str(written)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        process.kill()
        process.wait(SECONDS)
    with opened(written) as store:
        assert store.commit(step(30)).version == 31
