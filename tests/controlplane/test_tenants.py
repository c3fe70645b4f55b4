"""Two tenants on one control plane: what one does, or what goes wrong with it, is its own matter."""

from dataclasses import replace

import grpc
import pytest

from controlplane.api.status import status
from controlplane.rollout.state import Phase
from lightbulb.ads.values import OBJECTIVE_TABLES, ROUTE
from lightbulb.v1 import control_plane_pb2 as pb
from tests.controlplane.peers import Lightbulb, models, routes
from tests.controlplane.planes import DEADLINE, POLICY, Plane, refused, run
from tests.controlplane.workspaces import publish_request
from tests.controlplane.worlds import World, world
from tests.waiting import eventually

OTHER = "payments"


def request(version: int, tenant: str = OTHER, **changes: object) -> pb.PublishRequest:
    """The workspace of another tenant: its objective is Checkout, answered by pay@`version`."""
    files = {
        "objectives.yaml": "objectives:\n  - {name: Checkout, input_type: PAYMENT, owner: pay,"
        " deadline: 10ms, cache_lifetime: 10ms}\n",
        "models.yaml": f'models:\n  - {{name: pay, version: "{version}", memory: 10MiB}}\n',
        "experiments.yaml": "experiments: []\n",
        "rules.js": "function defineCheckoutRule() { return {\n"
        '  targetObjectives: ["Checkout"], modelInputType: "PAYMENT", modelType: "SCORER",\n'
        '  defaultModel: {name: "pay"}}; }\n',
    }
    listed = [pb.WorkspaceFile(path=path, content=text.encode()) for path, text in files.items()]
    return pb.PublishRequest(**{"files": listed, "author": "eve", "tenant": tenant, **changes})


async def publish(plane: Plane, version: int, **changes: object) -> int:
    response = await plane.stub.Publish(request(version, **changes), timeout=DEADLINE)
    assert not response.problems
    return response.generation


async def active(plane: Plane, number: int) -> None:
    await eventually(
        f"generation {number} of {OTHER} to be active", lambda: plane.rollout_of(OTHER).active == number
    )


FLEET = "shards:\n  - {name: a, vip: vip-a, memory: 2GiB}\n"
TENANTS = "tenants:\n  - {name: default, owner: home}\n  - {name: payments, owner: pay}\n"


async def platform(
    plane: Plane, fleet: str = FLEET, tenants: str = TENANTS, **changes: object
) -> pb.PublishResponse:
    """Publish the platform's own workspace."""
    files = [
        pb.WorkspaceFile(path=path, content=text.encode())
        for path, text in (("fleet.yaml", fleet), ("tenants.yaml", tenants))
    ]
    request = pb.PublishRequest(**{"files": files, "author": "ops", "tenant": "platform", **changes})
    return await plane.stub.Publish(request, timeout=DEADLINE)


async def both_active(it: World) -> None:
    """Generation 1 is the default tenant's, 2 the platform's, and 3 the other's."""
    assert (await platform(it.plane)).generation == 2
    assert await publish(it.plane, 1) == 3
    await active(it.plane, 3)
    await it.settled()
    await eventually("the other to settle", lambda: it.plane.rollout_of(OTHER).phase is Phase.SETTLED)


def test_each_tenant_is_answered_from_its_own_generation(store: str) -> None:
    async def scenario() -> None:
        async with world(store) as it:
            await both_active(it)
            assert models(it.host) == {"rank@1", "fraud@1", "pay@1"}
            assert all(
                routes(each, "Checkout|pay|1") and routes(each, "Ranking|rank|1") for each in it.sidecars
            )
            found = {tenant: each.number for tenant, each in it.tables.generations.items()}
            assert found == {"default": 1, OTHER: 3}
            assert it.tables.tenant_of("Checkout") == OTHER
            assert await it.plane.published(2, without=("fleet.yaml",)) == 4
            await eventually("the default's at Lightbulb", lambda: it.lightbulb.generation == 4)
            assert it.plane.rollout_of(OTHER).active == 3
            assert await publish(it.plane, 2) == 5
            await active(it.plane, 5)
            await it.plane.stub.Rollback(pb.RollbackRequest(tenant=OTHER, author="eve"), timeout=DEADLINE)
            assert (it.plane.rollout_of(OTHER).active, it.plane.rollout.active) == (3, 4)
            await it.plane.roll_back()
            assert (it.plane.rollout_of(OTHER).active, it.plane.rollout.active) == (3, 1)

    run(scenario)


def test_a_tenant_whose_host_loads_for_ever_holds_up_nobody_else(store: str) -> None:
    async def scenario() -> None:
        async with world(store) as it:
            await both_active(it)
            it.host.refuses["pay@2"] = "still loading"
            stuck = await publish(it.plane, 2)
            await eventually("the refusal", lambda: it.plane.rollout_of(OTHER).withdrawn == stuck)
            assert await it.plane.published(2, without=("fleet.yaml",)) == stuck + 1
            assert it.plane.rollout_of(OTHER).active == 3

    run(scenario)


@pytest.mark.parametrize("trouble", ["refuses", "answers nothing"])
def test_a_tenant_whose_routes_a_sidecar_never_takes_holds_up_nobody_else(store: str, trouble: str) -> None:
    async def scenario() -> None:
        async with world(store) as it:
            await both_active(it)
            one = it.sidecars[0]
            if trouble == "refuses":
                one.refuses["Checkout"] = "no such filter"
                stuck = await publish(it.plane, 2)
                await eventually("the refusal", lambda: it.plane.rollout_of(OTHER).withdrawn == stuck)
            else:
                it.lightbulb.hold(OBJECTIVE_TABLES)
                await publish(it.plane, 2)
                await eventually("routing", lambda: it.plane.rollout_of(OTHER).phase is Phase.ROUTING)
                it.lightbulb.release()
            before = it.plane.rollout_of(OTHER)
            number = await it.plane.published(2, without=("fleet.yaml",))
            assert it.plane.rollout.active == number
            await it.plane.settled()
            if trouble == "refuses":
                assert it.plane.rollout_of(OTHER).active == before.active

    run(scenario)


