"""A store in Redis over failovers: a replica takes over, and the name leads to it from then on."""

import contextlib
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from controlplane.store.contract import Store, Unreachable
from tests.store.places import LONG, opened_redis, step
from tests.store.redis_pair import RedisPair, redis_pair
from tests.store.redis_server import SECONDS, RedisServer
from tests.waiting import until

NAME = "redis.test"
THREADS = 8

MANY_KEYS = "for i = 1, 100 do redis.call('SET', 'other:' .. i, string.rep('x', 2100000)) end return 1"
LOADS_SLOWLY = ("--key-load-delay", "100000", "--rdbcompression", "no")
"""Options of a server that takes ten seconds to read these keys. After every 2 MB it answers LOADING."""


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[RedisPair]:
    with redis_pair(tmp_path) as pair:
        yield pair


@pytest.fixture
def store(pair: RedisPair) -> Iterator[Store]:
    with opened_redis(pair.url) as store:
        store.commit(step(0))
        yield store


def test_the_first_commit_after_it_reaches_the_new_primary(pair: RedisPair, store: Store) -> None:
    with ThreadPoolExecutor(THREADS) as background:
        list(background.map(lambda _: store.head(), range(100)))  # connections that wait for their next use
        wait = background.submit(wait_on, store, store.wait("", SECONDS))
        pair.fail_over()
        pair.move()
        assert store.commit(step(1)).version == 2
        assert wait.result(2 * SECONDS) == store.wait("", SECONDS)
        versions = background.map(lambda _: store.head().version, range(100))
        assert set(versions) == {2}
    assert pair.follower_version() == 2
    lease = store.lease("a", LONG)
    assert lease is not None
    until("the old connections to be closed", lambda: pair.clients_of_demoted() == 0)


def test_connections_from_before_are_left_although_nothing_was_refused(pair: RedisPair, store: Store) -> None:
    pair.fail_over()
    with ThreadPoolExecutor(1) as background:
        wait = background.submit(wait_on, store, store.wait("", SECONDS))
        until("it to wait", lambda: b"cmd=xread" in pair.primary.call("CLIENT", "LIST"))
        pair.move()
        assert store.commit(step(1)).version == 2
        wait.result(2 * SECONDS)
    until("the old connections to be closed", lambda: pair.clients_of_demoted() == 0)
    assert store.head().version == 2


def test_until_the_name_has_moved_it_is_said_that_this_is_a_replica(pair: RedisPair, store: Store) -> None:
    pair.fail_over()
    for _ in range(3):
        with pytest.raises(Unreachable, match=r"read-only replica; .* is looked up again"):
            store.commit(step(1))
    assert store.head().version == 1
    pair.move()
    assert store.commit(step(1)).version == 2


def test_reads_of_a_replica_that_lost_its_primary_go_on_at_the_new_one(pair: RedisPair, store: Store) -> None:
    pair.synced()
    pair.replica.call("CONFIG", "SET", "replica-serve-stale-data", "no")
    pair.move()
    store.close()
    with opened_redis(pair.url) as reader:
        pair.primary.kill()
        until("the link to be down", lambda: b"master_link_status:down" in pair.replica.call("INFO"))
        with pytest.raises(Unreachable, match="a replica without its primary"):
            reader.head()
        pair.primary.start()
        pair.move(back=True)
        assert reader.head().version == 1
        assert reader.commit(step(1)).version == 2


def test_a_primary_that_hangs_is_left_for_the_new_one(pair: RedisPair) -> None:
    with opened_redis(pair.url, timeout=0.5) as store, ThreadPoolExecutor(THREADS) as background:
        store.commit(step(0))
        list(background.map(lambda _: store.head(), range(100)))
        pair.synced()
        pair.primary.pause()
        try:
            pair.replica.call("REPLICAOF", "NO", "ONE")
            pair.move()
            with contextlib.suppress(Unreachable):  # one may still have waited for the old one
                store.head()
            assert store.commit(step(1)).version == 2
        finally:
            pair.primary.resume()


def test_a_host_name_is_looked_up_for_each_connection(
    pair: RedisPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real resolver answers for where the name leads: which is all that a test changes."""
    leads_to, resolve = ["127.0.0.1"], socket.getaddrinfo

    def look_up(host: Any, *rest: Any, **more: Any) -> Any:
        return resolve(leads_to[0] if host == NAME else host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with opened_redis(f"redis://{NAME}:{pair.primary.port}/0") as store:
        store.commit(step(0))
        pair.fail_over()
        leads_to[0] = "127.0.0.2"
        assert store.commit(step(1)).version == 2
    assert pair.follower_version() == 2


def test_while_a_server_reads_its_data_that_is_said_and_then_it_is_written_to(tmp_path: Path) -> None:
    server = RedisServer(tmp_path, *LOADS_SLOWLY)
    with server, opened_redis(server.url) as store, ThreadPoolExecutor(1) as background:
        store.commit(step(0))
        assert server.call("EVAL", MANY_KEYS, "0") == b":1"
        assert server.call("SAVE") == b"+OK"
        server.kill()
        starting = background.submit(server.start)
        until("it to load", lambda: says(server, "PING").startswith(b"-LOADING"))
        with pytest.raises(Unreachable, match="it is reading its data; wait until it has"):
            store.commit(step(1))
        starting.result(SECONDS)
        assert store.head().version == 1
        assert store.commit(step(1)).version == 2


def wait_on(store: Store, mark: str) -> str:
    """Wait as a control plane does: the former primary may read its data anew, and say so, meanwhile."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(Unreachable):
            return store.wait(mark, SECONDS)
    raise AssertionError(f"it couldn't be waited on for {SECONDS:g} s")


def says(server: RedisServer, *command: str) -> bytes:
    """Return its answer; empty while it doesn't listen yet."""
    with contextlib.suppress(OSError):
        return server.call(*command)
    return b""
