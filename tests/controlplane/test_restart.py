"""A control plane that ends and starts again on the same file: consumers don't notice."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from controlplane.cli.processes import free_ports
from controlplane.replica.replica import Replica
from controlplane.rollout.state import Phase, Policy
from controlplane.store.open import open_store
from lightbulb.ads.values import ACTIVE_GENERATION, SIDECAR_STATE
from lightbulb.tables.values import IN_STEP
from tests.controlplane.peers import endpoints, host, sidecar
from tests.controlplane.planes import DEADLINE, POLICY, Plane, plane, run
from tests.controlplane.test_replicas import snapshots
from tests.controlplane.worlds import World, world
from tests.waiting import eventually

PATIENT = replace(POLICY, reconnect=30, lease=60)
"""Consumers that are to be missing for a while are waited for."""

ENDS = pytest.mark.parametrize("how", ["stop", "kill"])


@contextlib.asynccontextmanager
async def restarted(it: World, store: str, how: str, policy: Policy = PATIENT) -> AsyncIterator[Plane]:
    """Have another control plane on the same file, and the same port, when that of `it` has ended."""
    await (it.plane.kill() if how == "kill" else it.plane.stop())
    async with plane(store, policy=policy, port=it.plane.port) as again:
        yield again


@contextlib.asynccontextmanager
async def fixed(store: str, policy: Policy = PATIENT) -> AsyncIterator[World]:
    async with world(store, policy, port=free_ports(1)[0]) as it:
        yield it


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the next life of a control plane that was killed wait less for the end of the one before."""
    monkeypatch.setattr("controlplane.replica.reports.REPLICA_SECONDS", 1.5)
    monkeypatch.setattr("controlplane.replica.store_watcher.LEASE_SECONDS", 1.5)
    monkeypatch.setattr("controlplane.replica.store_watcher.BEAT_SECONDS", 0.5)


@ENDS
@pytest.mark.usefixtures("hasty")
def test_the_same_is_shown_and_nobody_is_sent_anything(store: str, how: str) -> None:
    async def scenario() -> None:
        async with fixed(store) as it:
            await it.published(2)
            before = snapshots(it.plane, it.peers)
            if how == "kill":
                await it.plane.has_reported()
            it.clear()
            async with restarted(it, store, how) as again:
                await again.synced(*it.peers)
                assert snapshots(again, it.peers) == before
                assert [+peer.sent for peer in it.peers] == [
                    Counter(),
                    Counter(),
                    Counter(),
                    Counter({ACTIVE_GENERATION: 1}),
                ]
                await eventually("it to lead", lambda: again.replica.leading)
                await again.published(3)
                await it.lightbulb_at(3)

    run(scenario)


def test_hosts_that_have_not_come_back_yet_are_still_sent_requests(store: str) -> None:
    async def scenario() -> None:
        async with fixed(store) as it:
            late = host("h2")
            await late.connect(it.plane.target)
            both = {it.host.port, late.port}
            one = it.sidecars[0]
            await eventually("both hosts", lambda: endpoints(one) == both)
            await it.settled()
            await it.plane.synced(*it.peers, late)
            before = snapshots(it.plane, it.sidecars)
            it.clear()
            await it.plane.stop()
            await late.disconnect()
            async with plane(store, policy=PATIENT, port=it.plane.port) as again:
                await again.synced(*it.peers)
                assert (await again.consumers())["h2"].disconnected
                assert snapshots(again, it.sidecars) == before
                assert +one.sent == Counter()

    run(scenario)


def test_a_host_that_doesnt_come_back_is_sent_nothing_in_the_end(store: str) -> None:
    async def scenario() -> None:
        async with fixed(store) as it:
            lost = host("h2")
            await lost.connect(it.plane.target)
            one = it.sidecars[0]
            await eventually("both hosts", lambda: endpoints(one) == {it.host.port, lost.port})
            await it.plane.synced(*it.peers, lost)
            await it.plane.stop()
            await lost.disconnect()
            async with plane(store, policy=replace(PATIENT, reconnect=0.5), port=it.plane.port) as again:
                await again.synced(*it.peers)
                await eventually("its address to go", lambda: endpoints(one) == {it.host.port})

    run(scenario)


