"""Rollback, reload, pins, and what leaves to make room."""

from collections import Counter
from dataclasses import replace

import grpc
import pytest

from controlplane.rollout.state import Phase
from lightbulb.ads.values import ACTIVE_GENERATION
from lightbulb.v1 import control_plane_pb2 as pb
from tests.controlplane.planes import POLICY, refused, run
from tests.controlplane.watcher import watching
from tests.controlplane.worlds import World, world
from tests.waiting import eventually

NO_WINDOW = replace(POLICY, window=0)


def sent(it: World) -> dict[str, set[str]]:
    """Return the types of which each consumer was sent anything."""
    return {peer.id: set(+peer.sent) for peer in it.peers}


def test_a_rollback_is_one_resource_at_lightbulb_and_nothing_elsewhere(store: str) -> None:
    async def scenario() -> None:
        async with world(store) as it:
            await it.published(2, 3)
            assert it.plane.rollout.live == (1, 2, 3)
            for number, expected in [(0, 2), (0, 1), (3, 3), (2, 2), (3, 3)]:
                it.clear()
                answer = await it.plane.roll_back(number)
                assert (answer.generation, answer.unchanged, answer.on_its_way) == (expected, False, False)
                await it.settled()
                assert it.lightbulb.generation == expected
                assert sent(it) == {"h1": set(), "s1": set(), "s2": set(), "l1": {ACTIVE_GENERATION}}
                assert it.plane.rollout.live[-1] == expected

            version = it.plane.version
            assert (await it.plane.roll_back(3)).unchanged
            assert it.plane.version == version
            assert [each.state for each in await it.plane.history()] == ["active", "loaded", "loaded"]

    run(scenario)


def test_pressed_again_a_rollback_goes_back_says_what_it_left_and_the_history_shows_the_mark(
    store: str,
) -> None:
    async def scenario() -> None:
        async with world(store) as it:
            await it.published(2, 3)
            first = await it.plane.roll_back(request_id="first")
            second = await it.plane.roll_back()
            assert [(each.generation, each.left) for each in (first, second)] == [(2, 3), (1, 2)]
            assert await it.plane.roll_back(request_id="first") == first
            code, text = await refused(it.plane.roll_back())
            assert code is grpc.StatusCode.FAILED_PRECONDITION
            assert "the others that are loaded were rolled back from: 2, 3." in text
            assert [each.rolled_back for each in await it.plane.history()] == [True, True, False]
            await it.published(4)
            assert (await it.plane.roll_back()).generation == 1

    run(scenario)


def test_a_dry_run_says_what_a_rollback_would_do_and_changes_nothing(store: str) -> None:
    async def scenario() -> None:
        async with world(store, NO_WINDOW) as it:
            await it.published(2)
            await it.settled()
            before = it.plane.rollout
            unchanged = await it.plane.roll_back(2, dry_run=True)
            assert (unchanged.generation, unchanged.unchanged, unchanged.left) == (2, True, 0)
            reload = await it.plane.roll_back(1, reload=True, dry_run=True)
            assert (reload.generation, reload.on_its_way, reload.left) == (3, True, 2)
            code, _ = await refused(it.plane.roll_back(dry_run=True))
            assert code is grpc.StatusCode.FAILED_PRECONDITION
            assert it.plane.rollout == before
            assert len(await it.plane.history()) == 2

    run(scenario)


def test_two_who_undo_the_same_generation_at_the_same_time_undo_one(store: str) -> None:
    async def scenario() -> None:
        async with world(store) as it:
            await it.published(2, 3)
            assert (await it.plane.roll_back(expected_newest=3)).generation == 2
            code, text = await refused(it.plane.roll_back(expected_newest=3))
            assert code is grpc.StatusCode.FAILED_PRECONDITION
            assert "somebody rolled back from it already, and now 2 is" in text
            assert it.plane.rollout.active == 2

    run(scenario)


def test_a_rollback_that_cant_be_says_what_to_do_and_changes_nothing(store: str) -> None:
    async def scenario() -> None:
        async with world(store, NO_WINDOW, generation=0) as it:
            code, text = await refused(it.plane.roll_back())
            assert (code, text) == (
                grpc.StatusCode.FAILED_PRECONDITION,
                "nothing is active yet; publish a workspace first",
            )
            await it.published(1)
            code, text = await refused(it.plane.roll_back())
            assert code is grpc.StatusCode.FAILED_PRECONDITION
            assert "no generation but 1 is loaded" in text
            await it.published(2)

            before = it.plane.rollout
            code, text = await refused(it.plane.roll_back(1))
            assert code is grpc.StatusCode.FAILED_PRECONDITION
            assert "generation 1 is not loaded; loaded are 2. " in text
            assert "lightbulb rollback 1 --reload" in text
            for unknown in (99, 2**63, 2**64 - 1):
                for reload in (False, True):
                    code, text = await refused(it.plane.roll_back(unknown, reload=reload))
                    assert code is grpc.StatusCode.NOT_FOUND
                    assert text == f"there is no generation {unknown}; see `lightbulb history`"
            assert it.plane.rollout == before
            assert len(await it.plane.history()) == 2

    run(scenario)


