"""A tenant that has no objectives any more can be left out: its rollout ends, and everybody lets go of it."""

from controlplane.rollout.state import Phase
from lightbulb.tables.values import NO_ACTIVE
from lightbulb.v1 import control_plane_pb2 as pb
from tests.controlplane.peers import models
from tests.controlplane.planes import DEADLINE, Plane, plane, run, told
from tests.controlplane.test_tenants import FLEET, OTHER, active, both_active, platform, publish, request
from tests.controlplane.worlds import world
from tests.waiting import eventually

ALONE = "tenants:\n  - {name: default, owner: home}\n"


async def without_objectives(plane: Plane) -> int:
    """Publish the other tenant's workspace with nothing in it."""
    texts = {name: f"{name}: []\n" for name in ("objectives", "models", "experiments")}
    files = [pb.WorkspaceFile(path=f"{name}.yaml", content=text.encode()) for name, text in texts.items()]
    response = await plane.stub.Publish(pb.PublishRequest(files=files, tenant=OTHER), timeout=DEADLINE)
    assert not response.problems
    return response.generation


def test_a_tenant_that_is_left_out_ends_and_may_come_again(store: str) -> None:
    async def scenario() -> None:
        async with world(store) as it, plane(store, name="two") as another:
            await both_active(it)
            said = await platform(it.plane, FLEET, ALONE)
            assert [each.code for each in said.problems] == ["TENANT_IN_USE"]
            number = await without_objectives(it.plane)
            await active(it.plane, number)
            assert not (await platform(it.plane, FLEET, ALONE)).problems
            info = await told(it.plane.stub.Publish(request(2), timeout=DEADLINE))
            assert info.reason == "UNKNOWN_TENANT"
            await eventually("Lightbulb to let go", lambda: set(it.tables.generations) == {"default"})
            await eventually("its model to go", lambda: models(it.host) == {"rank@1", "fraud@1"})
            assert set(it.tables.objectives) == {"Ranking", "Fraud"}
            assert it.plane.rollout.active == 1
            await it.plane.published(2, without=("fleet.yaml",))
            await eventually("its lane to go", lambda: it.plane.replica.known.lanes.of(OTHER) is None)
            await eventually("it to go elsewhere", lambda: another.version == it.plane.version)
            assert another.replica.known.lanes.of(OTHER) is None
            assert not another.replica.store_loss
            info = await told(it.plane.stub.GetStatus(pb.GetStatusRequest(tenant=OTHER), timeout=DEADLINE))
            assert info.reason == "UNKNOWN_TENANT"
            await it.settled()
            await platform(it.plane)
            again = await publish(it.plane, 1)
            await active(it.plane, again)
            await eventually(
                "its generation",
                lambda: it.tables.generations.get(OTHER, NO_ACTIVE).number == again,
            )
            await eventually("it to settle", lambda: it.plane.rollout_of(OTHER).phase is Phase.SETTLED)

    run(scenario)
