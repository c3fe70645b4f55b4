"""What both stores keep, clause by clause of controlplane/store/contract.py."""

import itertools
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from controlplane.store import contract
from controlplane.store.contract import (
    MAX_BLOB_BYTES,
    MAX_EVENTS,
    MAX_PAGE,
    Change,
    Conflict,
    Corrupt,
    Fenced,
    Head,
    NotFound,
    Store,
    TooLarge,
)
from tests.store.places import LONG, Place, entry, event, step
from tests.store.racer import race
from tests.store.redis_server import SECONDS
from tests.waiting import until

ROOT = Path(__file__).parents[2]


def snapshot(store: Store) -> tuple[object, ...]:
    return store.head(), store.log(), store.events(), store.outcome("q"), dict(store.reports())


class TestHead:
    def test_nothing_was_ever_published(self, store: Store) -> None:
        assert store.head() == Head(version=0, body=b"")
        assert snapshot(store)[1:] == ((), (), None, {})

    def test_a_commit_raises_the_version_by_one(self, place: Place) -> None:
        store = place.open()
        assert store.commit(step(0, b"one")) == Head(version=1, body=b"one")
        assert store.commit(step(1, b"")) == Head(version=2, body=b"")
        for each in (store, place.open()):
            assert each.head() == Head(version=2, body=b"")

    def test_a_commit_brings_all_that_belongs_to_it(self, store: Store) -> None:
        lease = store.lease("replica", LONG)
        assert lease
        change = step(
            0,
            entry=entry(1),
            events=(event("first"), event("second")),
            token=lease.token,
            request_id="q",
            outcome=b"\0\xff",
        )
        head = store.commit(change)
        assert snapshot(store) == (head, (entry(1),), (event("second"), event("first")), b"\0\xff", {})

    def test_a_commit_may_leave_versions_out_and_bring_back_lines_of_the_log(self, place: Place) -> None:
        store = place.open()
        store.commit(step(0, entry=entry(1)))
        lost = replace(entry(2), content_hash="")
        head = store.commit(
            step(1, b"on", version=900, restored=(lost, entry(3)), entry=entry(4), events=(event("it"),))
        )
        assert head == Head(version=900, body=b"on")
        for each in (store, place.open()):
            assert each.head() == head
            assert each.log() == (entry(4), entry(3), lost, entry(1))
            assert [line.is_lost for line in each.log()] == [False, False, True, False]
            assert each.events() == (event("it"),)
        with pytest.raises(Conflict):
            store.commit(step(1, version=901))
        assert store.commit(step(900, entry=entry(5))).version == 901

    @pytest.mark.parametrize("restored", [(entry(3),), (entry(2), entry(4)), (entry(1), entry(2))], ids=str)
    def test_lines_that_leave_a_gap_or_are_there_are_refused(self, store: Store, restored) -> None:
        store.commit(step(0, entry=entry(1)))
        before = snapshot(store)
        with pytest.raises(Conflict):
            store.commit(step(1, version=9, restored=restored))
        assert snapshot(store) == before

    @pytest.mark.parametrize(
        ("error", "expected", "more"),
        [
            (Conflict, 0, {}),
            (Conflict, 2, {}),
            (Conflict, 1, {"entry": entry(1)}),
            (Conflict, 1, {"entry": entry(3)}),
            (Conflict, 1, {"request_id": "q"}),
            (Fenced, 1, {"token": 1}),
            (Fenced, 1, {"token": 3}),
            (Fenced, 0, {"token": 1}),  # it has to stop, whatever the head is
        ],
        ids=str,
    )
    def test_a_change_that_is_refused_leaves_nothing(self, store: Store, error, expected, more) -> None:
        first, second = store.lease("a", LONG), None
        assert first
        store.release(first)
        second = store.lease("b", LONG)
        assert second
        assert (first.token, second.token) == (1, 2)
        store.commit(step(0, entry=entry(1), events=(event("was"),), request_id="q", outcome=b"was"))
        before = snapshot(store)
        whole = {"entry": entry(2), "events": (event("not"),), "request_id": "r", "outcome": b"not"}
        with pytest.raises(error):
            store.commit(step(expected, b"not", **{**whole, **more}))
        assert snapshot(store) == before
        assert store.outcome("r") is None
        assert store.commit(step(1, **whole, token=second.token)).version == 2

    def test_of_many_threads_and_processes_one_makes_each_version(
        self, place: Place, background: ThreadPoolExecutor
    ) -> None:
        last, store, other = 250, place.open(), place.open()
        command = [sys.executable, "-m", "tests.store.racer", place.url, "200"]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            until("the other process to join in", lambda: store.head().version)
            racers = zip("abcdefgh", itertools.cycle((store, other)), strict=False)
            races = {
                name: background.submit(lambda s, n: list(race(s, last, n)), s, name) for name, s in racers
            }
            output, _ = process.communicate(timeout=SECONDS)
        assert process.returncode == 0
        won = {name: running.result(SECONDS) for name, running in races.items()}
        won["racer"] = [int(line) for line in output.split()]
        authors = {version: name for name, versions in won.items() for version in versions}
        assert 1 in won["racer"]
        assert sorted(itertools.chain(*won.values())) == list(range(1, last + 1))
        assert {each.number: each.author for each in store.log()} == authors
        assert store.head() == Head(version=last, body=f"state {last}".encode())
        assert [each.detail for each in store.events()] == [str(number) for number in range(last, 0, -1)]


