"""Publishes as fast as they come: none is refused, the last is active, and nothing is left of the others."""

import asyncio

from controlplane.rollout.state import Phase
from lightbulb.v1 import control_plane_pb2 as pb
from tests.controlplane.peers import models, routes
from tests.controlplane.planes import DEADLINE, run
from tests.controlplane.test_tenants import OTHER, both_active, request
from tests.controlplane.workspaces import publish_request
from tests.controlplane.worlds import world
from tests.waiting import eventually

COUNT = 50
"""Publishes of each tenant at once: far more than are compiled at a time."""

LIVE = 20
"""More than a window and pins keep: what there is no count for."""


def test_two_tenants_publish_as_fast_as_they_can_and_none_is_refused(store: str) -> None:
    async def scenario() -> None:
        async with world(store) as it:
            await both_active(it)
            requests = [
                publish_request(10 + each, memory="10MiB", without=("fleet.yaml",)) for each in range(COUNT)
            ]
            requests += [request(10 + each) for each in range(COUNT)]
            answers: list[pb.PublishResponse] = await asyncio.gather(
                *(it.plane.stub.Publish(each, timeout=3 * DEADLINE) for each in requests)
            )
            problems = [problem for each in answers for problem in each.problems]
            assert not problems
            numbers = [each.generation for each in answers]
            assert sorted(numbers) == list(range(4, 4 + 2 * COUNT))
            for tenant, own in (("default", numbers[:COUNT]), (OTHER, numbers[COUNT:])):
                await eventually(
                    f"{tenant} to settle on its last",
                    lambda tenant=tenant, own=own: (
                        (it.plane.rollout_of(tenant).active, it.plane.rollout_of(tenant).phase)
                        == (max(own), Phase.SETTLED)
                    ),
                )
            await it.settled()
            for rollout in (it.plane.rollout, it.plane.rollout_of(OTHER)):
                assert (rollout.leaving, rollout.held) == ((), (rollout.active,))
                assert len(rollout.live) <= 3

    run(scenario)


def test_what_clients_may_hold_of_many_publishes_is_all_live_and_gone_back_to(store: str) -> None:
    async def scenario() -> None:
        async with world(store) as it:
            for number in range(2, LIVE + 1):
                assert await it.plane.published(number, cache="10m", memory="10MiB") == number
            assert it.plane.rollout.live == tuple(range(1, LIVE + 1))
            await it.plane.synced(*it.peers)
            for number in (1, LIVE // 2, LIVE):
                assert models(it.host) >= {f"rank@{number}"}
                assert all(routes(each, f"Ranking|rank|{number}") for each in it.sidecars)
            assert (await it.plane.roll_back(LIVE // 2)).generation == LIVE // 2
            await it.lightbulb_at(LIVE // 2)
            assert (await it.plane.roll_back()).generation == LIVE // 2 - 1

    run(scenario)
