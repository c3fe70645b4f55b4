"""How replicas share both stores, clause by clause of controlplane/store/contract.py."""

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from controlplane.store.contract import Conflict, Corrupt, Fenced, Store, StoreError, Unreachable, WrongStore
from tests.store.places import CLUSTER, LONG, Place, event, step
from tests.store.redis_server import SECONDS
from tests.waiting import until

ROOT = Path(__file__).parents[2]


class TestLease:
    def test_one_holds_it_and_renews_it(self, place: Place) -> None:
        store, other = place.open(), place.open()
        lease = store.lease("a", LONG)
        assert lease
        assert lease.holder == "a"
        assert lease.token > 0
        renewed = store.lease("a", 2 * LONG)
        assert renewed
        assert renewed.token == lease.token
        assert renewed.expires > lease.expires > store.now()
        assert other.lease("b", LONG) is None
        assert other.commit(step(0)).version == 1  # an operator's needs no lease
        assert store.commit(step(1, token=lease.token)).version == 2

    def test_when_it_ends_another_takes_over(self, place: Place) -> None:
        store, other = place.open(), place.open()
        old = store.lease("a", 0.05)
        assert old
        until("the lease to end", lambda: store.now() > old.expires)
        assert store.commit(step(0, token=old.token)).version == 1  # nobody took over yet
        new = other.lease("b", LONG)
        assert new
        assert new.token > old.token
        assert store.lease("a", LONG) is None
        with pytest.raises(Fenced, match="'b' leads"):
            store.commit(step(1, token=old.token))
        store.release(old)  # a lost one is ignored
        assert other.commit(step(1, token=new.token)).version == 2

    def test_a_holder_that_comes_back_late_begins_anew(self, store: Store) -> None:
        old = store.lease("a", 0.001)
        assert old
        until("the lease to end", lambda: store.now() > old.expires)
        new = store.lease("a", LONG)
        assert new
        assert new.token > old.token
        with pytest.raises(Fenced):
            store.commit(step(0, token=old.token))

    def test_released_it_is_free_at_once(self, place: Place) -> None:
        store, other = place.open(), place.open()
        old = store.lease("a", LONG)
        assert old
        store.release(old)
        with pytest.raises(Fenced, match="nobody holds the lease"):
            store.commit(step(0, token=old.token))
        new = other.lease("b", LONG)
        assert new
        assert new.token > old.token

    def test_a_token_nobody_has(self, store: Store) -> None:
        for token in (0, 1):
            with pytest.raises(Fenced):
                store.commit(step(0, token=token))


class TestReports:
    def test_each_replica_has_its_newest(self, place: Place) -> None:
        store, other = place.open(), place.open()
        store.put_report("b", b"old")
        store.put_report("b", b"\0new\xff")
        other.put_report("a", b"")
        for each in (store, other):
            assert list(each.reports().items()) == [("a", b""), ("b", b"\0new\xff")]
        store.drop_report("a")
        store.drop_report("unknown")
        assert other.reports() == {"b": b"\0new\xff"}


WAKERS: dict[str, Callable[[Store], object]] = {
    "a commit": lambda store: store.commit(step(1)),
    "a report": lambda store: store.put_report("r", b"2"),
    "a report that goes": lambda store: store.drop_report("r"),
    "a lease that is released": lambda store: store.release(store.lease("a", LONG)),
}


class TestWait:
    @pytest.mark.parametrize("waker", WAKERS)
    @pytest.mark.parametrize("by", ["this", "another"])
    def test_it_wakes(self, place: Place, background: ThreadPoolExecutor, waker: str, by: str) -> None:
        store = place.open()
        store.commit(step(0))
        store.put_report("r", b"1")
        mark = store.wait("", LONG)
        waits = [background.submit(store.wait, mark, LONG) for _ in range(3)]
        WAKERS[waker](store if by == "this" else place.open())
        marks = {wait.result(SECONDS) for wait in waits}
        assert mark not in marks
        assert marks == {store.wait(mark, LONG)}

    def test_it_wakes_for_another_process(self, place: Place, background: ThreadPoolExecutor) -> None:
        store = place.open()
        wait = background.submit(store.wait, store.wait("", LONG), LONG)
        subprocess.run([sys.executable, "-m", "tests.store.racer", place.url, "1"], cwd=ROOT, check=True)
        wait.result(SECONDS)
        assert store.head().version == 1

    def test_it_ends_after_its_time(self, store: Store) -> None:
        mark = store.wait("", LONG)
        store.put_blob(b"nobody waits for that")
        store.lease("a", LONG)
        for seconds in (-1, 0, 0.02):
            assert store.wait(mark, seconds) == mark

    def test_it_returns_at_once_for_a_mark_of_another_store(self, store: Store) -> None:
        assert store.wait("x", LONG) == store.wait("", LONG)

    def test_it_ends_when_the_store_is_closed(self, store: Store, background: ThreadPoolExecutor) -> None:
        wait = background.submit(store.wait, store.wait("", LONG), LONG)
        store.close()
        assert isinstance(_error(wait), Unreachable | None)