def test_a_generation_that_expired_is_loaded_again_as_a_new_one_with_the_same_content(store: str) -> None:
    async def scenario() -> None:
        async with world(store, NO_WINDOW) as it:
            await it.published(2)
            await it.loaded("rank@2", "fraud@1")
            it.host.hold()
            answer = await it.plane.roll_back(1, reload=True, message="2 is slow")
            assert (answer.generation, answer.on_its_way) == (3, True)
            await it.plane.phase(Phase.LOADING)
            assert it.lightbulb.generation == 2  # it serves on meanwhile
            it.host.release()
            await it.settled()
            await it.loaded("rank@1", "fraud@1")
            newest, _, oldest = await it.plane.history()
            assert newest.content_hash == oldest.content_hash
            assert (newest.generation, newest.author, newest.message) == (3, "bob", "2 is slow")
            assert ("reloaded from 1", 3) in await it.plane.events()
            assert (await it.plane.publish(1)).unchanged  # it is what is active

            # one that is loaded needs no reload
            answer = await it.plane.roll_back(3, reload=True)
            assert answer.unchanged

    run(scenario)


@pytest.mark.parametrize(
    ("phase", "number", "expected"),
    [(Phase.LOADING, 0, 2), (Phase.ROUTING, 0, 2), (Phase.ROUTING, 1, 1), (Phase.ROUTING, 2, 2)],
)
def test_a_rollback_ends_what_is_on_its_way(store: str, phase: Phase, number: int, expected: int) -> None:
    async def scenario() -> None:
        async with world(store) as it:
            await it.published(2)
            held = it.host if phase is Phase.LOADING else it.sidecars[0]
            held.hold()
            await it.plane.publish(3)
            await it.plane.phase(phase)
            code, text = await refused(it.plane.roll_back(3))
            assert code is grpc.StatusCode.FAILED_PRECONDITION
            assert "generation 3 is on its way already" in text

            answer = await it.plane.roll_back(number)
            assert (answer.generation, answer.on_its_way) == (expected, False)
            held.release()
            await it.settled()
            assert it.plane.rollout.active == expected
            now = await it.plane.status()
            assert now.failed_generation == 3
            assert now.failure == f"superseded by the rollback to generation {expected}"
            await it.loaded("rank@1", "rank@2", "fraud@1")
            events = await it.plane.events()
            assert ("withdrawn", 3) in events
            assert ("rolled back", expected) in events

    run(scenario)


def test_a_pinned_generation_stays_until_it_is_released(store: str) -> None:
    async def scenario() -> None:
        async with world(store, replace(POLICY, window=1)) as it:
            assert await it.plane.pin(1) == [1]
            await it.published(2, 3, 4)
            assert it.plane.rollout.live == (1, 3, 4)  # what is pinned, what is in the window, what is active
            assert [each.state for each in await it.plane.history()] == [
                "active",
                "loaded",
                "",
                "loaded, pinned",
            ]
            code, text = await refused(it.plane.pin(2))
            assert code is grpc.StatusCode.FAILED_PRECONDITION
            assert text == "generation 2 is not loaded; loaded are 1, 3, 4"
            for release in (False, True):
                code, text = await refused(it.plane.pin(99, release=release))
                assert code is grpc.StatusCode.NOT_FOUND
                assert text == "there is no generation 99; see `lightbulb history`"
            code, text = await refused(it.plane.pin(3, release=True))
            assert code is grpc.StatusCode.FAILED_PRECONDITION
            assert text == "generation 3 is not pinned; 1"

            await it.plane.roll_back(1)
            await it.settled()
            assert it.plane.rollout.live == (4, 1)
            await it.plane.roll_back(4)
            await it.settled()
            assert await it.plane.pin(1, release=True) == []
            await it.published(5, 6)
            assert it.plane.rollout.live == (5, 6)
            await it.loaded("rank@5", "rank@6", "fraud@1")
            assert [each for each in await it.plane.events() if "pinned" in each[0]] == [
                ("pinned", 1),
                ("unpinned", 1),
            ]

    run(scenario)


def test_pins_are_bounded(store: str) -> None:
    async def scenario() -> None:
        async with world(store) as it:
            for number in (1, 2, 3):
                await it.plane.pin(number)
                await it.published(number + 1)
            code, text = await refused(it.plane.pin(4))
            assert code is grpc.StatusCode.FAILED_PRECONDITION
            assert text == "1, 2, 3 are pinned already; unpin one: lightbulb pin --release N"

    run(scenario)


SMALL = {"room": "330MiB"}
"""Takes three of the models at once."""


