from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from controlplane.store.contract import Store
from tests.store.places import Place, RedisPlace, SqlitePlace
from tests.store.redis_server import RedisServer


@pytest.fixture(scope="session")
def shared_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A server for tests that don't harm it."""
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def redis(shared_redis: RedisServer) -> RedisServer:
    """The shared server, emptied."""
    assert shared_redis.call("FLUSHALL") == b"+OK"
    return shared_redis


@pytest.fixture(params=["sqlite", "redis"])
def new_place(request: pytest.FixtureRequest, tmp_path) -> Iterator[Callable[[], Place]]:
    """Gives places of one kind, each without a store."""
    places: list[Place] = []

    def new() -> Place:
        if request.param == "sqlite":
            place: Place = SqlitePlace(tmp_path / f"store-{len(places)}.db")
        else:
            place = RedisPlace(request.getfixturevalue("redis"), len(places))
        places.append(place)
        return place

    yield new
    for place in places:
        place.opened.close()


@pytest.fixture
def place(new_place: Callable[[], Place]) -> Place:
    return new_place()


@pytest.fixture
def store(place: Place) -> Store:
    return place.open()


@pytest.fixture
def background() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as executor:
        yield executor
