"""A store that is gone, full, or loses an answer: what serves goes on, and what can't be done is refused."""

import asyncio
import contextlib
import os
from dataclasses import replace
from pathlib import Path

import grpc

from controlplane.api.service import MAX_TEXT
from controlplane.rollout.codec import plan_to_bytes, rollout_to_bytes
from controlplane.rollout.state import Phase
from controlplane.store.contract import Change, Unreachable
from controlplane.store.redis import RedisStore
from controlplane.store.sqlite import SqliteStore
from lightbulb.tables.values import IN_STEP
from lightbulb.v1 import control_plane_pb2 as pb
from tests.controlplane.peers import routes, sidecar
from tests.controlplane.planes import DEADLINE, POLICY, refused, run, told
from tests.controlplane.watcher import watching
from tests.controlplane.workspaces import publish_request
from tests.controlplane.worlds import World, world
from tests.store.redis_pair import redis_pair
from tests.store.redis_proxy import RedisProxy
from tests.store.redis_server import DURABLE, RedisServer
from tests.waiting import eventually

PATIENT = replace(POLICY, reconnect=30, lease=60)


async def assert_refused(it: World) -> None:
    """Every call that needs the store says that it can't be reached; what needs none is answered."""
    stub = it.plane.stub
    calls = (
        it.plane.publish(9),
        it.plane.roll_back(1),
        it.plane.pin(1),
        stub.GetHistory(pb.GetHistoryRequest(), timeout=DEADLINE),
        stub.GetEvents(pb.GetEventsRequest(), timeout=DEADLINE),
    )
    for code, text in await asyncio.gather(*map(refused, calls)):
        assert code is grpc.StatusCode.UNAVAILABLE
        assert "nothing has changed" in text
    info = await told(it.plane.pin(1))
    assert (info.reason, info.retry_after) == ("STORE_UNREACHABLE", 1.0)


def test_whatever_befalls_a_redis_what_serves_goes_on_and_it_comes_back_by_itself(tmp_path: Path) -> None:
    async def scenario() -> None:
        troubles = (goes_down, goes_down_during_an_activation, hangs, is_full)
        with contextlib.ExitStack() as stack:
            servers = [
                stack.enter_context(RedisServer(tmp_path / trouble.__name__, *DURABLE))
                for trouble in troubles
            ]
            await asyncio.gather(
                *(trouble(server) for trouble, server in zip(troubles, servers, strict=True))
            )

    run(scenario)


async def goes_down(server: RedisServer) -> None:
    store = RedisStore(server.url, "tests", timeout=0.5)
    async with world(store, PATIENT) as it, watching(it.plane) as watcher:
        streams = it.plane.replica.ads.ids()
        version = it.plane.version
        it.clear()
        server.kill()
        await watcher.sees("word of it", lambda s: "doesn't answer" in s.store_problem)
        await assert_refused(it)
        assert it.plane.replica.ads.ids() == streams
        # who comes now is shown what is known
        late = sidecar("s3")
        await late.connect(it.plane.target)
        await it.plane.synced(late)
        await eventually("Lightbulb to know it", lambda: it.tables.sidecars.get("s3") is IN_STEP)
        assert it.plane.version == version
        await eventually("it to lead no more", lambda: not it.plane.replica.leading)

        server.start()
        await watcher.sees("its end", lambda s: not s.store_problem)
        await eventually("it to lead", lambda: it.plane.replica.leading)
        assert it.plane.replica.ads.ids()[:-1] == streams
        await it.published(2)
        await late.disconnect()


async def goes_down_during_an_activation(server: RedisServer) -> None:
    store = RedisStore(server.url, "tests", timeout=0.5)
    async with world(store, PATIENT) as it:
        it.host.hold()
        await it.plane.publish(2)
        await it.plane.phase(Phase.LOADING)
        server.kill()
        await eventually("its problem", lambda: it.plane.replica.store_problem)
        it.host.release()
        await it.plane.synced(it.host)
        assert it.plane.rollout.phase is Phase.LOADING
        server.start()
        await it.settled()
        assert it.plane.rollout.active == 2


async def hangs(server: RedisServer) -> None:
    store = RedisStore(server.url, "tests", timeout=0.3)
    async with world(store, PATIENT) as it:
        server.pause()
        try:
            await eventually("its problem", lambda: it.plane.replica.store_problem)
            await assert_refused(it)
        finally:
            server.resume()
        await eventually("its end", lambda: not it.plane.replica.store_problem)
        await it.published(2)