def test_a_publish_waits_for_room_that_another_tenant_is_about_to_make_and_says_so(store: str) -> None:
    async def scenario() -> None:
        async with world(store, replace(POLICY, lease=600)) as it:
            await platform(it.plane, fleet=FLEET.replace("2GiB", "460MiB"))
            await active(it.plane, await publish(it.plane, 1))
            for version in (2, 3):
                await it.published(version, without=("fleet.yaml",))
            await (
                it.lightbulb.disconnect()
            )  # for all that is known, it goes on answering from what was active
            await it.plane.published(4, without=("fleet.yaml",))
            large = request(2)
            models_yaml = next(each for each in large.files if each.path == "models.yaml")
            models_yaml.content = models_yaml.content.replace(b"10MiB", b"100MiB")
            response = await it.plane.stub.Publish(large, timeout=DEADLINE)
            assert not response.problems
            said = "no room yet: generation 1 of tenant default must leave by "
            await eventually("it to be said", lambda: status(it.plane.replica, OTHER).detail.startswith(said))
            waiting = it.plane.rollout_of(OTHER)
            assert (waiting.phase, waiting.awaits) == (Phase.WAITING, (1,))
            await it.lightbulb.connect(it.plane.target)
            await active(it.plane, response.generation)
            assert it.plane.rollout.live == (4, 5, 6)

    run(scenario)


def test_what_a_laggard_of_one_tenant_is_told_is_right_for_both(store: str) -> None:
    async def scenario() -> None:
        async with world(store) as it:
            await both_active(it)
            one = it.sidecars[0]
            one.refuses["Checkout"] = "no such filter"
            await publish(it.plane, 2)
            await eventually("the refusal", lambda: it.plane.rollout_of(OTHER).withdrawn == 4)
            await eventually("the answer", lambda: it.tables.generation_for("s1", OTHER) == 3)
            assert it.tables.generation_for("s1") == 1

    run(scenario)


def test_numbers_objectives_and_models_of_others_are_refused_by_name(store: str) -> None:
    async def scenario() -> None:
        async with world(store) as it:
            await both_active(it)
            for call in (
                it.plane.stub.Rollback(pb.RollbackRequest(generation=3, author="a"), timeout=DEADLINE),
                it.plane.stub.Pin(pb.PinRequest(generation=1, tenant=OTHER, author="a"), timeout=DEADLINE),
            ):
                code, text = await refused(call)
                assert code is grpc.StatusCode.FAILED_PRECONDITION
                assert "tenant" in text
            theirs = await it.plane.stub.Publish(
                publish_request(7, tenant=OTHER, without=("fleet.yaml",)), timeout=DEADLINE
            )
            assert {each.code for each in theirs.problems} == {"OBJECTIVE_IN_USE"}
            assert all("tenant default's" in each.message for each in theirs.problems)
            changed = request(1)
            for file in changed.files:
                if file.path == "models.yaml":
                    file.content = b'models:\n  - {name: pay, version: "1", memory: 11MiB}\n'
            changed.tenant = ""
            ours = await it.plane.stub.Publish(changed, timeout=DEADLINE)
            assert {each.code for each in ours.problems} == {"OBJECTIVE_IN_USE", "OTHER_DEFINITION"}
            assert it.plane.rollout.active == 1
            assert it.plane.rollout_of(OTHER).active == 3

    run(scenario)


def test_status_history_and_events_tell_whose_they_are(store: str) -> None:
    async def scenario() -> None:
        async with world(store) as it:
            await both_active(it)
            status = await it.plane.stub.GetStatus(pb.GetStatusRequest(tenant=OTHER), timeout=DEADLINE)
            assert (status.tenant, status.active_generation) == (OTHER, 3)
            assert [(lane.tenant, lane.active_generation) for lane in status.lanes] == [
                ("default", 1),
                (OTHER, 3),
            ]
            history = await it.plane.stub.GetHistory(pb.GetHistoryRequest(tenant=OTHER), timeout=DEADLINE)
            assert [(each.generation, each.tenant, each.state) for each in history.entries] == [
                (3, OTHER, "active")
            ]
            events = await it.plane.stub.GetEvents(
                pb.GetEventsRequest(tenant=OTHER, limit=1000), timeout=DEADLINE
            )
            assert {each.generation for each in events.events} == {3}

    run(scenario)


def test_a_lightbulb_that_knows_no_tenants_is_shown_the_default_ones(store: str) -> None:
    async def scenario() -> None:
        async with world(store) as it:
            old = Lightbulb("old")
            del old.node.metadata["tenants"]
            await both_active(it)
            await old.connect(it.plane.target)
            try:
                await eventually("its generation", lambda: old.generation == 1)
                assert set(old.feed.tables.objectives) == {"Ranking", "Fraud"}
                assert set(old.feed.tables.generations) == {"default"}
                assert await it.plane.published(2, without=("fleet.yaml",)) == 4  # which waits for it
                await eventually("its generation", lambda: old.generation == 4)
                assert await publish(it.plane, 2) == 5
                await active(it.plane, 5)
                assert old.sent[ROUTE] == 0
            finally:
                await old.disconnect()

    run(scenario)