def test_who_came_a_moment_before_the_end_is_remembered(store: str) -> None:
    async def scenario() -> None:
        async with fixed(store) as it:
            newest = sidecar("s3")
            await newest.connect(it.plane.target)
            await eventually("word of it", lambda: it.tables.sidecars.get("s3") is IN_STEP)
            await it.plane.stop()
            assert it.plane.replica._reports.is_written
            await newest.disconnect()
            it.clear()
            async with plane(store, policy=PATIENT, port=it.plane.port) as again:
                await again.synced(*it.peers)
                assert it.lightbulb.sent[SIDECAR_STATE] == 0
                assert (await again.consumers())["s3"].disconnected

    run(scenario)


@pytest.mark.parametrize("phase", [Phase.LOADING, Phase.ROUTING, Phase.RETIRING])
def test_an_activation_that_was_under_way_goes_on(store: str, phase: Phase) -> None:
    async def scenario() -> None:
        async with fixed(store) as it:
            held = {Phase.LOADING: it.host, Phase.ROUTING: it.sidecars[0], Phase.RETIRING: it.lightbulb}[
                phase
            ]
            held.hold(*([ACTIVE_GENERATION] if phase is Phase.RETIRING else []))
            await it.plane.publish(2)
            await it.plane.phase(phase)
            rollout = it.plane.rollout
            async with restarted(it, store, "stop") as again:
                assert again.rollout == rollout
                await again.knows(*it.peers)
                assert again.rollout.phase is phase  # it waits as it did before
                held.release()
                await it.lightbulb_at(2)
                await again.settled()
                await again.synced(*it.peers)
                assert [each for each in await again.events() if each[0] == "activated"] == [
                    ("activated", 1),
                    ("activated", 2),
                ]

    run(scenario)


def test_what_sidecars_route_is_remembered(store: str) -> None:
    async def scenario() -> None:
        policy = replace(PATIENT, routing=0.3, max_unavailable=0.6)
        async with fixed(store, policy) as it:
            late = it.sidecars[1]
            late.hold()
            await it.plane.publish(2)
            await it.lightbulb_at(2)
            assert [it.tables.generation_for(name) for name in ("s1", "s2")] == [2, 1]
            await it.plane.synced(it.host, it.sidecars[0], it.lightbulb)
            await it.plane.stop()
            await it.sidecars[0].disconnect()  # so that there is nothing to know them by
            await late.disconnect()
            async with plane(store, policy=policy, port=it.plane.port) as again:
                await again.synced(it.lightbulb)
                assert [it.tables.generation_for(name) for name in ("s1", "s2")] == [2, 1]
                late.release()
                await late.connect(again.target)
                await eventually("word of it", lambda: it.tables.generation_for("s2") == 2)
                assert it.tables.generation_for("s1") == 2
                # the other is still disconnected, and within its lease
                assert again.rollout.phase is Phase.RETIRING or again.rollout.active == 2

    run(scenario)


def test_two_of_one_name_dont_run_at_once(store: str, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with fixed(store) as it:
            again = Plane(open_store(store, "tests"), policy=PATIENT)
            starting = asyncio.create_task(again.start())
            await eventually("it to be told", lambda: "another control plane is called one" in caplog.text)
            assert not starting.done()
            await it.plane.stop()
            await asyncio.wait_for(starting, DEADLINE)
            assert again.rollout.active == 1
            await again.stop()

    run(scenario)


def test_a_control_plane_ends_whenever_it_is_told_to(store: str) -> None:
    async def scenario() -> None:
        with contextlib.closing(open_store(store, "tests")) as opened:
            for turns in range(6):
                replica = Replica(opened, name=f"r{turns}")
                await replica.start()
                running = asyncio.create_task(replica.run())
                await eventually(
                    "it to wait for something to happen", lambda r=replica: not r._changed.is_set()
                )
                replica._touch(1)  # something happens, and in that moment it is told to end
                for _ in range(turns):
                    await asyncio.sleep(0)
                running.cancel()
                done, _ = await asyncio.wait({running}, timeout=DEADLINE)
                assert done, "it goes on"
                await replica.stop()

    run(scenario)