def test_after_a_failover_it_says_what_is_wrong_and_leads_again_once_the_name_has_moved(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        with redis_pair(tmp_path) as pair:
            async with world(pair.url, PATIENT) as it, watching(it.plane) as watcher:
                streams = it.plane.replica.ads.ids()
                await asyncio.to_thread(pair.fail_over)
                await watcher.sees("word of it", lambda s: "it is a read-only replica" in s.store_problem)
                code, text = await refused(it.plane.publish(2))
                assert code is grpc.StatusCode.UNAVAILABLE
                assert "it is a read-only replica" in text
                pair.move()
                await watcher.sees("its end", lambda s: not s.store_problem)
                await eventually("it to lead", lambda: it.plane.replica.leading)
                await it.published(2)
                assert it.plane.replica.ads.ids() == streams

    run(scenario)


async def is_full(server: RedisServer) -> None:
    async with world(server.url, PATIENT) as it, watching(it.plane) as watcher:
        server.call("CONFIG", "SET", "maxmemory", "1")
        await watcher.sees("word of it", lambda s: "raise its maxmemory" in s.store_problem)
        code, text = await refused(it.plane.publish(2))
        assert code is grpc.StatusCode.UNAVAILABLE
        assert "it is full" in text
        told = set()

        def lease_ended() -> bool:
            told.add(it.plane.replica.store_problem)
            return not it.plane.replica.leading

        await eventually("its lease to end", lease_ended)
        assert "" not in told  # that it can be read meanwhile is no help
        server.call("CONFIG", "SET", "maxmemory", "0")
        await watcher.sees("its end", lambda s: not s.store_problem)
        await it.published(2)


def test_an_answer_that_is_lost_is_told_and_the_call_may_be_repeated(
    redis: RedisServer, tmp_path: Path
) -> None:
    async def scenario(proxy: RedisProxy) -> None:
        store = RedisStore(proxy.url, "tests", timeout=1.0)
        async with world(store) as it:
            proxy.loses = (b"EVALSHA", b"request-7")
            code, text = await refused(it.plane.publish(2, request_id="request-7"))
            assert code is grpc.StatusCode.UNAVAILABLE
            assert "unless only its answer was lost" in text
            await it.plane.active(2)  # it was taken
            proxy.loses = ()
            answer = await it.plane.publish(2, request_id="request-7")
            assert (answer.generation, answer.unchanged) == (2, False)
            await it.settled()
            assert [each.generation for each in await it.plane.history()] == [2, 1]

    with RedisProxy(redis, tmp_path / "proxy") as proxy:
        run(lambda: scenario(proxy))


def test_a_step_whose_answer_is_lost_is_taken_once(redis: RedisServer, tmp_path: Path) -> None:
    async def scenario(proxy: RedisProxy) -> None:
        store = RedisStore(proxy.url, "tests", timeout=1.0)
        async with world(store) as it:
            it.host.hold()
            await it.plane.publish(2)
            proxy.loses = (b"EVALSHA", b"activated")
            it.host.release()
            await it.settled()
            events = await it.plane.events()
            assert events.count(("activated", 2)) == 1
            assert events.count(("routing", 2)) == 1

    with RedisProxy(redis, tmp_path / "proxy") as proxy:
        run(lambda: scenario(proxy))


def test_a_disk_that_is_full_is_told_and_what_serves_goes_on(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = SqliteStore(tmp_path / "store.db", "tests")
        async with world(store, PATIENT) as it:
            await it.published(2)
            fill(store)
            long = "x" * MAX_TEXT
            calls = (
                it.plane.stub.Publish(publish_request(3, message=long), timeout=DEADLINE),
                it.plane.stub.Rollback(pb.RollbackRequest(message=long), timeout=DEADLINE),
                it.plane.stub.Pin(pb.PinRequest(generation=1, author=long), timeout=DEADLINE),
            )
            for code, text in await asyncio.gather(*map(refused, calls)):
                assert code is grpc.StatusCode.UNAVAILABLE
                assert "make room on its disk" in text
                assert "nothing has changed" in text
            assert it.plane.rollout.active == 2
            assert [each.generation for each in await it.plane.history()] == [2, 1]  # it can be read
            late = sidecar("s3")
            await late.connect(it.plane.target)
            await it.plane.synced(late)
            may_grow(store, 10_000)
            await it.plane.roll_back(1)
            await it.lightbulb_at(1)
            await it.published(3)
            await late.disconnect()

    run(scenario)


def test_a_redis_that_was_emptied_is_told_and_what_is_known_is_shown_on(redis: RedisServer) -> None:
    async def scenario() -> None:
        async with world(redis.url) as it:
            assert redis.call("FLUSHALL") == b"+OK"
            await eventually("its problem", lambda: "emptied or replaced" in it.plane.replica.store_problem)
            code, text = await refused(it.plane.publish(2))
            assert code is grpc.StatusCode.INTERNAL
            assert "restore a backup of it, or start this process again" in text
            late = sidecar("s3")
            await late.connect(it.plane.target)
            await it.plane.synced(late)
            await late.disconnect()
            assert it.lightbulb.generation == 1

    run(scenario)


def test_a_generation_that_no_sidecar_could_serve_ends_nobody(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = SqliteStore(tmp_path / "store.db", "tests")
        async with world(store) as it:
            # what a version with other checks may have published
            good = it.plane.replica.known.generations[1].plan
            bad = replace(good, routes=tuple(replace(each, vip="nowhere") for each in good.routes))
            entry = replace(store.entry(1), number=2, content_hash=store.put_blob(plan_to_bytes(bad, "")))
            target = replace(
                it.plane.rollout, phase=Phase.ROUTING, target=2, desired_version=it.plane.version + 1
            )
            store.commit(Change(expected=it.plane.version, body=rollout_to_bytes(target), entry=entry))
            await it.plane.phase(Phase.ROUTING)
            assert (await it.plane.status()).target_generation == 2
            assert routes(it.sidecars[0], "Ranking|rank|1")
            await it.plane.roll_back(1)
            await it.settled()
            assert it.plane.rollout.live == (1,)

    run(scenario)


def fill(store: SqliteStore) -> None:
    """Let the file grow no more, and fill what is left of it: SQLite then says that the disk is full."""
    may_grow(store, 0)
    for size in (100_000, 10_000, 1_000, 100):
        with contextlib.suppress(Unreachable):
            while True:
                store.put_blob(os.urandom(size))


def may_grow(store: SqliteStore, pages: int) -> None:
    """Have SQLite say that the disk is full once the file has so many more pages."""
    with store._file.writing() as db:
        (now,) = db.execute("PRAGMA page_count").fetchone()
        db.execute(f"PRAGMA max_page_count={now + pages}")
