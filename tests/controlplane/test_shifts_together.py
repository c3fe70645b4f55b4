"""A shift through publishes, failovers, other operators and other tenants."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace

import grpc
import grpc.aio
import pytest

from controlplane.lifecycle.state import ShiftState
from lightbulb.ads.client.session import Update
from lightbulb.ads.values import OBJECTIVE_CONTROL
from lightbulb.model import RequestContext
from lightbulb.resolution.resolve import Resolution
from lightbulb.v1 import control_plane_pb2 as pb
from tests.controlplane.peers import Lightbulb, host, sidecar
from tests.controlplane.planes import DEADLINE, POLICY, Plane, plane, run, told
from tests.controlplane.test_shifts import NEXT, USERS, control, is_at, is_over, shifted
from tests.controlplane.test_tenants import OTHER, both_active, publish
from tests.controlplane.worlds import world
from tests.waiting import eventually


class Watched(Lightbulb):
    """Notes who is shifted after each thing that it is told: one entry for as long as that stays so."""

    def __init__(self) -> None:
        super().__init__("l2")
        self.seen: list[frozenset[str]] = []
        self.others: list[Mapping[str, Resolution]] = []
        """Each answer of another objective, to everybody; one entry for as long as that stays so."""

    async def apply(self, update: Update) -> Mapping[str, str]:
        refused = await super().apply(update)
        found = self.feed.tables.resolver("Ranking", self.generation)
        answers = {} if found is None else {u: found.resolve(RequestContext(user_id=u)) for u in USERS}
        now = frozenset(user for user, answer in answers.items() if answer.target.name == "next")
        if answers and (not self.seen or self.seen[-1] != now):
            self.seen.append(now)
        other = self.feed.tables.resolver("Fraud", self.generation)
        others = {} if other is None else {u: other.resolve(RequestContext(user_id=u)) for u in USERS}
        if others and (not self.others or self.others[-1] != others):
            self.others.append(others)
        return refused


def test_nobody_flaps_over_ten_publishes_and_a_leader_that_is_killed(store: str) -> None:
    async def scenario() -> None:
        watched = Watched()
        peers = (host(), sidecar("s1"), watched)
        async with plane(store, name="one") as one, plane(store, name="two") as two:
            for peer in peers:
                await peer.connect(one.target, two.target)
            await eventually("a leader", lambda: one.replica.leading or two.replica.leading)
            await one.knows(*peers)
            await one.published(1, **NEXT)
            await one.shift(model="next", steps=[2_500, 5_000])
            await eventually("a quarter to be shifted", lambda: len(watched.seen) == 2)
            await in_force(one)
            leader, other = (one, two) if one.replica.leading else (two, one)
            for number in range(10):
                if number == 5:
                    await leader.kill()
                    await eventually("another to lead", lambda: other.replica.leading)
                await other.published(1, **NEXT, memory=f"{101 + number}MiB")
            assert [len(each) for each in watched.seen[:1]] == [0]
            assert len(watched.seen) == 2
            await in_force(other)
            await other.shift("step")
            await eventually("half to be shifted", lambda: len(watched.seen) == 3)
            assert watched.seen[1] < watched.seen[2]
            for peer in peers:
                await peer.disconnect()

    async def in_force(at: Plane) -> None:
        def so() -> bool:
            found = at.replica.known.lanes.controls.get("Ranking")
            return found is not None and bool(found.shift.in_force)

        await eventually("the shift to be in force", so)

    run(scenario)


def test_a_leader_that_is_killed_while_it_takes_a_shift_back_is_followed_by_one_that_does(store: str) -> None:
    async def scenario() -> None:
        policy = replace(POLICY, lease=600)
        async with world(store, policy, generation=0) as it, plane(store, name="two", policy=policy) as two:
            await it.published(1, **NEXT)
            await it.plane.shift(model="next", steps=[5_000])
            await is_at(it, ShiftState.RUNNING, 5_000)
            it.lightbulb.hold(OBJECTIVE_CONTROL)
            await it.plane.shift("abort")
            await it.plane.kill()
            for peer in (it.host, *it.sidecars, it.lightbulb):
                await peer.connect(two.target)
            await eventually("another to lead", lambda: two.replica.leading)
            await eventually("the laggard to be seen", lambda: two.replica.acked["Ranking"].lightbulbs)
            assert two.replica.known.lanes.controls["Ranking"].shift.state is ShiftState.ABORTING
            it.lightbulb.release()
            await eventually("it to be over", lambda: "Ranking" not in two.replica.known.lanes.controls)
            assert shifted(it) == set()

    run(scenario)


async def code_of(call: grpc.aio.UnaryUnaryCall) -> grpc.StatusCode:
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


@pytest.mark.parametrize("first", [0, 2, 4])
def test_what_comes_at_the_same_moment_is_put_in_order_and_nothing_is_half_done(
    store: str, first: int
) -> None:
    async def scenario() -> None:
        watched = Watched()
        async with world(store, generation=0) as it:
            await it.published(1, **NEXT, memory="101MiB")
            await it.published(1, **NEXT)
            await watched.connect(it.plane.target)
            await it.plane.synced(*it.peers, watched)
            await it.plane.shift(model="next", steps=[5_000])
            await is_at(it, ShiftState.RUNNING, 5_000)
            calls = [
                it.plane.publish(1),  # without its model
                it.plane.roll_back(),
                it.plane.shift(model="next", steps=[6_000]),
                it.plane.shift("step"),
                it.plane.shift("abort"),
            ]
            codes = await asyncio.gather(*map(code_of, (*calls[first:], *calls[:first])))
            assert set(codes) <= {grpc.StatusCode.OK, grpc.StatusCode.FAILED_PRECONDITION}
            await code_of(it.plane.shift("abort"))  # the start may have come after the other was over
            await is_over(it)
            await it.settled()
            await it.plane.synced(watched)
            assert shifted(it) == watched.seen[-1] == set()
            assert len(watched.others) == 1  # not by one bit, whatever came
            await watched.disconnect()

    run(scenario)


def test_a_shift_is_a_matter_of_its_tenant_alone(store: str) -> None:
    async def scenario() -> None:
        async with world(store, generation=0) as it:
            await it.published(1, **NEXT)
            await both_active(it)
            before = it.plane.rollout_of(OTHER)
            theirs = pb.ShiftRequest(objective="Ranking", tenant=OTHER, start=started(500))
            assert (await told(it.plane.stub.Shift(theirs))).reason == "OBJECTIVE_NOT_SERVED"
            await it.plane.shift(model="next", steps=[5_000])
            await is_at(it, ShiftState.RUNNING, 5_000)
            held = pb.ShiftRequest(objective="Ranking", tenant=OTHER, verb=pb.SHIFT_VERB_ABORT)
            assert (await told(it.plane.stub.Shift(held))).reason == "OBJECTIVE_NOT_SERVED"
            assert it.plane.rollout_of(OTHER) == before
            moved = shifted(it)
            await publish(it.plane, 2)
            await eventually(
                "theirs to be active", lambda: it.plane.rollout_of(OTHER).active != before.active
            )
            found = control(it)
            assert found is not None
            assert found.shift.state is ShiftState.RUNNING
            assert shifted(it) == moved
            offer = pb.OfferRequest(objective="Ranking", to=OTHER, author="ann")
            await it.plane.stub.Offer(offer, timeout=DEADLINE)
            take = it.plane.stub.Take(pb.TakeRequest(objective="Ranking", tenant=OTHER, author="eve"))
            assert (await told(take)).reason == "SHIFT_STANDS"

    def started(*steps: int) -> pb.StartShift:
        return pb.StartShift(model="next", steps=steps)

    run(scenario)
