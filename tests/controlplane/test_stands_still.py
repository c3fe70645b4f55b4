"""A control plane that is stopped for a while, and goes on: nobody is late, or gone, for that while.

Its clocks go on as they do then; that nothing was read meanwhile, its consumers' silence stands for.
"""

import time
from dataclasses import replace
from pathlib import Path

from controlplane.replica.consumer_tracker import ConsumerTracker
from controlplane.rollout.registry import Consumer
from controlplane.rollout.state import Phase
from controlplane.store.sqlite import SqliteStore
from controlplane.xds.snapshot_cache import SnapshotCache
from lightbulb.ads.server.server import AdsServer
from tests.controlplane.planes import POLICY, run
from tests.controlplane.worlds import World, world
from tests.waiting import eventually

STILL = 100.0
PATIENT = replace(POLICY, routing=50, lease=50, reconnect=50, max_unavailable=0)
"""Waits for less than that, and for longer than a test takes."""


class Clock:
    def __init__(self) -> None:
        self.more = 0.0

    def __call__(self) -> float:
        return time.time() + self.more


async def stands_still(it: World, clock: Clock) -> None:
    """Have the time pass, and the control plane look at what there is now."""
    replica = it.plane.replica
    began = replica.now
    clock.more += STILL
    await eventually("it to lead again", lambda: replica.now > began + STILL and replica.leading)
    said = replica.progress
    await eventually("a look at everybody", lambda: replica.progress is not said)


def test_who_is_late_or_gone_is_waited_for_anew(tmp_path: Path) -> None:
    async def scenario() -> None:
        clock = Clock()
        store = SqliteStore(tmp_path / "store.db", "tests", clock=clock)
        async with world(store, PATIENT) as it:
            late, gone = it.sidecars
            late.hold()
            await it.plane.publish(2)
            await it.plane.phase(Phase.ROUTING)
            await gone.disconnect()
            await eventually("it to be gone", lambda: "s2" in disconnected(it))
            await stands_still(it, clock)
            assert it.plane.rollout.target == 2
            assert disconnected(it) == {"s2"}
            late.release()
            await gone.connect(it.plane.target)
            await it.lightbulb_at(2)

    run(scenario)


def test_an_old_trace_of_one_that_was_elsewhere_since_is_no_newer_by_that() -> None:
    here, moved = (Consumer(id=each, kind="sidecar").lost(1.0, orphaned=False) for each in ("s1", "s2"))
    tracker = ConsumerTracker(AdsServer(lambda _: None), lambda _: None, SnapshotCache())
    tracker.adopt((here, moved))
    tracker.wake((here, replace(moved, since=2.0)), STILL, PATIENT)
    assert {each.id: each.since for each in tracker.consumers(STILL, PATIENT)} == {"s1": STILL}


def disconnected(it: World) -> set[str]:
    return {each.id for each in it.plane.replica.consumers if each.disconnected}
