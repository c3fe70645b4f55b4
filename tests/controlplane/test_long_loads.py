"""A real host and a model that loads for long: what is published, undone and published meanwhile goes on."""

import contextlib
import time
from collections.abc import AsyncIterator

from controlplane.api.status import status
from controlplane.rollout.state import Phase
from lightbulb.host.app import ServingHost
from lightbulb.v1 import control_plane_pb2 as pb
from tests.controlplane.peers import Lightbulb, sidecar
from tests.controlplane.planes import Plane, run, system
from tests.controlplane.planes import plane as plane_on
from tests.controlplane.test_tenants import OTHER, active, platform, publish
from tests.controlplane.workspaces import SHARD
from tests.host.hosts import running
from tests.host.workflows import Echo, Gate, gate, slow_to_load
from tests.waiting import eventually

PATIENT = "10m"


def states(host: ServingHost) -> dict[str, str]:
    return {model: entry.state.value for model, entry in host.repository.entries.items()}


@contextlib.asynccontextmanager
async def loading(store: str) -> AsyncIterator[tuple[Plane, ServingHost, Gate]]:
    """Have generation 1 active, and rank@2 of generation 2 being loaded, until the gate opens."""
    with gate() as held:
        models = {**{f"{name}@{version}": Echo for name in ("rank", "fraud", "pay") for version in "123"}}
        models["rank@2"] = slow_to_load(held)
        async with system(store, (sidecar(), Lightbulb())) as plane:
            own = {"shard": SHARD, "control_plane": plane.target, "progress_seconds": 0.05}
            async with running(models, **own) as it:
                assert await plane.published(1) == 1
                await plane.settled()
                await plane.publish(2, load=PATIENT)
                await eventually("the load", lambda: held.reached)
                yield plane, it.host, held
                held.open()


def test_a_publish_that_wants_it_too_supersedes_and_the_load_goes_on(store: str) -> None:
    async def scenario() -> None:
        async with loading(store) as (plane, host, held):
            assert (await plane.publish(2, load=PATIENT, cache="20ms")).generation == 3
            await eventually("the publish", lambda: plane.rollout.target == 3)
            assert states(host)["rank@2"] == "LOADING"
            held.open()
            await plane.active(3)
            assert held.reached == 1

    run(scenario)


def test_after_a_rollback_a_publish_takes_over_the_load_that_was_let_go(store: str) -> None:
    async def scenario() -> None:
        async with loading(store) as (plane, host, held):
            await plane.roll_back()
            await eventually("the host to let go", lambda: "rank@2" not in states(host))
            assert (await plane.publish(2, load=PATIENT, cache="20ms")).generation == 3
            await eventually("the load", lambda: states(host).get("rank@2") == "LOADING")
            held.open()
            await plane.active(3)
            assert held.reached == 1

    run(scenario)


def test_what_nobody_wants_any_more_holds_up_no_publish(store: str) -> None:
    async def scenario() -> None:
        async with loading(store) as (plane, host, held):
            assert await plane.published(3) == 3
            assert "rank@2" not in states(host)
            assert host.repository.letting_go == ("rank@2",)
            held.open()
            await plane.settled()

    run(scenario)


def test_another_tenants_model_is_loaded_by_the_same_host_meanwhile(store: str) -> None:
    async def scenario() -> None:
        async with loading(store) as (plane, host, held):
            assert not (await platform(plane)).problems
            number = await publish(plane, 1)
            await active(plane, number)
            assert (plane.rollout.phase, states(host)["rank@2"]) == (Phase.LOADING, "LOADING")
            assert plane.rollout_of(OTHER).active == number
            held.open()
            await plane.active(2)
            assert held.reached == 1

    run(scenario)


def test_the_status_tells_what_a_host_loads_and_how_far_it_is(store: str) -> None:
    async def scenario() -> None:
        before = time.time()
        async with loading(store) as (plane, host, held):

            def told() -> list[pb.ModelLoading]:
                consumers = status(plane.replica).consumers
                return [each for consumer in consumers for each in consumer.loading]

            await eventually("what it loads", told)
            (load,) = told()
            assert (load.model, load.fraction, load.text) == ("rank@2", 0.35, "weights read")
            assert before <= load.since <= plane.replica.now
            assert host.running.done() is False
            held.open()
            await plane.active(2)
            await eventually("nothing to be loaded any more", lambda: not told())

    run(scenario)


def test_what_a_host_loads_is_told_at_every_replica_and_anew_after_a_reconnect(store: str) -> None:
    async def scenario() -> None:
        async with loading(store) as (plane, _, held), plane_on(store, name="two") as other:

            def told(at: Plane) -> list[str]:
                consumers = status(at.replica).consumers
                return [each.model for consumer in consumers for each in consumer.loading]

            await eventually("what it loads, at the other", lambda: told(other) == ["rank@2"])
            await plane.kill()
            async with plane_on(store, name="three", port=plane.port) as again:
                await eventually("what it loads, told anew", lambda: told(again) == ["rank@2"])
                assert held.reached == 1
                held.open()
                await again.active(2)

    run(scenario)
