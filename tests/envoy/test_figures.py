"""What relays tell of a real Envoy is what a load sent, to the request; and never more, whatever restarts."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from envoy.config.route.v3 import route_components_pb2, route_pb2
from envoy.type.matcher.v3 import string_pb2

from controlplane.lifecycle.counters import NOTHING_COUNTED
from controlplane.lifecycle.figures import NO_FIGURES, Arms
from controlplane.replica.figures import Counted
from lightbulb.ads.server.snapshot import Snapshot, make_resource
from lightbulb.ads.values import ROUTE
from lightbulb.model import ARM_HEADER
from lightbulb.sidecar.figures import FiguresTeller
from tests.controlplane.planes import Plane, plane, run
from tests.envoy.lab import Lab
from tests.waiting import eventually

pytestmark = pytest.mark.envoy

SHIFT = Counted(objective="Rank", shift=17, candidate="shift-17c", control="shift-17k")
KEY = "Rank|m|1"


def with_arms(snapshot: Snapshot) -> Snapshot:
    """Return a snapshot in which requests of the arms have routes of their own."""
    (resource,) = snapshot.of(ROUTE).values()
    message = route_pb2.RouteConfiguration.FromString(resource.body)
    (everything,) = message.virtual_hosts[0].routes
    routes = [everything]
    for arm in ("17k", "17c"):
        named = route_components_pb2.Route(name=f"shift-{arm}")
        named.MergeFrom(everything)
        exact = string_pb2.StringMatcher(exact=arm)
        named.match.headers.add(name=ARM_HEADER, string_match=exact)
        routes.insert(0, named)
    del message.virtual_hosts[0].routes[:]
    message.virtual_hosts[0].routes.extend(routes)
    body = message.SerializeToString(deterministic=True)
    return snapshot.replace(ROUTE, [make_resource(resource.name, body, resource.refers)])


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
    lab.start(with_arms(lab.world({KEY: "vip"})))

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
                one.replica.figures.count([SHIFT])
                two.replica.figures.count([SHIFT])
                await send(40, fail=7)
                await eventually("the counts", lambda: numbers(counted_by(one)) == (43, 7, 43, 43))
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
                await send(10)
                await eventually("the counts", lambda: numbers(counted_by(two)) == (73, 7, 73, 73))
                assert numbers(ledger.take(two.replica.sums_of(SHIFT))[1]) == (10, 0, 10, 10)
                two.replica.figures.count(())
                await eventually("all to be forgotten", lambda: not two.replica.figures.told(0.0).by_route)

    run(scenario)


@pytest.fixture
def store(tmp_path: Path) -> str:
    return f"sqlite:{tmp_path}/store.db"
