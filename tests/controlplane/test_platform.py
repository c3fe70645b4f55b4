"""The platform's own publish: the fleet and the tenants; who is moved by it, is moved as by any publish."""

import pytest

from controlplane.admin.platform import PlatformOperator
from lightbulb.v1 import control_plane_pb2 as pb
from tests.controlplane.peers import connected, host, models, routes, vips_of
from tests.controlplane.planes import DEADLINE, run, told
from tests.controlplane.test_tenants import (
    FLEET,
    OTHER,
    TENANTS,
    active,
    both_active,
    platform,
    publish,
    request,
)
from tests.controlplane.worlds import world
from tests.waiting import eventually

TWO = "shards:\n  - {name: a, vip: vip-a, memory: 2GiB}\n  - {name: b, vip: vip-b, memory: 2GiB}\n"
OWN = "tenants:\n  - {name: default, owner: home}\n  - {name: payments, owner: pay, shards: [b]}\n"


def test_without_a_platform_there_is_one_tenant(store: str) -> None:
    async def scenario() -> None:
        async with world(store) as it:
            info = await told(it.plane.stub.Publish(request(1), timeout=DEADLINE))
            assert info.reason == "UNKNOWN_TENANT"
            await both_active(it)
            info = await told(it.plane.stub.Publish(request(1, "paymants"), timeout=DEADLINE))
            assert info.reason == "UNKNOWN_TENANT"

    run(scenario)


def test_a_tenant_that_gets_other_shards_moves_before_it_leaves(store: str) -> None:
    async def scenario() -> None:
        async with world(store) as it:
            await both_active(it)
            other = host("h2", "b")
            async with connected(it.plane.target, other):
                await it.plane.knows(other)
                said = await platform(it.plane, TWO, OWN, dry_run=True)
                moved = [(each.tenant, each.model, getattr(each, "from"), each.to) for each in said.moves]
                assert moved == [(OTHER, "pay@1", "a", "b")]
                assert list(said.replanned) == [OTHER]
                assert not it.plane.rollout_of(OTHER).target
                assert (await platform(it.plane, dry_run=True)).unchanged

                said = await platform(it.plane, TWO, OWN)
                assert said.generation == 4
                await active(it.plane, 5)
                assert it.plane.rollout.active == 1
                await eventually("it to be loaded there", lambda: models(other) == {"pay@1"})
                await eventually(
                    "its routes", lambda: all(vips_of(each, "Checkout") == {"vip-b"} for each in it.sidecars)
                )
                assert all(routes(each, "Ranking|rank|1") for each in it.sidecars)
                assert (await platform(it.plane, TWO, OWN)).unchanged
                assert await publish(it.plane, 2) == 6
                await active(it.plane, 6)
                assert "pay@2" in models(other)
                # Back, which is a publish too: what was rolled out stays until nobody needs it.
                await platform(it.plane, FLEET, TENANTS)
                await active(it.plane, 8)
                await eventually("it to be back", lambda: "pay@2" in models(it.host))

    run(scenario)


def test_a_publish_that_a_newer_one_overtakes_brings_nobody_back_to_its_fleet(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    follow = PlatformOperator._follow

    async def scenario() -> None:
        async with world(store) as it:
            await both_active(it)
            overtaken: list[int] = []

            async def overtake(*arguments: object) -> None:
                if not overtaken:
                    newer = OWN.replace("shards: [b]", "shards: [a]")
                    overtaken.append((await platform(it.plane, TWO, newer)).generation)
                await follow(*arguments)

            monkeypatch.setattr(PlatformOperator, "_follow", overtake)
            said = await platform(it.plane, TWO, OWN)
            assert (list(said.replanned), said.generation, overtaken) == ([OTHER], 4, [5])
            assert it.plane.replica.known.lanes.platform == 5
            assert it.plane.rollout_of(OTHER).newest == 3  # which is on shard a, as it is to be

    run(scenario)


@pytest.mark.parametrize(
    ("fleet", "tenants", "code"),
    [
        (FLEET, "tenants:\n  - {name: default, owner: home}\n", "TENANT_IN_USE"),
        (FLEET, TENANTS.replace("owner: pay}", "owner: pay, memory: 5MiB}"), "BELOW_LOADED"),
        (FLEET, TENANTS.replace("owner: pay}", "owner: pay, shards: [z]}"), "UNKNOWN_SHARD"),
        (FLEET, TENANTS.replace("payments", "platform"), "NAME"),
        (FLEET.replace("}", ", models: [pay@1]}"), TENANTS, "MODELS_OF_TENANTS"),
        (FLEET.replace("2GiB", "5MiB"), TENANTS, "DOES_NOT_FIT"),
        (FLEET, TENANTS + "  - {name: x}\n", "MISSING_KEY"),
        ("shards: []\n", TENANTS, "DOES_NOT_FIT"),
    ],
)
def test_what_can_not_be_is_refused_and_changes_nothing(
    store: str, fleet: str, tenants: str, code: str
) -> None:
    async def scenario() -> None:
        async with world(store) as it:
            await both_active(it)
            version = it.plane.version
            said = await platform(it.plane, fleet, tenants)
            assert code in {each.code for each in said.problems}, said.problems
            assert all(each.remedy for each in said.problems)
            assert it.plane.version == version

    run(scenario)


def test_a_tenants_fleet_quota_and_publishers_are_the_platforms_matter(store: str) -> None:
    async def scenario() -> None:
        async with world(store) as it:
            await both_active(it)
            theirs = request(2)
            theirs.files.add(path="fleet.yaml", content=FLEET.encode())
            said = await it.plane.stub.Publish(theirs, timeout=DEADLINE)
            assert [each.code for each in said.problems] == ["FLEET_OF_PLATFORM"]
            limited = TENANTS.replace("owner: pay}", "owner: pay, memory: 15MiB, publishers: [eve]}")
            assert (await platform(it.plane, FLEET, limited)).generation == 4
            said = await it.plane.stub.Publish(request(2), timeout=DEADLINE)
            assert [each.code for each in said.problems] == ["BEYOND_QUOTA"]  # beside what is loaded
            info = await told(it.plane.stub.Publish(request(1, author="mallory"), timeout=DEADLINE))
            assert info.reason == "NOT_A_PUBLISHER"
            assert it.plane.rollout_of(OTHER).active == 3

    run(scenario)


def test_the_last_room_is_one_tenants_and_the_other_hears_whose(store: str) -> None:
    async def scenario() -> None:
        async with world(store) as it:
            await both_active(it)
            small = FLEET.replace("2GiB", "130MiB")  # rank and fraud take 110, pay takes 10
            assert not (await platform(it.plane, small)).problems
            said = await it.plane.stub.Publish(
                pb.PublishRequest(files=request(2).files, tenant=OTHER, author="eve"), timeout=DEADLINE
            )
            assert not said.problems
            await active(it.plane, said.generation)
            other = await it.plane.publish(2, without=("fleet.yaml",))
            (problem,) = other.problems
            assert problem.code == "DOES_NOT_FIT"
            assert f"{OTHER} 20 MiB" in problem.remedy

    run(scenario)
