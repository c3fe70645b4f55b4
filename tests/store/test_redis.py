"""A store in Redis, under everything that can happen to a server and to the way there."""

import contextlib
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from controlplane.store.contract import Conflict, Head, Store, Unreachable
from controlplane.store.redis import RedisStore
from controlplane.store.redis_link import MAX_CONNECTIONS
from tests.store.places import CLUSTER, LONG, entry, event, opened_redis, step
from tests.store.racer import race
from tests.store.redis_proxy import Moment, RedisProxy
from tests.store.redis_server import DURABLE, SECONDS, RedisServer
from tests.waiting import until

SHORT = 0.5
"""A timeout for servers that won't answer."""


@pytest.fixture
def own(tmp_path: Path) -> Iterator[RedisServer]:
    """A server that a test may harm."""
    with RedisServer(tmp_path / "redis", *DURABLE) as server:
        yield server


def contents(store: Store) -> tuple[object, ...]:
    return store.head(), store.log(), store.events(), dict(store.reports())


class TestServer:
    def test_killed_and_started_again_it_has_all_that_was_acknowledged(self, own: RedisServer) -> None:
        with opened_redis(own.url) as store:
            for last in (5, 10, 15):
                list(race(store, last, "ann"))
                store.put_report("r", b"report")
                lease = store.lease("a", LONG)
                before = contents(store)
                own.restart()
                assert contents(store) == before
                renewed = store.lease("a", LONG)
                assert lease
                assert renewed
                assert lease.token == renewed.token
                assert store.blob(store.put_blob(b"blob 1" * 500)) == b"blob 1" * 500
            with opened_redis(own.url) as again:
                assert again.identity == store.identity
                assert contents(again) == before

    def test_killed_while_many_write_it_has_all_that_was_acknowledged(self, own: RedisServer) -> None:
        with opened_redis(own.url) as store, ThreadPoolExecutor(4) as background:
            races = [background.submit(_until_lost, store, f"{number}") for number in range(4)]
            until("a hundred commits", lambda: store.head().version > 100)
            own.kill()
            won = sorted(version for running in races for version in running.result(SECONDS))
            own.start()
            version = store.head().version
            assert set(won) <= set(range(1, version + 1))
            assert version - won[-1] <= len(races)  # commits whose answers were lost
            assert [each.number for each in store.log()] == list(range(version, 0, -1))
            assert store.head().body == f"state {version}".encode()

    def test_that_isnt_there_is_told_and_not_for_long(self, own: RedisServer) -> None:
        with opened_redis(own.url) as store:
            own.kill()
            for call in (
                store.head,
                lambda: store.commit(step(0)),
                lambda: store.wait("0-0", LONG),
                store.now,
            ):
                with pytest.raises(
                    Unreachable, match=rf"unix://{own.socket} doesn't answer .*see that it runs"
                ):
                    call()
            with pytest.raises(Unreachable, match="doesn't answer"):
                RedisStore(own.url, CLUSTER)

    def test_that_stops_in_its_tracks_is_told_and_changes_at_most_once(self, own: RedisServer) -> None:
        change = step(1, entry=entry(1), request_id="q", outcome=b"done")
        with opened_redis(own.url) as patient, opened_redis(own.url, timeout=SHORT) as store:
            patient.commit(step(0))
            own.pause()
            for call in (lambda: store.commit(change), store.head, lambda: store.wait("0-0", LONG)):
                with pytest.raises(Unreachable, match=r"doesn't answer .*imeout"):
                    call()
            with pytest.raises(Unreachable, match="doesn't answer"):
                RedisStore(own.url, CLUSTER, timeout=SHORT)
            own.resume()
            until("the server to go on", lambda: own.call("PING") == b"+PONG")
            until("the commit that was under way", lambda: patient.head().version == 2)
            with pytest.raises(Conflict):
                patient.commit(change)
            assert patient.outcome("q") == b"done"
            assert patient.log() == (entry(1),)

    def test_a_wait_may_be_longer_than_a_calls_timeout(self, redis: RedisServer) -> None:
        with opened_redis(redis.url, timeout=SHORT) as store:
            mark = store.wait("", LONG)
            assert store.wait(mark, 2 * SHORT) == mark

    def test_a_wait_goes_on_over_a_restart(self, own: RedisServer) -> None:
        with opened_redis(own.url) as store, ThreadPoolExecutor(1) as background:
            store.commit(step(0))
            wait = background.submit(store.wait, store.wait("", LONG), LONG)
            own.restart()
            store.commit(step(1))
            wait.result(SECONDS)


def _until_lost(store: Store, name: str) -> list[int]:
    won: list[int] = []
    with contextlib.suppress(Unreachable):
        won.extend(race(store, 1_000_000, name))  # one by one: what came before the loss stays
    return won


