"""The API: calls that are repeated, what is written down of them, and what is refused."""

import asyncio
import struct
from dataclasses import replace

import grpc
import pytest

from controlplane.api.service import MAX_TEXT, MAX_WATCHERS
from controlplane.rules.workspace import MAX_FILES
from controlplane.store.contract import Change
from lightbulb.v1 import control_plane_pb2 as pb
from tests.controlplane.planes import DEADLINE, POLICY, Plane, plane, refused, run, told
from tests.controlplane.workspaces import publish_request
from tests.controlplane.worlds import world
from tests.store.redis_server import RedisServer
from tests.waiting import eventually


async def twice(first: Plane, second: Plane) -> None:
    """Make each kind of call at one, and again at the other: it is answered alike, and changes nothing."""
    await first.published(1)
    await first.published(2)
    calls = (
        ("Publish", publish_request(3, request_id="p")),
        ("Publish", publish_request(3, request_id="unchanged")),
        ("Pin", pb.PinRequest(generation=1, author="bob", request_id="pin")),
        ("Rollback", pb.RollbackRequest(generation=1, author="bob", request_id="r")),
        ("Pin", pb.PinRequest(generation=1, release=True, author="bob", request_id="unpin")),
    )
    answers = []
    for name, request in calls:
        answers.append(await getattr(first.stub, name)(request, timeout=DEADLINE))
        await first.settled()
    await first.published(4)
    await first.settled()
    await eventually("the other to know it", lambda: second.version == first.version)
    history, events, rollout = await first.history(), await first.events(), first.rollout
    for (name, request), answer in zip(calls, answers, strict=True):
        again = await getattr(second.stub, name)(request, timeout=DEADLINE)
        assert again == answer
    assert answers[1].unchanged
    assert (answers[2].pinned, answers[4].pinned) == ([1], [])
    assert (await second.history(), await second.events()) == (history, events)
    await eventually("both to agree", lambda: first.rollout == second.rollout == rollout)


def test_a_repeated_call_changes_nothing_and_is_answered_as_the_first_was(store: str) -> None:
    async def scenario() -> None:
        async with world(store, generation=0) as it:
            await twice(it.plane, it.plane)

    run(scenario)


def test_a_call_may_be_repeated_at_another_replica(redis: RedisServer) -> None:
    async def scenario() -> None:
        async with world(redis.url, generation=0) as it, plane(redis.url, name="two") as other:
            await twice(it.plane, other)

    run(scenario)


def test_a_call_may_be_repeated_after_a_restart(store: str) -> None:
    async def scenario() -> None:
        async with world(store) as it:
            answer = await it.plane.publish(2, request_id="p")
            await it.settled()
            version = it.plane.version
            await it.plane.stop()
            async with plane(store) as again:
                repeated = await again.publish(2, request_id="p")
                assert repeated == answer
                assert again.version == version

    run(scenario)


def test_an_id_that_another_request_had_is_refused_at_every_replica(redis: RedisServer) -> None:
    async def scenario() -> None:
        async with world(redis.url) as it, plane(redis.url, name="two") as other:
            request = publish_request(2, request_id="same")
            answer = await it.plane.stub.Publish(request, timeout=DEADLINE)
            await it.settled()
            again = publish_request(2, request_id="same")
            del again.files[:]
            again.files.extend(reversed(request.files))
            assert await other.stub.Publish(again, timeout=DEADLINE) == answer  # the same files
            history = await it.plane.history()
            for each in (it.plane, other):
                for call in (
                    each.publish(3, request_id="same"),
                    each.publish(2, request_id="same", author="eve"),
                    each.roll_back(1, request_id="same"),
                    each.pin(2, request_id="same"),
                ):
                    info = await told(call)
                    assert (info.reason, info.about) == ("REQUEST_ID_USED", {"generation": "2"})
            code, text = await refused(other.publish(3, request_id="same"))
            assert code is grpc.StatusCode.ALREADY_EXISTS
            assert text.startswith("this request id was used for another request, about generation 2")
            assert await other.history() == history

    run(scenario)


def test_one_of_two_requests_that_race_with_one_id_is_carried_out_and_the_other_refused(
    redis: RedisServer,
) -> None:
    async def scenario() -> None:
        async with world(redis.url) as it, plane(redis.url, name="two") as other:
            calls = (it.plane.publish(2, request_id="same"), other.publish(3, request_id="same"))
            answers = await asyncio.gather(*calls, return_exceptions=True)
            (failed,) = [each for each in answers if isinstance(each, grpc.aio.AioRpcError)]
            assert failed.code() is grpc.StatusCode.ALREADY_EXISTS
            assert [each.generation for each in await it.plane.history()] == [2, 1]

    run(scenario)


