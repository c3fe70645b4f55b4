"""What relays tell of a real Envoy is what a load sent, to the request; and never more, whatever restarts."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from controlplane.lifecycle.counters import NOTHING_COUNTED
from controlplane.lifecycle.figures import NO_FIGURES, Arms
from controlplane.replica.figures import Counted
from controlplane.xds.special_routes import SpecialRoute
from lightbulb.model import ARM_HEADER
from lightbulb.sidecar.figures import FiguresTeller
from tests.controlplane.planes import Plane, plane, run
from tests.envoy.lab import Lab
from tests.waiting import eventually

pytestmark = pytest.mark.envoy

SHIFT = Counted(objective="Rank", shift=17, candidate="shift-17c", control="shift-17k")
NEW = Counted(objective="New", shift=18, candidate="default-18", control="")
KEY = "Rank|m|1"


ARMS = (
    *(SpecialRoute(name=f"shift-{arm}", key=KEY, arm=arm) for arm in ("17c", "17k")),
    SpecialRoute(name="default-18", key=KEY),
)


@contextlib.asynccontextmanager
async def telling(lab: Lab, *planes: Plane) -> AsyncIterator[None]:
    """Have a relay's teller run; each is another relay's, after the last."""
    teller = FiguresTeller("sidecar-1", [each.target for each in planes], lab.admin)
    await teller.begin()
    running = asyncio.create_task(teller.run())
    try:
        yield
    finally:
        running.cancel()
        await asyncio.wait({running})


def counted_by(it: Plane) -> Arms:
    arms = NO_FIGURES
    for each in it.replica.sums_of(SHIFT):
        arms += each.arms
    return arms


def numbers(arms: Arms) -> tuple[int, int, int, int]:
    return (
        arms.candidate.requests,
        arms.candidate.bad,
        arms.candidate.latencies.total,
        arms.control.requests,
    )


def test_counts_are_the_loads_to_the_request_and_never_more(lab: Lab, store: str) -> None:
    lab.upstream("vip")
    lab.start(lab.world({KEY: "vip"}, special=ARMS))

    async def send(count: int, *, fail: int = 0) -> None:
        """Send so many requests of the candidate, of which some fail, as many of the control, and others."""
        for number in range(count):
            for arm in ("17c", "17k", ""):
                body = b"fail" if arm == "17c" and number < fail else b""
                more = ((ARM_HEADER, arm),) if arm else ()
                await asyncio.to_thread(lab.call, KEY, *more, body=body)

    async def scenario() -> None:
        async with plane(store, name="one") as one, plane(store, name="two") as two:
            for each in (one, two):
                each.replica.figures.interval = 0.05
            async with telling(lab, one, two):
                await send(3)  # nobody asked for them yet
                assert one.replica.figures.routes == ()
                one.replica.figures.count([SHIFT, NEW])
                two.replica.figures.count([SHIFT])
                await send(40, fail=7)
                await eventually("the counts", lambda: numbers(counted_by(one)) == (43, 7, 43, 43))
                rest = [each.arms.candidate for each in one.replica.sums_of(NEW)]
                assert sum(each.requests for each in rest) == 43
                assert one.replica.sidecars_reporting == 1
            await send(5)  # between two relays: these are lost
            async with telling(lab, one, two):
                await send(20)
                await eventually("the counts", lambda: numbers(counted_by(one)) == (63, 7, 63, 63))
                written = one.replica.figures.told(0.0).by_route
                await eventually(
                    "them to be written down", lambda: one.replica._figures_written.by_route == written
                )
                ledger, before = NOTHING_COUNTED.take(one.replica.sums_of(SHIFT))
                assert numbers(before) == (63, 7, 63, 63)
                await one.kill()
                await eventually("the relay, at the other", lambda: two.replica.figures.told(0.0).reporting)
                await send(10)
                await eventually("the counts", lambda: numbers(counted_by(two)) == (73, 7, 73, 73))
                assert numbers(ledger.take(two.replica.sums_of(SHIFT))[1]) == (10, 0, 10, 10)
                two.replica.figures.count(())
                await eventually("all to be forgotten", lambda: not two.replica.figures.told(0.0).by_route)

    run(scenario)


@pytest.fixture
def store(tmp_path: Path) -> str:
    return f"sqlite:{tmp_path}/store.db"
