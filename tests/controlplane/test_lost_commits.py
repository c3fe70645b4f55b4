"""A store that lost commits that somebody has seen: it is told, nothing is done, and one command goes on."""

import contextlib
import sqlite3
from pathlib import Path

import grpc

from controlplane.rollout.state import Phase
from controlplane.store.redis import RedisStore
from lightbulb.v1 import control_plane_pb2 as pb
from tests.cli.test_rollouts import done
from tests.controlplane.peers import models
from tests.controlplane.planes import DEADLINE, Plane, plane, refused, run, told
from tests.controlplane.worlds import World, world
from tests.store.redis_pair import RedisPair, redis_pair
from tests.waiting import eventually

OLD = {"rank@3", "rank@4", "rank@5", "fraud@1"}


def backup(path: Path, to: Path) -> None:
    """Copy a store as its operator would."""
    with contextlib.closing(sqlite3.connect(path)) as db, contextlib.closing(sqlite3.connect(to)) as copy:
        db.backup(copy)


def restore(backup: Path, path: Path) -> None:
    """Put a backup in a store's place."""
    for each in path.parent.glob(f"{path.name}-*"):
        each.unlink()
    backup.replace(path)


async def resume(at: Plane, **more: object) -> pb.ResumeStoreResponse:
    request = pb.ResumeStoreRequest(author="olga", **more)
    return await at.stub.ResumeStore(request, timeout=DEADLINE)


async def lose(it: World, pair: RedisPair) -> int:
    """Publish generation 2, which only the primary has, and kill that. Return the version that is lost."""
    await it.published(1)
    pair.part()
    await it.published(2)
    seen = it.plane.version
    pair.primary.kill()
    pair.move()
    await eventually("word of it", lambda: it.plane.replica.store_loss)
    return seen


def test_it_is_told_and_what_a_replica_knows_is_put_back(tmp_path: Path) -> None:
    async def scenario(pair: RedisPair) -> None:
        store = RedisStore(pair.url, "tests", timeout=1.0)
        async with world(store, generation=0) as it:
            seen = await lose(it, pair)
            status = await it.plane.status()
            assert "the store lost commits: it is at version" in status.store_problem
            assert (status.store_loss.seen, status.store_loss.seen_by) == (seen, "control plane one")
            assert status.store_loss.version < seen
            error = await told(it.plane.publish(3))
            assert error.reason == "STORE_LOST_COMMITS"
            assert it.lightbulb.generation == 2
            preview = await resume(it.plane, dry_run=True)
            assert it.plane.replica.store_loss
            it.clear()
            resumed = await resume(it.plane)
            assert resumed == preview
            assert (list(resumed.restored), resumed.lost_from, resumed.begins_again) == ([2], 0, False)
            assert resumed.version > seen
            await it.settled()
            assert (await resume(it.plane)).unchanged
            await it.published(3)
            assert it.lightbulb.generation == 3
            assert [each.generation for each in await it.plane.history()] == [3, 2, 1]
            assert ("resumed", 0) in await it.plane.events()

    with redis_pair(tmp_path) as pair:
        run(lambda: scenario(pair))


def test_what_nobody_knows_is_loaded_and_routed_again_before_anything_goes(tmp_path: Path) -> None:
    """As after a backup: the control plane starts with the file of an earlier day."""

    async def scenario() -> None:
        path = tmp_path / "store.db"
        async with world(f"sqlite:{path}", generation=0) as it:
            await it.published(1)
            backup(path, tmp_path / "backup.db")
            await it.published(2, 3, 4, 5)
            seen = it.plane.version
            assert models(it.host) == OLD
            await it.plane.stop()
            restore(tmp_path / "backup.db", path)
            async with plane(f"sqlite:{path}") as again:
                it.host.hold()
                for peer in it.peers:
                    await peer.connect(again.target)
                await eventually("word of it", lambda: again.replica.store_loss)
                status = await again.status()
                assert status.store_loss.seen == seen
                assert status.store_loss.seen_by.split()[0] in {"host", "sidecar", "lightbulb"}
                assert (await told(again.publish(6))).reason == "STORE_LOST_COMMITS"
                resumed = await resume(again)
                assert resumed.begins_again
                assert not resumed.restored
                assert (resumed.lost_from, resumed.lost_to >= 5) == (2, True)
                await again.phase(Phase.LOADING)
                assert again.rollout.active == 0
                code, text = await refused(again.roll_back(3))
                assert (code, text) == (
                    grpc.StatusCode.NOT_FOUND,
                    "generation 3 was lost with commits of the store; see `lightbulb history`",
                )
                it.host.release()
                await eventually("it to be loaded beside", lambda: models(it.host) == {"rank@1", *OLD})
                await again.active(1)
                await eventually("generation 1 at Lightbulb", lambda: it.lightbulb.generation == 1)
                await again.settled()
                await eventually("the rest to go", lambda: models(it.host) == {"rank@1", "fraud@1"})
                number = await again.published(6)
                assert number == resumed.lost_to + 1
                await eventually("it at Lightbulb", lambda: it.lightbulb.generation == number)
                for peer in it.peers:
                    await peer.disconnect()

    run(scenario)


def test_the_command_says_what_is_lost_asks_and_goes_on(tmp_path: Path) -> None:
    async def scenario(pair: RedisPair) -> None:
        store = RedisStore(pair.url, "tests", timeout=1.0)
        async with world(store, generation=0) as it:
            before = await done(it.plane, "store", "resume")
            assert (before.code, "nothing was lost" in before.out) == (0, True)
            await lose(it, pair)
            status = await done(it.plane, "status")
            assert "lightbulb store resume" in status.out
            asked = await done(it.plane, "store", "resume")
            assert (asked.code, "add --yes" in asked.err) == (1, True)
            assert "generations that a control plane still knows: 2; put back" in asked.err
            assert it.plane.replica.store_loss
            went_on = await done(it.plane, "store", "resume", "--yes", "-m", "redis-1")
            assert (went_on.code, "it goes on at version" in went_on.out) == (0, True)
            events = await done(it.plane, "events")
            assert "redis-1" in events.out
            await it.published(3)

    with redis_pair(tmp_path) as pair:
        run(lambda: scenario(pair))