def test_what_an_older_control_plane_wrote_of_a_request_still_answers_it(store: str) -> None:
    async def scenario() -> None:
        async with world(store) as it:
            await it.settled()
            head = it.plane.store.head()
            change = Change(
                expected=head.version,
                body=head.body,
                request_id="old",
                outcome=struct.pack(">Q??", 1, True, False),
            )
            await it.plane.replica.commit(change)
            answer = await it.plane.publish(2, request_id="old")
            (first,) = await it.plane.history()
            assert (answer.generation, answer.unchanged) == (1, True)
            assert answer.content_hash == first.content_hash

    run(scenario)


def test_the_same_call_at_several_replicas_at_once_is_carried_out_once(redis: RedisServer) -> None:
    async def scenario() -> None:
        async with world(redis.url) as it, plane(redis.url, name="two") as other:
            planes = [it.plane, other] * 4
            answers = await asyncio.gather(*(each.publish(2, request_id="same") for each in planes))
            assert {(each.generation, each.unchanged) for each in answers} == {(2, False)}
            await it.settled()
            answers = await asyncio.gather(*(each.roll_back(request_id="back") for each in planes))
            assert {(each.generation, each.unchanged) for each in answers} == {(1, False)}
            assert [each.generation for each in await other.history()] == [2, 1]
            assert [each for each in await other.events() if each[0] in {"published", "rolled back"}] == [
                ("published", 1),
                ("published", 2),
                ("rolled back", 1),
            ]

    run(scenario)


def test_everything_that_happens_is_in_the_audit_trail_with_its_author(store: str) -> None:
    async def scenario() -> None:
        async with world(store, replace(POLICY, window=0)) as it:
            await it.published(2)
            await it.plane.pin(2)
            await it.plane.pin(2)  # is so already
            await it.plane.pin(2, release=True)
            it.host.refuses = {"rank@3": "no"}
            await it.plane.publish(3, message="bad")
            await eventually("the NACK", lambda: it.plane.rollout.withdrawn == 3)
            await it.settled()
            await it.plane.roll_back(1, reload=True, message="for now")
            await it.settled()
            answer = await it.plane.stub.GetEvents(pb.GetEventsRequest(limit=100), timeout=DEADLINE)
            events = [
                (each.author, each.action, each.generation, each.detail)
                for each in reversed(answer.events)
                if each.action not in {"loading", "routing", "retiring", "unloading", "settled"}
            ]
            assert events == [
                ("ann", "published", 1, "rank@1"),
                ("", "activated", 1, ""),
                ("ann", "published", 2, "rank@2"),
                ("", "activated", 2, ""),
                ("bob", "pinned", 2, ""),
                ("bob", "unpinned", 2, ""),
                ("ann", "published", 3, "bad"),
                ("", "withdrawn", 3, "refused: host h1: rank@3: no"),
                ("bob", "reloaded from 1", 4, "for now"),
                ("", "activated", 4, ""),
            ]
            steps = [action for action, number in await it.plane.events() if number == 2]
            assert steps[:6] == ["published", "routing", "activated", "retiring", "unloading", "settled"]
            times = [each.at for each in answer.events]
            assert times == sorted(times, reverse=True)

    run(scenario)


def test_history_and_events_come_in_pages_that_are_bounded(store: str) -> None:
    async def scenario() -> None:
        async with world(store, replace(POLICY, window=0)) as it:
            await it.published(2, source_revision="r2")
            it.host.hold()
            for _ in range(20):  # each supersedes the one before
                await it.plane.roll_back(1, reload=True)
            numbers = [each.generation for each in await it.plane.history()]
            assert numbers == list(range(22, 2, -1))
            assert [each.generation for each in await it.plane.history(before=3)] == [2, 1]
            assert [each.generation for each in await it.plane.history(before=5, limit=2)] == [4, 3]
            assert len(await it.plane.history(limit=2**32 - 1)) == 22
            assert len(await it.plane.history(before=2**64 - 1)) == 20
            assert await it.plane.history(before=1) == []
            (newest,) = await it.plane.history(limit=1)
            assert (newest.author, newest.state) == ("bob", "on its way")
            (second,) = await it.plane.history(limit=1, before=3)
            assert (second.author, second.message, second.source_revision, second.state) == (
                "ann",
                "rank@2",
                "r2",
                "active",
            )
            assert second.published_at < newest.published_at <= it.plane.replica.now
            assert len(await it.plane.events(limit=0)) == 20
            happened = await it.plane.events(limit=2**32 - 1)
            assert happened[:2] == [("published", 1), ("routing", 1)]
            assert happened[-2:] == [("withdrawn", 21), ("reloaded from 1", 22)]

    run(scenario)


