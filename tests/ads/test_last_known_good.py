"""What was kept comes back whole, or not at all; and nothing that a disk does stops a process."""

import asyncio
import contextlib
import logging
import resource as limits
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightbulb.ads.client.held import NOTHING_HELD, Held, applied, versions
from lightbulb.ads.client.last_known_good import MAGIC, LastKnownGood, Unusable, decode, encode
from lightbulb.ads.client.session import Update
from lightbulb.ads.values import Resource
from tests.ads.scripted_server import resource
from tests.waiting import eventually

A, B = "type.googleapis.com/test.A", "type.googleapis.com/test.B"
NAME = "lightbulb-1"
NEVER = 1e6


def held(*resources: Resource, type_url: str = A) -> Held:
    return {type_url: {each.name: each for each in resources}}


SOME = {**held(resource("x", b"1"), resource("y", b"")), **held(resource("x", b"2"), type_url=B)}

texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=5)
helds = st.dictionaries(
    texts,
    st.dictionaries(texts, st.tuples(texts, st.binary(max_size=9)), min_size=1, max_size=4).map(
        lambda each: {
            name: Resource(name=name, version=version, body=body) for name, (version, body) in each.items()
        }
    ),
    max_size=3,
)


@given(texts, helds)
def test_what_is_kept_comes_back_and_is_the_same_bytes_whatever_its_order(name: str, value: Held) -> None:
    data = encode(name, value)
    assert decode(name, data) == value
    backwards = {t: dict(reversed(list(own.items()))) for t, own in reversed(list(value.items()))}
    assert encode(name, backwards) == data


