"""What a store keeps in a Redis database, and what it makes of other data there."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from controlplane.store.contract import Corrupt, Head, Store, Unreachable, WrongStore
from controlplane.store.redis import RedisStore
from tests.store.places import CLUSTER, LONG, RedisPlace, entry, event, opened_redis, step
from tests.store.racer import race
from tests.store.redis_server import CLUSTERED, RedisServer
from tests.waiting import until


class TestContents:
    """Keys that aren't a store's are refused by name, before anything is written."""

    @pytest.fixture
    def place(self, redis: RedisServer) -> Iterator[RedisPlace]:
        place = RedisPlace(redis, 0)
        yield place
        place.opened.close()

    @pytest.mark.parametrize("name", ["lease", "log", "events", "requests", "order", "reports", "changes"])
    def test_a_key_of_another_type(self, place: RedisPlace, name: str) -> None:
        store = place.open()
        store.commit(step(0, b"was"))
        place.server.call("SET", place.key(name), "x")
        with pytest.raises(Corrupt, match=re.escape(f"other data in {place.key(name)} than a store has")):
            store.commit(step(1, b"not", entry=entry(1), events=(event("not"),), request_id="q"))
        assert store.head() == Head(version=1, body=b"was")
        with pytest.raises(Corrupt, match="restore a backup"):
            place.open()

    @pytest.mark.parametrize(
        ("name", "field"), [("state", "version"), ("lease", "token"), ("lease", "expires")]
    )
    def test_a_number_that_isnt_one(self, place: RedisPlace, name: str, field: str) -> None:
        store = place.open()
        assert store.lease("a", LONG)
        place.server.call("HSET", place.key(name), field, "x")
        with pytest.raises(Corrupt, match=re.escape(f"other data in {place.key(name)} than a store has")):
            store.lease("a", LONG) if name == "lease" else store.commit(step(0))

    @pytest.mark.parametrize("call", [Store.log, Store.events, Store.reports], ids=lambda call: call.__name__)
    def test_reading_a_key_of_another_type(self, place: RedisPlace, call) -> None:
        store = place.open()
        place.server.call("SET", place.key(call.__name__), "x")
        with pytest.raises(Corrupt, match=r"other data .*restore a backup"):
            getattr(store, call.__name__)()

    def test_a_store_without_its_state(self, place: RedisPlace) -> None:
        place.open().commit(step(0, entry=entry(1)))
        place.server.call("DEL", place.key("state"))
        with pytest.raises(Corrupt, match="state than a store has"):
            place.open()

    @pytest.mark.parametrize("field", ["version", "body"])
    def test_a_state_without_a_part(self, place: RedisPlace, field: str) -> None:
        store = place.open()
        store.commit(step(0))
        place.server.call("HDEL", place.key("state"), field)
        with pytest.raises(Corrupt, match="state than a store has"):
            store.head()

    def test_a_log_with_a_gap(self, place: RedisPlace) -> None:
        store = place.open()
        list(race(store, 3, "ann"))
        place.server.call("HDEL", place.key("log"), "2")
        with pytest.raises(Corrupt, match="log than a store has"):
            store.log()

    @pytest.mark.parametrize("renewed", [False, True])
    def test_a_database_that_is_emptied_while_in_use(self, place: RedisPlace, renewed: bool) -> None:
        store = place.open()
        lease = store.lease("a", LONG)
        assert lease
        place.server.call("FLUSHALL")
        if renewed:
            assert place.open().identity != store.identity
        for call in (
            store.head,
            lambda: store.commit(step(0)),
            lambda: store.lease("a", LONG),
            lambda: store.put_report("r", b""),
        ):
            with pytest.raises(WrongStore, match="emptied or replaced; restore a backup"):
                call()


class TestKeys:
    def test_they_are_in_one_slot_of_a_redis_cluster(self, tmp_path: Path) -> None:
        with RedisServer(tmp_path, CLUSTERED, "yes") as server:
            server.call("CLUSTER", "ADDSLOTS", *map(str, range(16384)))
            until("its cluster", lambda: b"cluster_state:ok" in server.call("CLUSTER", "INFO"))
            with opened_redis(server.url) as store:
                assert list(race(store, 3, "ann")) == [1, 2, 3]
                assert store.lease("a", LONG)

    def test_one_shard_of_several_is_refused(self, tmp_path: Path) -> None:
        with RedisServer(tmp_path, CLUSTERED, "yes") as server:
            server.call("CLUSTER", "ADDSLOTS", "0")
            with pytest.raises(Unreachable, match=r"its cluster is down|one of several shards"):
                RedisStore(server.url, CLUSTER)

    def test_what_wakes_is_bounded(self, redis: RedisServer) -> None:
        with opened_redis(redis.url) as store:
            for number in range(1000):
                store.put_report("r", b"%d" % number)
        assert int(redis.call("XLEN", RedisPlace(redis, 0).key("changes"))[1:]) < 500

    def test_nothing_is_written_elsewhere(self, redis: RedisServer) -> None:
        with opened_redis(redis.url) as store:
            list(race(store, 2, "ann"))
            store.put_report("r", b"")
            store.lease("a", LONG)
        keys = re.findall(rb"lightbulb:\S+", redis.call("KEYS", "*"))
        assert redis.call("DBSIZE") == b":%d" % len(keys)
        ours = RedisPlace(redis, 0).key("").encode()
        assert [key for key in keys if not key.startswith(ours)] == [b"lightbulb:cluster"]


class TestWarnings:
    @pytest.mark.parametrize(
        ("settings", "warns"),
        [
            ((), True),
            (("--appendonly", "yes"), False),
            (("--save", "900", "1"), False),
            (("--appendonly", "yes", "--maxmemory-policy", "allkeys-lru"), True),
        ],
    )
    def test_one_that_forgets_is_warned_of(self, tmp_path, caplog, settings, warns) -> None:
        with RedisServer(tmp_path, *settings) as server, opened_redis(server.url):
            pass
        said = [record.getMessage() for record in caplog.records]
        assert len(said) == warns
        assert all("set its " in each for each in said)