class TestConnection:
    @pytest.mark.parametrize(("lost", "version"), [("before", 0), ("after", 1)])
    def test_lost_amid_a_commit_it_is_taken_once_or_not(
        self, redis: RedisServer, tmp_path: Path, lost: Moment, version: int
    ) -> None:
        change = step(0, b"new", entry=entry(1), events=(event("x"),), request_id="q", outcome=b"done")
        with RedisProxy(redis, tmp_path / "proxy") as proxy, opened_redis(proxy.url) as store:
            with pytest.raises(Conflict):
                store.commit(step(7))  # from now on the server knows the script, and runs it when it is named
            proxy.loses, proxy.lost = (b"EVALSHA",), lost
            with pytest.raises(Unreachable, match="doesn't answer"):
                store.commit(change)
            proxy.loses = ()
            assert store.head().version == version
            if version:
                with pytest.raises(Conflict):
                    store.commit(change)
            else:
                store.commit(change)
            assert store.outcome("q") == b"done"
            assert contents(store) == (Head(version=1, body=b"new"), (entry(1),), (event("x"),), {})

    def test_idle_ones_that_were_cut_are_opened_again(self, redis: RedisServer) -> None:
        with opened_redis(redis.url) as store:
            for version in range(3):
                redis.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
                assert store.commit(step(version)).version == version + 1
                redis.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
                assert store.head().version == version + 1

    def test_more_threads_than_connections_take_turns(self, redis: RedisServer) -> None:
        with opened_redis(redis.url) as store, ThreadPoolExecutor(2 * MAX_CONNECTIONS) as background:
            mark = store.wait("", LONG)
            waits = [background.submit(store.wait, mark, 0.5) for _ in range(2 * MAX_CONNECTIONS)]
            store.put_report("r", b"")
            for wait in waits:
                wait.result(SECONDS)
            clients = redis.call("INFO", "clients")
            found = re.search(rb"connected_clients:(\d+)", clients)
            assert found
            assert int(found[1]) <= MAX_CONNECTIONS + 1


CHANGE = step(1, b"not", entry=entry(2), events=(event("not"),), request_id="q", outcome=b"x")


class TestRefusals:
    """What Redis refuses changes nothing, and says what to do."""

    def assert_refused(self, store: Store, remedy: str) -> None:
        before = contents(store)
        for call in (
            lambda: store.commit(CHANGE),
            lambda: store.put_report("r", b"x"),
            lambda: store.lease("a", LONG),
            lambda: store.put_blob(b"not"),
        ):
            with pytest.raises(Unreachable, match=remedy):
                call()
        assert contents(store) == before
        assert store.outcome("q") is None
        with opened_redis(store._link.place) as again:  # what is there may be opened, and read
            assert contents(again) == before

    @pytest.fixture
    def store(self, own: RedisServer) -> Iterator[Store]:
        with opened_redis(own.url) as store:
            store.commit(step(0, b"was", entry=entry(1), events=(event("was"),)))
            yield store

    def test_a_full_one(self, own: RedisServer, store: Store) -> None:
        own.call("CONFIG", "SET", "maxmemory", "1")
        self.assert_refused(store, "raise its maxmemory")
        own.call("CONFIG", "SET", "maxmemory", "0")
        assert store.commit(CHANGE).version == 2

    def test_a_replica(self, own: RedisServer, store: Store) -> None:
        own.call("REPLICAOF", "127.0.0.1", "1")
        self.assert_refused(store, "it is a read-only replica; name the primary")
        own.call("REPLICAOF", "NO", "ONE")
        assert store.commit(CHANGE).version == 2

    def test_one_that_cant_save(self, own: RedisServer, store: Store) -> None:
        (own.folder / "dump.rdb").mkdir()
        own.call("CONFIG", "SET", "save", "3600 1")
        own.call("BGSAVE")
        until(
            "the snapshot to fail", lambda: b"rdb_last_bgsave_status:err" in own.call("INFO", "persistence")
        )
        self.assert_refused(store, "it can't save to its disk")
        own.call("CONFIG", "SET", "save", "")
        assert store.commit(CHANGE).version == 2

    def test_one_with_too_few_replicas(self, own: RedisServer, store: Store) -> None:
        own.call("CONFIG", "SET", "min-replicas-to-write", "1")
        with pytest.raises(Unreachable, match="lower its min-replicas-to-write"):
            store.put_blob(b"not")  # before Redis 7, scripts aren't refused

    def test_one_with_another_password(self, own: RedisServer) -> None:
        own.call("CONFIG", "SET", "requirepass", "right")
        for url in (own.url, f"{own.url}?password=hunter2"):
            with pytest.raises(Unreachable, match="correct the user and the password in the URL") as error:
                RedisStore(url, CLUSTER)
            assert "hunter2" not in str(error.value)
        with opened_redis(f"{own.url}?password=right") as store:
            assert store.commit(step(0)).version == 1

    def test_one_that_permits_too_little(self, own: RedisServer) -> None:
        own.call("ACL", "SETUSER", "ann", "on", ">pass", "~lightbulb:*", "+@read")
        with pytest.raises(Unreachable, match=r"allow the URL's user"):
            RedisStore(f"unix://ann@{own.socket}?password=pass", CLUSTER)

    def test_one_that_permits_what_is_needed_and_not_to_ask_for_its_settings(self, own: RedisServer) -> None:
        rules = ("~lightbulb:*", "+@all", "-@admin", "-@dangerous")
        own.call("ACL", "SETUSER", "ann", "on", ">pass", *rules)
        with opened_redis(f"unix://ann@{own.socket}?password=pass") as store:
            assert list(race(store, 3, "ann")) == [1, 2, 3]
