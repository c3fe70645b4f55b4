from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.store.redis_server import RedisServer


@pytest.fixture
def store(tmp_path: Path) -> str:
    """The URL of a store that is still to be made."""
    return f"sqlite:{tmp_path}/store.db"


@pytest.fixture(scope="session")
def shared_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def redis(shared_redis: RedisServer) -> RedisServer:
    """A server that is empty, for tests that don't harm it."""
    assert shared_redis.call("FLUSHALL") == b"+OK"
    return shared_redis


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have control planes look at the clock often, since nothing here takes as long as it does elsewhere."""
    monkeypatch.setattr("controlplane.replica.replica.TICK_SECONDS", 0.02)
