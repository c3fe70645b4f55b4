"""One objective goes back to an older generation, and nothing else does."""

from types import MappingProxyType

import grpc

from controlplane.lifecycle.state import HoldBack
from controlplane.rollout.codec import lanes_from_bytes, lanes_to_bytes
from controlplane.rollout.lanes import Lanes
from controlplane.rollout.state import Phase, Rollout
from lightbulb.ads.values import OBJECTIVE_CONTROL
from lightbulb.model import RequestContext
from lightbulb.resolution.resolve import Resolution
from lightbulb.v1 import control_plane_pb2 as pb_api
from lightbulb.v1 import store_pb2 as pb
from tests.controlplane.peers import routes
from tests.controlplane.planes import refused, run, told
from tests.controlplane.relays import relays, route
from tests.controlplane.worlds import World, world
from tests.waiting import eventually

WHO = RequestContext(user_id="u")


def answer(it: World, objective: str = "Ranking") -> Resolution:
    found = it.tables.resolver(objective, it.lightbulb.generation)
    assert found is not None
    return found.resolve(WHO)


def held(it: World) -> HoldBack | None:
    return it.plane.replica.known.lanes.held_back.get("Ranking")


async def answered_by(it: World, version: str) -> None:
    await eventually(f"an answer of rank@{version}", lambda: answer(it).target.version == version)


def test_an_objective_is_answered_from_before_until_another_table_of_it_comes(store: str) -> None:
    async def scenario() -> None:
        async with world(store) as it:
            await it.published(2)
            other, before = answer(it, "Fraud"), it.plane.rollout.active
            it.clear()
            back = await it.plane.roll_back(objective="Ranking", message="it was worse")
            assert (back.generation, back.answered_from, back.unchanged) == (2, 1, False)
            await answered_by(it, "1")
            assert answer(it, "Fraud") is other
            assert it.plane.rollout.active == before
            assert {peer.id: set(+peer.sent) for peer in it.peers} == {
                "h1": set(),
                "s1": set(),
                "s2": set(),
                "l1": {OBJECTIVE_CONTROL},
            }
            assert (await it.plane.roll_back(objective="Ranking")).unchanged
            assert it.plane.rollout.pinned == (1,)
            code, text = await refused(it.plane.pin(1, release=True))
            assert code is grpc.StatusCode.FAILED_PRECONDITION
            assert "Ranking is answered from generation 1" in text

            # The same table by other numbers is rejected, too; what it is answered from stays.
            await it.published(2, 2, memory="110MiB")
            await it.published(2, memory="120MiB")
            assert it.plane.rollout.active == 4
            assert answer(it).target.version == "1"
            assert 1 in it.plane.rollout.live
            assert all(routes(each, "Ranking|rank|1") for each in it.sidecars)

            await it.published(3)
            await answered_by(it, "3")
            await eventually("it to be let go", lambda: held(it) is None)
            assert it.plane.rollout.pinned == ()
            happened = [action for action, _ in await it.plane.events()]
            assert happened.count("held back") == 1
            assert happened.count("hold-back ended") == 1

    run(scenario)


def test_what_an_objective_cant_go_back_to_is_refused(store: str) -> None:
    async def scenario() -> None:
        async with world(store) as it:
            await it.published(2)
            roll_back = it.plane.roll_back
            for call, reason in [
                (roll_back(objective="Fraud"), "NOT_HELD_BACK"),
                (roll_back(2, objective="Ranking"), "NOT_HELD_BACK"),
                (roll_back(7, objective="Ranking"), "UNKNOWN_GENERATION"),
                (roll_back(objective="Nope"), "OBJECTIVE_NOT_SERVED"),
                (roll_back(1, objective="Ranking", reload=True), "INVALID_REQUEST"),
            ]:
                assert (await told(call)).reason == reason
            assert held(it) is None
            await roll_back(1, objective="Ranking")
            assert (await told(it.plane.shift(model="rank", steps=[500]))).reason == "MODEL_NOT_SERVED"

    run(scenario)


def test_a_hold_back_is_in_the_head_and_older_control_planes_refuse_that() -> None:
    lanes = Lanes(MappingProxyType({"default": Rollout(phase=Phase.SETTLED, entered=1.0)}))
    hold = HoldBack(
        objective="Ranking",
        version=9,
        rejected=3,
        table="a1",
        answer_from=2,
        pins=True,
        entered=5.0,
        author="bob",
        why="worse",
        until=7.5,
    )
    body = lanes_to_bytes(lanes.with_hold_back(hold, 9))
    assert lanes_from_bytes(body) == lanes.with_hold_back(hold, 9)
    assert pb.StoredLanes.FromString(body).format == 5


def test_a_new_default_that_fails_too_often_is_held_back_by_itself(store: str) -> None:
    async def scenario() -> None:
        async with world(store) as it, relays(it.plane, "s1", "s2") as tell:
            guards = 'guards: ["errors:5%", "p99:251ms"], interval: "1s", minSample: 20'
            await it.plane.published(2, guarded=guards)
            other, active = answer(it, "Fraud"), it.plane.rollout.active
            await eventually("it to be judged", lambda: it.plane.replica.known.lanes.new_defaults)
            (new,) = it.plane.replica.known.lanes.new_defaults.values()
            await eventually(
                "its route", lambda: all(routes(each, f"default-{new.number}") for each in it.sidecars)
            )
            (said,) = (await it.plane.status()).new_defaults
            assert (said.model, said.rule) == ("rank@2", "rules.js:1 defineRankingDefaultRule")
            assert "p99:251ms is judged as 260ms" in said.guards[1].note
            counted = it.plane.replica.figures
            await eventually("something to be counted", lambda: len(counted.routes) == 1)
            await tell(route(counted.routes[0], ("0", "-", 20), ("14", "-", 80)))
            await answered_by(it, "1")
            assert answer(it, "Fraud") is other
            assert it.plane.rollout.active == active
            events = (await it.plane.stub.GetEvents(pb_api.GetEventsRequest(limit=50))).events
            (event,) = [each for each in events if each.action == "held back"]
            assert event.author == ""
            assert "answered from generation 1: by its guard errors: " in event.detail
            assert "(80.0 %)" in event.detail
            assert counted.routes == ()

    run(scenario)