def test_what_differs_between_two_generations_is_told_by_objective_and_shard(store: str) -> None:
    async def scenario() -> None:
        async with world(store, replace(POLICY, window=0)) as it:
            await it.published(2)
            assert it.plane.rollout.live == (
                2,
            )  # the first isn't loaded any more, and is compared all the same
            answer = await it.plane.stub.Diff(pb.DiffRequest(**{"from": 1, "to": 2}), timeout=DEADLINE)
            assert [(each.kind, each.name) for each in answer.differences] == [
                ("objective", "Ranking"),
                ("shard", "a"),
            ]
            ranking, shard = answer.differences
            assert ranking.added == [
                "rank@2 is on vip-a",
                "rules.js defineRankingDefaultRule: everyone else gets rank@2",
            ]
            assert ranking.removed == [
                "rank@1 is on vip-a",
                "rules.js defineRankingDefaultRule: everyone else gets rank@1",
            ]
            assert (shard.added, shard.removed) == (["loads rank@2, 100 MiB"], ["loads rank@1, 100 MiB"])
            same = await it.plane.stub.Diff(pb.DiffRequest(**{"from": 2, "to": 2}), timeout=DEADLINE)
            assert not same.differences
            for unknown in (0, 3, 2**64 - 1):
                call = it.plane.stub.Diff(pb.DiffRequest(**{"from": 1, "to": unknown}), timeout=DEADLINE)
                code, text = await refused(call)
                assert code is grpc.StatusCode.NOT_FOUND
                assert text == f"there is no generation {unknown}; see `lightbulb history`"

    run(scenario)


@pytest.fixture
def long() -> str:
    return "x" * (MAX_TEXT + 1)


def test_texts_and_files_beyond_what_is_taken_are_refused_by_name(store: str, long: str) -> None:
    async def scenario() -> None:
        async with plane(store) as it:
            calls = [
                *(
                    ("Publish", publish_request(1, **{name: long}), name)
                    for name in ("author", "message", "source_revision", "request_id")
                ),
                *(
                    ("Rollback", pb.RollbackRequest(**{name: long}), name)
                    for name in ("author", "message", "request_id")
                ),
                *(("Pin", pb.PinRequest(**{name: long}), name) for name in ("author", "request_id")),
            ]
            for method, request, name in calls:
                code, text = await refused(getattr(it.stub, method)(request, timeout=DEADLINE))
                assert (code, text) == (
                    grpc.StatusCode.INVALID_ARGUMENT,
                    f"{name} is longer than {MAX_TEXT} characters",
                )
            file = pb.WorkspaceFile(path="a.js")
            for files, said in (
                ([file] * 2, "the file 'a.js' is there more than once"),
                ([file] * (MAX_FILES + 1), f"{MAX_FILES + 1} files; at most {MAX_FILES}"),
            ):
                code, text = await refused(it.stub.Publish(pb.PublishRequest(files=files), timeout=DEADLINE))
                assert (code, text) == (grpc.StatusCode.INVALID_ARGUMENT, said)
            assert it.version == 0
            exact = "x" * MAX_TEXT
            assert (await it.publish(1, author=exact, message=exact, request_id=exact)).generation == 1

    run(scenario)


def test_an_empty_workspace_is_answered_with_its_problems(store: str) -> None:
    async def scenario() -> None:
        async with plane(store) as it:
            answer = await it.stub.Publish(pb.PublishRequest(), timeout=DEADLINE)
            assert answer.generation == 0
            assert len(answer.problems) >= 3
            status = await it.status()
            assert (status.detail, status.version) == ("nothing has been published", 0)

    run(scenario)


def test_those_who_watch_are_bounded_and_counted_down_when_they_go(store: str) -> None:
    async def scenario() -> None:
        async with plane(store) as it:
            calls = [it.stub.Watch(pb.WatchRequest()) for _ in range(MAX_WATCHERS)]
            for call in calls:
                await asyncio.wait_for(call.read(), DEADLINE)
            assert (await told(it.stub.Watch(pb.WatchRequest()).read())).reason == "TOO_MANY_WATCHERS"
            one_more = it.stub.Watch(pb.WatchRequest())
            code, text = await refused(one_more.read())
            assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert f"{MAX_WATCHERS} watch already" in text
            calls.pop().cancel()
            again: list[pb.GetStatusResponse] = []

            async def watch() -> None:
                while not again:
                    try:
                        again.append(await it.stub.Watch(pb.WatchRequest()).read())
                    except grpc.aio.AioRpcError:
                        continue

            await asyncio.wait_for(watch(), DEADLINE)
            for call in calls:
                call.cancel()

    run(scenario)
