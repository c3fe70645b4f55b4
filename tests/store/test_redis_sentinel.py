"""A store whose primary Sentinels name: a failover loses a commit that no replica had, and that is told."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from controlplane.store.contract import Store, Unreachable
from controlplane.store.open import open_store
from controlplane.store.sentinel_url import sentinel_url
from tests.store.places import CLUSTER, opened_redis, step
from tests.store.redis_server import RedisServer
from tests.waiting import until

SERVICE = "lightbulb"
LINK = ("--masteruser", "link", "--masterauth", "secret")
"""A replica's user at the primary: it can be shut out, and nobody else is."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A primary, its replica, and a Sentinel that fails over from one to the other."""

    primary: RedisServer
    replica: RedisServer
    sentinel: RedisServer

    @property
    def url(self) -> str:
        return f"redis+sentinel://127.0.0.1:{self.sentinel.port}/{SERVICE}"

    def synced(self) -> None:
        until("the replica to follow", lambda: b"master_link_status:up" in self.replica.call("INFO"))

    def part(self) -> None:
        """Shut the replica out, as a link that breaks: later commits are at the primary alone."""
        assert self.primary.call("ACL", "SETUSER", "link", "off") == b"+OK"
        assert self.primary.call("CLIENT", "KILL", "TYPE", "replica") == b":1"


@contextlib.contextmanager
def watched(folder: Path) -> Iterator[Watched]:
    with contextlib.ExitStack() as running:
        primary = running.enter_context(RedisServer(folder / "primary", *LINK, tcp=True))
        assert primary.call("ACL", "SETUSER", "link", "on", ">secret", "+@all", "~*", "&*") == b"+OK"
        follows = ("--replicaof", "127.0.0.1", str(primary.port))
        replica = running.enter_context(RedisServer(folder / "replica", *LINK, *follows, tcp=True))
        configuration = folder / "sentinel.conf"
        configuration.write_text(
            f"sentinel monitor {SERVICE} 127.0.0.1 {primary.port} 1\n"
            f"sentinel down-after-milliseconds {SERVICE} 2000\n"
        )
        sentinel = RedisServer(folder / "sentinel", "--sentinel", tcp=True, configuration=configuration)
        running.enter_context(sentinel)
        it = Watched(primary, replica, sentinel)
        it.synced()
        until("the Sentinel to know both", lambda: b"slaves=1" in sentinel.call("INFO"))
        yield it


def test_what_no_replica_had_is_lost_at_a_failover_and_that_was_said(tmp_path: Path) -> None:
    with watched(tmp_path) as it, contextlib.closing(open_store(it.url, CLUSTER, replicas=1)) as store:
        assert store.commit(step(0)).version == 1
        assert store.warning == ""
        it.part()
        assert store.commit(step(1)).version == 2
        assert "0 of 1 replicas of redis+sentinel://" in store.warning
        it.primary.kill()
        until("the other to be the primary", lambda: _version(store) == 1)
        assert store.commit(step(1)).version == 2


def _version(store: Store) -> int:
    with contextlib.suppress(Unreachable):
        return store.head().version
    return 0


def test_without_replicas_to_wait_for_nothing_is_said(tmp_path: Path) -> None:
    with RedisServer(tmp_path, tcp=True) as server, opened_redis(server.url) as store:
        store.commit(step(0))
        assert store.warning == ""


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("redis+sentinel://a:1,b/main", "redis+sentinel://a:1,b:26379/main"),
        ("redis+sentinel://u:p%40@[::1]:5/main?db=3&sentinel_password=s", "redis+sentinel://[::1]:5/main"),
    ],
)
def test_a_place_is_a_url_without_its_passwords(url: str, place: str) -> None:
    assert sentinel_url(url).place == place


def test_a_url_says_who_asks_whom() -> None:
    found = sentinel_url("redis+sentinel://u:p%40@a:1/main?db=3&sentinel_username=v&sentinel_password=s")
    assert (found.username, found.password, found.database) == ("u", "p@", 3)
    assert (found.sentinel_username, found.sentinel_password) == ("v", "s")


@pytest.mark.parametrize(
    "rest", ["", "a:1", "a:1/", "a:x/main", "a:1,/main", "a:1/main/2", "a:1/main?dbb=1", "u:pa@b@a:1/m?db=x"]
)
def test_a_url_that_is_odd_is_refused_without_its_password(rest: str) -> None:
    with pytest.raises(ValueError, match="isn't understood; write redis") as caught:
        sentinel_url(f"redis+sentinel://{rest}")
    assert "pa@b" not in str(caught.value)
