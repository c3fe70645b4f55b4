"""Who ends in order says goodbye, and holds nothing up; who is killed counts until its lease ends."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from controlplane.rollout.state import Phase
from tests.controlplane.peers import Lightbulb, endpoints, host, sidecar
from tests.controlplane.planes import DEADLINE, POLICY, Plane, plane, run
from tests.controlplane.workspaces import SHARD
from tests.controlplane.worlds import World, world
from tests.waiting import eventually

LONG = replace(POLICY, lease=100 * DEADLINE)
"""Who counts as disconnected counts for as long as a test runs."""


@contextlib.asynccontextmanager
async def process(role: str, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Start a consumer as an operator does."""
    command = (sys.executable, "-m", "controlplane", role, "--listen", "127.0.0.1:0", *arguments)
    child = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.DEVNULL)
    try:
        yield child
    finally:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.wait()


async def seen(it: Plane, name: str) -> None:
    def synced() -> bool:
        return any(each.id == name and each.synced_since for each in it.replica.consumers)

    await eventually(f"{name} to be synced", synced)


def streams(it: Plane, name: str) -> list[bool]:
    """Return of each trace or stream of a consumer that counts whether it is disconnected."""
    return [each.disconnected for each in it.replica.consumers if each.id == name]


async def generations_come_and_go(it: World) -> None:
    """Publish more than may be live at once: it works only if each retires."""
    for version in range(2, 12):
        await it.published(version)


@pytest.mark.parametrize(("role", "more"), [("serve", ()), ("host", ("--shard", SHARD))])
def test_a_process_that_is_told_to_end_is_listed_no_more_and_holds_nothing_up(
    store: str, role: str, more: tuple[str, ...]
) -> None:
    async def scenario() -> None:
        async with world(store, LONG) as it:
            target = ("--control-plane", it.plane.target, "--node-id", "pod-1", *more)
            async with process(role, *target) as child:
                await seen(it.plane, "pod-1")
                child.send_signal(signal.SIGTERM)
                assert await asyncio.wait_for(child.wait(), DEADLINE) == 0
                await eventually("it forgotten", lambda: not streams(it.plane, "pod-1"))
            await generations_come_and_go(it)
            assert (await it.plane.roll_back()).generation == 10

    run(scenario)


def test_a_process_that_is_killed_counts_until_its_lease_ends(store: str) -> None:
    async def scenario() -> None:
        async with world(store, LONG) as it:
            async with process("serve", "--control-plane", it.plane.target, "--node-id", "pod-1") as child:
                await seen(it.plane, "pod-1")
                child.kill()
                await child.wait()
            await it.plane.published(2)
            await it.says("waiting for lightbulb pod-1 (disconnected)")
            assert it.plane.rollout.phase is Phase.RETIRING

    run(scenario)


def test_every_kind_says_goodbye_and_those_that_stay_go_on(store: str) -> None:
    async def scenario() -> None:
        async with world(store, LONG) as it:
            leaving = sidecar("s3"), Lightbulb("l2"), host("h2")
            for peer in leaving:
                await peer.connect(it.plane.target)
            await it.plane.synced(*leaving)
            for peer in leaving:
                await peer.leave()
            for peer in leaving:
                await eventually(f"{peer.id} forgotten", lambda peer=peer: not streams(it.plane, peer.id))
            assert (await it.plane.consumers()).keys() == {"h1", "l1", "s1", "s2"}
            await eventually("endpoints of h1 alone", lambda: len(endpoints(it.sidecars[0])) == 1)
            await generations_come_and_go(it)
            assert "s3" not in it.tables.sidecars

    run(scenario)


def test_one_that_was_cut_off_says_goodbye_on_a_stream_of_its_own(store: str) -> None:
    async def scenario() -> None:
        async with world(store, LONG) as it:
            gone = it.sidecars[1]
            await gone.disconnect()
            await eventually("it gone", lambda: streams(it.plane, "s2") == [True])
            await gone.leave()
            await eventually("the goodbye", lambda: not streams(it.plane, "s2"))
            await it.plane.published(2)
            await it.plane.settled()

    run(scenario)


def test_a_goodbye_at_one_replica_counts_at_all_and_for_what_others_saw_before(store: str) -> None:
    async def scenario() -> None:
        async with world(store, LONG) as it, plane(store, name="two", policy=LONG) as other:
            moving = it.sidecars[1]
            await moving.connect(other.target)
            await other.synced(moving)
            await moving.leave()
            for each in (it.plane, other):
                await eventually("nobody to miss it", lambda each=each: not streams(each, "s2"))
            await it.plane.published(2)
            await it.plane.settled()

    run(scenario)


def test_another_stream_of_the_same_name_stays(store: str) -> None:
    async def scenario() -> None:
        async with world(store, LONG) as it:
            twin = Lightbulb("l1")
            await twin.connect(it.plane.target)
            await eventually("both", lambda: streams(it.plane, "l1") == [False, False])
            await twin.leave()
            await eventually("one", lambda: streams(it.plane, "l1") == [False])

    run(scenario)


def test_one_that_left_and_starts_again_from_disk_is_answered_from_what_it_has(store: str) -> None:
    async def scenario() -> None:
        async with world(store, LONG) as it:
            restarting = it.sidecars[1]
            await restarting.leave()
            await it.plane.published(2)
            await it.lightbulb_at(2)
            await eventually("word of it", lambda: it.tables.generation_for("s2") == 1)
            await restarting.connect(it.plane.target)
            await eventually("word of it", lambda: it.tables.generation_for("s2") == 2)

    run(scenario)


def test_nobody_is_answered_from_what_was_rolled_back_whoever_is_missing(store: str) -> None:
    async def scenario() -> None:
        async with world(store, LONG) as it:
            await it.published(2)
            await it.sidecars[1].disconnect()
            await eventually("it gone", lambda: streams(it.plane, "s2") == [True])
            await it.plane.roll_back()
            await it.lightbulb_at(1)
            assert it.tables.generation_for("") == 1
            assert it.tables.generation_for("nobody-knows") == 1
            assert it.tables.generation_for("s2") == 1

    run(scenario)