class TestOpening:
    def test_its_identity_stays(self, place: Place, new_place: Callable[[], Place]) -> None:
        identity = place.open().identity
        assert identity
        assert place.open().identity == identity
        place.opened.close()
        assert place.open().identity == identity
        assert new_place().open().identity != identity

    def test_many_may_make_it_at_once(self, place: Place, background: ThreadPoolExecutor) -> None:
        opened = [background.submit(place.open) for _ in range(8)]
        assert len({each.result(SECONDS).identity for each in opened}) == 1

    def test_another_clusters_store_is_refused(self, place: Place) -> None:
        place.open().commit(step(0))
        with pytest.raises(WrongStore, match=f"'{CLUSTER}', not of 'other'"):
            place.open("other")
        assert place.open().head().version == 1

    @pytest.mark.parametrize("name", ["", "a b", "a{b}", "a:b", "x" * 65])
    def test_a_name_that_cant_be_a_clusters(self, place: Place, name: str) -> None:
        with pytest.raises(ValueError, match="cluster's name"):
            place.open(name)

    def test_a_newer_format_is_refused(self, place) -> None:
        place.open()
        place.set_format(2)
        with pytest.raises(WrongStore, match="has format 2, and this version knows up to 1"):
            place.open()

    def test_an_older_format_that_never_was_is_refused(self, place) -> None:
        place.open()
        place.set_format(0)
        with pytest.raises(Corrupt, match="restore a backup"):
            place.open()

    def test_a_state_that_was_changed_is_refused(self, place) -> None:
        store = place.open()
        store.commit(step(0, b"state"))
        place.set_body(b"xxxxstate")
        with pytest.raises(Corrupt, match="the rollout's state isn't what was written"):
            store.head()

    @pytest.mark.parametrize("version", ["0", "2", "x"])
    def test_a_version_that_was_changed_is_refused(self, place, version: str) -> None:
        store = place.open()
        store.commit(step(0, b"state"))
        place.set_version(version)
        with pytest.raises(Corrupt, match="the rollout's state isn't what was written"):
            store.head()

    def test_both_clocks_of_one_store_agree(self, place: Place) -> None:
        store, other = place.open(), place.open()
        assert store.now() <= other.now() <= store.now()

    def test_a_closed_one_says_so(self, store: Store) -> None:
        store.close()
        calls: list[Callable[[], object]] = [
            store.head,
            lambda: store.commit(step(0)),
            lambda: store.wait("", LONG),
            lambda: store.put_report("r", b""),
        ]
        for call in calls:
            with pytest.raises(Unreachable, match="closed"):
                call()
        store.close()


def test_threads_may_do_everything_at_once(store: Store, background: ThreadPoolExecutor) -> None:
    name = store.put_blob(b"blob")
    lease = store.lease("a", LONG)
    assert lease

    def work(number: int) -> None:
        for _ in range(20):
            store.put_report(f"r{number}", b"x" * 1000)
            assert store.reports()[f"r{number}"] == b"x" * 1000
            assert store.blob(name) == b"blob"
            assert store.lease("a", LONG)
            with_luck = step(store.head().version, token=lease.token, events=(event("x"),))
            try:
                store.commit(with_luck)
            except Conflict:
                assert store.head().version > with_luck.expected

    for done in [background.submit(work, number) for number in range(8)]:
        done.result(SECONDS)
    assert store.head().version == len(store.events())


def _error(wait: Future[str]) -> StoreError | None:
    error = wait.exception(SECONDS)
    assert error is None or isinstance(error, StoreError)
    return error