def test_a_file_that_is_cut_short_or_damaged_anywhere_is_refused() -> None:
    data = encode(NAME, SOME)
    for place in range(len(data)):
        with pytest.raises(Unusable):
            decode(NAME, data[:place])
        with pytest.raises(Unusable):
            decode(NAME, data[:place] + bytes((data[place] ^ 1,)) + data[place + 1 :])


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "not a file of this kind"),
        (MAGIC.replace(b"1", b"2") + encode(NAME, SOME)[len(MAGIC) :], "another format's version"),
        (encode(NAME, SOME)[:-1], "damaged or cut short"),
        (encode("lightbulb-2", SOME), "kept by 'lightbulb-2', not by 'lightbulb-1'"),
    ],
    ids=["empty", "another version", "cut short", "another's"],
)
def test_a_file_that_cant_be_used_is_logged_by_name_and_moved_aside(
    data: bytes, why: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept = LastKnownGood(tmp_path, NAME)
    kept.path.write_bytes(data)
    assert kept.load() == {}
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert str(kept.path) in record.getMessage()
    assert why in record.getMessage()
    aside = kept.path.with_name(f"{kept.path.name}.corrupt")
    assert (aside.read_bytes(), kept.path.exists()) == (data, False)
    assert LastKnownGood(tmp_path, NAME).load() == {}
    kept.keep(SOME)
    asyncio.run(kept.flush())
    assert LastKnownGood(tmp_path, NAME).load() == SOME


def test_nothing_kept_is_nothing_held_and_each_subscriber_has_a_file_of_its_own(tmp_path: Path) -> None:
    one, other = (LastKnownGood(tmp_path / "new" / "folder", name) for name in ("a/../b", "b"))
    assert one.load() == {}
    one.keep(SOME)
    asyncio.run(one.flush())
    assert one.path.parent == tmp_path / "new" / "folder"
    assert (LastKnownGood(one.path.parent, "a/../b").load(), other.load()) == (SOME, {})
    assert files(one.path.parent) == [one.path.name]


@contextlib.asynccontextmanager
async def running(kept: LastKnownGood) -> AsyncIterator[None]:
    task = asyncio.create_task(kept.run())
    try:
        yield
        assert not task.done(), "it ended by itself"
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def files(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir()]


def stored(kept: LastKnownGood) -> Held:
    return decode(NAME, kept.path.read_bytes()) if kept.path.exists() else NOTHING_HELD


def test_a_storm_is_one_write_and_the_newest_is_written_at_the_end(tmp_path: Path) -> None:
    async def scenario() -> None:
        kept = LastKnownGood(tmp_path, NAME, every=NEVER)
        async with running(kept):
            kept.keep(SOME)
            await eventually("the first write", lambda: stored(kept) == SOME)
            inode = kept.path.stat().st_ino
            for number in range(1000):
                kept.keep(held(resource("x", b"%d" % number)))
                await asyncio.sleep(0)
            assert kept.path.stat().st_ino == inode
        await kept.flush()
        assert stored(kept) == held(resource("x", b"999"))

    asyncio.run(scenario())


def test_what_comes_while_it_writes_is_written_next(tmp_path: Path) -> None:
    async def scenario() -> None:
        kept = LastKnownGood(tmp_path, NAME, every=0.0)
        async with running(kept):
            for number in range(200):
                last = held(resource("x", bytes(10_000)), resource("y", b"%d" % number))
                kept.keep(last)
                await asyncio.sleep(0)
            await eventually("the last one", lambda: stored(kept) == last)

    asyncio.run(scenario())


def test_what_is_on_disk_already_is_not_written_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        first = LastKnownGood(tmp_path, NAME)
        first.keep(SOME)
        await first.flush()
        inode = first.path.stat().st_ino
        again = LastKnownGood(tmp_path, NAME)
        again.keep({**again.load()})
        await again.flush()
        assert again.path.stat().st_ino == inode

    asyncio.run(scenario())


@contextlib.contextmanager
def no_file_beyond(size: int) -> Iterator[None]:
    """Let a write beyond `size` bytes of a file fail, as on a disk that is full."""
    soft, hard = limits.getrlimit(limits.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits.setrlimit(limits.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        limits.setrlimit(limits.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)


def test_a_full_disk_is_logged_once_and_what_it_holds_stays_until_there_is_room_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    async def scenario() -> None:
        kept = LastKnownGood(tmp_path, NAME, every=0.0, retry=0.001)
        async with running(kept):
            kept.keep(SOME)
            await eventually("the first write", lambda: stored(kept) == SOME)
            with no_file_beyond(64 * 1024):
                for number in range(20):
                    last = held(resource("x", bytes(200_000)), resource("y", b"%d" % number))
                    kept.keep(last)
                    await kept.flush()
                assert stored(kept) == SOME
                assert files(tmp_path) == [kept.path.name]
            await eventually("a write once there is room", lambda: stored(kept) == last)
            await eventually("word of it", lambda: len(caplog.records) == 2)
        failed, works = (record.getMessage() for record in caplog.records)
        assert f"{kept.path} can't be written ([Errno 27] File too large" in failed
        assert "written again" in works

    asyncio.run(scenario())


def test_a_folder_that_cant_be_is_logged_and_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    kept = LastKnownGood(tmp_path / "file", NAME)
    assert kept.load() == {}
    kept.keep(SOME)
    asyncio.run(kept.flush())
    assert ["can't be read" in caplog.text, "can't be written" in caplog.text] == [True, True]


WRITER = """
import asyncio, itertools, sys
from pathlib import Path
from lightbulb.ads.values import Resource
from lightbulb.ads.client.last_known_good import LastKnownGood

async def write_for_ever():
    kept = LastKnownGood(Path(sys.argv[1]), "lightbulb-1", every=0.0)
    asyncio.create_task(kept.run())
    for number in itertools.count():
        body = b"%d" % number
        kept.keep({"t": {n: Resource(name=n, version="v", body=body * 1000) for n in map(str, range(50))}})
        print(number, flush=True)
        await asyncio.sleep(0)

asyncio.run(write_for_ever())
"""


@pytest.mark.parametrize("line", [40, 41, 43, 47, 53])
def test_a_process_that_is_killed_while_it_writes_leaves_something_whole(line: int, tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    kept = LastKnownGood(tmp_path, NAME)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            while not kept.path.exists() or int(process.stdout.readline()) < line:
                assert process.poll() is None
        finally:
            process.kill()
    bodies = {each.body for each in decode(NAME, kept.path.read_bytes())["t"].values()}
    assert len(bodies) == 1


def update(*added: Resource, removed: tuple[str, ...] = ()) -> Update:
    return Update(type_url=A, added=added, removed=removed)


def test_what_is_held_follows_what_was_applied_and_not_what_was_refused() -> None:
    x, y, z = (resource(name, b"1") for name in "xyz")
    first = applied(NOTHING_HELD, update(x, y), {"y": "bad"})
    assert first == held(x)
    assert applied(first, update(x), {}) is first
    assert applied(first, update(z, removed=("x",)), {"x": "needed"}) == held(x, z)
    assert applied(first, update(y, removed=("x",)), {}) == held(y)
    assert first == held(x)
    assert versions(first) == {A: {"x": x.version}}