def test_the_oldest_generations_leave_first_when_memory_is_short(store: str) -> None:
    async def scenario() -> None:
        async with world(store, generation=0) as it:
            await it.published(1, 2, 3, **SMALL)
            assert it.plane.rollout.live == (1, 2, 3)
            async with watching(it.plane) as watcher:
                it.sidecars[0].hold()
                await it.plane.publish(4, **SMALL)
                await watcher.sees(
                    "room being made",
                    lambda s: (s.phase, s.detail) == (pb.PHASE_RELEASING, "waiting for sidecar s1"),
                )
                assert list(watcher.told[-1].live_generations) == [2, 3]
                assert "rank@1" in it.host.resources[it.host.types[0]]  # a sidecar routes it still
                assert "rank@4" not in it.host.resources[it.host.types[0]]
                assert it.lightbulb.generation == 3
                it.sidecars[0].release()
                await it.settled()
                await it.loaded("rank@2", "rank@3", "rank@4", "fraud@1")
            assert [action for action, number in await it.plane.events() if number == 4] == [
                "published",
                "loading",
                "routing",
                "activated",
                "retiring",
                "settled",
            ]

            # of what may leave, what was active last stays longest; what is pinned stays
            await it.plane.roll_back(2)
            await it.settled()
            await it.plane.pin(3)
            await it.published(5, **SMALL)
            assert it.plane.rollout.live == (3, 2, 5)

    run(scenario)


def test_what_clients_may_hold_never_leaves_to_make_room_and_a_publish_waits(store: str) -> None:
    async def scenario() -> None:
        async with world(store, generation=0) as it:
            for number in (1, 2, 3):
                await it.plane.published(number, cache="10m", **SMALL)
            for number in (4, 5):
                response = await it.plane.publish(number, cache="10m", **SMALL)
                assert response.generation == number
                await it.says_that_begins("no room yet: clients may hold old keys until ")
                status = await it.plane.status()
                assert (status.phase, status.target_generation) == (pb.PHASE_WAITING, number)
                assert list(status.live_generations) == [1, 2, 3]
            assert (await it.plane.roll_back()).generation == 3
            assert it.plane.rollout.live == (1, 2, 3)

    run(scenario)


def test_a_publish_that_waits_for_room_goes_on_by_itself(store: str) -> None:
    async def scenario() -> None:
        async with world(store, replace(POLICY, lease=600), generation=0) as it:
            await it.published(1, **SMALL)
            await it.lightbulb.disconnect()  # for all that is known, it goes on answering from 1
            for number in (2, 3):
                await it.plane.published(number, **SMALL)
            await it.plane.publish(4, **SMALL)
            await it.says("waiting for lightbulb l1 (disconnected)")
            assert (it.plane.rollout.phase, it.plane.rollout.release) == (Phase.WAITING, (1,))
            await it.lightbulb.connect(it.plane.target)
            await it.plane.active(4)
            assert it.plane.rollout.live == (2, 3, 4)
            assert ("releasing", 4) in await it.plane.events()
            await it.settled()
            await it.loaded("rank@2", "rank@3", "rank@4", "fraud@1")

    run(scenario)


def test_a_lightbulb_that_comes_during_a_rollback_takes_the_newest_only(store: str) -> None:
    async def scenario() -> None:
        async with world(store) as it:
            await it.published(2)
            await it.lightbulb.disconnect()
            await it.plane.roll_back(1)
            it.lightbulb.sent = Counter()
            await it.lightbulb.connect(it.plane.target)
            await it.lightbulb_at(1)
            assert set(+it.lightbulb.sent) == {ACTIVE_GENERATION}

    run(scenario)


def test_one_that_was_withdrawn_is_told_apart_and_can_be_loaded_once_it_is_mended(store: str) -> None:
    async def scenario() -> None:
        async with world(store) as it:
            it.host.refuses = {"rank@2": "no"}
            await it.plane.publish(2)
            await eventually("the NACK", lambda: it.plane.rollout.withdrawn == 2)
            await it.published(3)  # now the rollout itself knows of it no more
            assert [each.state for each in await it.plane.history()] == ["active", "withdrawn", "loaded"]
            _, text = await refused(it.plane.roll_back(2))
            assert text == (
                "generation 2 is not loaded; loaded are 1, 3. To load it, which takes as long as a publish: "
                "lightbulb rollback 2 --reload"
            )
            it.host.refuses = {}
            assert (await it.plane.roll_back(2, reload=True)).on_its_way
            await it.plane.active(4)

    run(scenario)


def test_nobody_is_told_to_reload_what_isnt_kept(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controlplane.admin.commits.KEPT_GENERATIONS", 2)

    async def scenario() -> None:
        async with world(store, NO_WINDOW) as it:
            await it.published(2, 3, 4)
            _, text = await refused(it.plane.roll_back(1))
            assert text == (
                "generation 1 is not loaded; loaded are 4. "
                "Its content isn't kept any more: publish its files anew"
            )

    run(scenario)