class TestLog:
    def test_lines_come_newest_first_and_page_by_page(self, store: Store) -> None:
        for number in range(1, 8):
            store.commit(step(number - 1, entry=entry(number)))
        assert [each.number for each in store.log()] == [7, 6, 5, 4, 3, 2, 1]
        assert [each.number for each in store.log(limit=3)] == [7, 6, 5]
        assert [each.number for each in store.log(before=5, limit=3)] == [4, 3, 2]
        assert [each.number for each in store.log(before=99, limit=1)] == [7]
        for none in (store.log(before=1), store.log(before=-5), store.log(limit=0), store.log(limit=-1)):
            assert none == ()

    def test_a_line_is_found_by_its_number(self, store: Store) -> None:
        store.commit(step(0, entry=entry(1)))
        assert store.entry(1) == entry(1)
        for unknown in (0, 2, -1):
            with pytest.raises(NotFound, match=f"generation {unknown}"):
                store.entry(unknown)


class TestEvents:
    def test_they_come_newest_first(self, store: Store) -> None:
        store.commit(step(0, events=(event("1"), event("2"))))
        store.commit(step(1, events=(event("3"),)))
        assert [each.detail for each in store.events()] == ["3", "2", "1"]
        assert [each.detail for each in store.events(limit=2)] == ["3", "2"]
        assert store.events(limit=0) == ()

    def test_the_oldest_are_dropped(self, place) -> None:
        store = place.open()
        store.commit(step(0, events=tuple(event(str(n)) for n in range(MAX_EVENTS + 5))))
        store.commit(step(1, events=(event("last"),)))
        assert place.kept_events() == MAX_EVENTS
        events = store.events(limit=10 * MAX_EVENTS)
        assert len(events) == MAX_PAGE
        assert [each.detail for each in events[:2]] == ["last", str(MAX_EVENTS + 4)]


class TestRequests:
    def test_an_outcome_is_remembered(self, place: Place) -> None:
        place.open().commit(step(0, request_id="empty"))
        store = place.open()
        assert store.outcome("empty") == b""
        assert store.outcome("other") is None
        assert store.outcome("") is None

    def test_a_repeated_one_is_told_to_ask_for_its_outcome(self, store: Store) -> None:
        store.commit(step(0, request_id="q", outcome=b"1"))
        with pytest.raises(Conflict, match="'q' was carried out already; ask for its outcome"):
            store.commit(step(1, request_id="q", outcome=b"2"))
        assert store.outcome("q") == b"1"

    def test_the_oldest_are_forgotten(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        for module in ("sqlite", "redis"):
            monkeypatch.setattr(f"controlplane.store.{module}.MAX_REQUESTS", 3)
        for number in range(5):
            store.commit(step(number, request_id=f"q{number}", outcome=b"done"))
        assert [store.outcome(f"q{number}") for number in range(5)] == [None, None, b"done", b"done", b"done"]
        assert contract.MAX_REQUESTS == 1000


class TestBlobs:
    @pytest.mark.parametrize("blob", [b"", b"\0\r\n\xff", b"x" * (3 << 20)], ids=len)
    def test_they_come_back(self, place: Place, blob: bytes) -> None:
        store = place.open()
        name = store.put_blob(blob)
        assert name == store.put_blob(blob) == sha256(blob).hexdigest()
        assert place.open().blob(name) == blob

    def test_an_unknown_one(self, store: Store) -> None:
        with pytest.raises(NotFound, match="kept as 00"):
            store.blob("0" * 64)

    def test_one_that_was_changed_is_refused_and_mended_by_putting_it_again(self, place) -> None:
        store = place.open()
        blob = bytes(range(256)) * 40
        name = store.put_blob(blob)
        for position in (0, 5000, len(blob) - 1):
            place.set_blob(name, blob[:position] + b"!" + blob[position + 1 :])
            with pytest.raises(Corrupt, match=name):
                store.blob(name)
        place.set_blob(name, blob[:-1])
        with pytest.raises(Corrupt, match=name):
            store.blob(name)
        store.put_blob(blob)
        assert store.blob(name) == blob

    def test_one_that_a_change_forgets_is_gone_and_can_be_put_again(self, store: Store) -> None:
        name = store.put_blob(b"some")
        other = store.put_blob(b"other")
        for version in (0, 1):  # also one that is gone already
            store.commit(Change(expected=version, body=b"state", forget=name))
        with pytest.raises(NotFound):
            store.blob(name)
        assert store.blob(other) == b"other"
        assert store.blob(store.put_blob(b"some")) == b"some"

    def test_one_that_is_too_large(self, store: Store) -> None:
        assert len(store.put_blob(bytes(MAX_BLOB_BYTES))) == 64
        with pytest.raises(TooLarge, match=f"{MAX_BLOB_BYTES + 1} bytes"):
            store.put_blob(bytes(MAX_BLOB_BYTES + 1))
