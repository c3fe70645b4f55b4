"""Both stores do the same, to the word: whatever is asked of them, in whatever order."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controlplane.store.contract import Change, Lease, Store, StoreError
from tests.depth import examples
from tests.store.places import LONG, Place, RedisPlace, SqlitePlace, entry, event
from tests.store.redis_server import RedisServer

NAMES = st.sampled_from(["a", "b", "ü\n"])
BODIES = st.binary(max_size=20)
CHANGES = st.builds(
    Change,
    expected=st.integers(-1, 6),
    body=BODIES,
    events=st.lists(NAMES.map(event), max_size=3).map(tuple),
    token=st.none() | st.integers(0, 4),
    entry=st.none() | st.integers(0, 5).map(entry),
    request_id=st.sampled_from(["", "", "q", "r", "s"]),
    outcome=BODIES,
)
NEXT_CHANGES = st.builds(
    lambda change, numbered: (change, numbered), CHANGES.map(lambda c: replace(c, expected=0)), st.booleans()
)
"""Changes that are decided on what is there, so that most of them are taken."""

Call = Callable[[Store], object]


def commit_next(change: Change, numbered: bool) -> Call:
    def call(store: Store) -> object:
        following = entry(len(store.log()) + 1) if numbered else None
        return store.commit(replace(change, expected=store.head().version, entry=following))

    return call


def lease(holder: str) -> Call:
    def call(store: Store) -> object:
        taken = store.lease(holder, LONG)
        return taken and (taken.holder, taken.token)

    return call


CALLS: st.SearchStrategy[Call] = st.one_of(
    CHANGES.map(lambda change: lambda store: store.commit(change)),
    NEXT_CHANGES.map(lambda pair: commit_next(*pair)),
    NEXT_CHANGES.map(lambda pair: commit_next(replace(pair[0], token=None), pair[1])),
    NAMES.map(lease),
    st.integers(0, 4).map(
        lambda token: lambda store: store.release(Lease(holder="a", token=token, expires=0.0))
    ),
    st.tuples(NAMES, BODIES).map(lambda pair: lambda store: store.put_report(*pair)),
    NAMES.map(lambda replica: lambda store: store.drop_report(replica)),
    BODIES.map(lambda blob: lambda store: store.put_blob(blob)),
    BODIES.map(lambda blob: lambda store: store.blob(blob.hex())),
    st.integers(-1, 6).map(lambda number: lambda store: store.entry(number)),
    st.tuples(st.none() | st.integers(-1, 6), st.integers(-1, 4)).map(
        lambda pair: lambda store: store.log(before=pair[0], limit=pair[1])
    ),
    st.integers(-1, 4).map(lambda limit: lambda store: store.events(limit=limit)),
)


def came_of(call: Call, store: Store) -> object:
    try:
        return call(store)
    except StoreError as error:
        return type(error), str(error)


def everything(store: Store) -> object:
    outcomes = [store.outcome(name) for name in ("", "q", "r", "s")]
    return store.head(), store.log(), store.events(), outcomes, list(store.reports().items())


@pytest.fixture(scope="module")
def server(shared_redis: RedisServer) -> RedisServer:
    return shared_redis


@settings(deadline=None, max_examples=examples(60), suppress_health_check=[HealthCheck.too_slow])
@given(calls=st.lists(CALLS, max_size=25))
def test_both_stores_agree(server: RedisServer, calls: list[Call]) -> None:
    server.call("FLUSHALL")
    with TemporaryDirectory() as folder:
        places: tuple[Place, ...] = SqlitePlace(Path(folder, "store.db")), RedisPlace(server, 0)
        with places[0].opened, places[1].opened:
            one, other = (place.open() for place in places)
            for call in calls:
                before = one.wait("", 0), other.wait("", 0)
                assert came_of(call, one) == came_of(call, other)
                assert everything(one) == everything(other)
                changed = one.wait("", 0) != before[0], other.wait("", 0) != before[1]
                assert changed[0] == changed[1]
