"""A tenant that isn't there, can't be, or isn't the one that was meant: said, never ignored."""

from collections.abc import Awaitable, Callable

import grpc
import pytest

from controlplane.model import misnamed
from lightbulb.v1 import control_plane_pb2 as pb
from tests.controlplane.peers import connected, sidecar
from tests.controlplane.planes import DEADLINE, Plane, run, told
from tests.controlplane.test_tenants import FLEET, OTHER, TENANTS, both_active, platform, request
from tests.controlplane.worlds import world

HOSTILE = (
    "..",
    ".",
    "-x",
    "a b",
    " ",
    "a\n",
    "a/b",
    "a,b",
    "x" * 129,
    "p\u0430yments",
    "pay\u200bments",
    "{}",
)
"""Names that can be no tenant's: paths, blanks, too long, with letters that look like others or like none."""

Call = Callable[[Plane, str], Awaitable[object]]

CALLS: dict[str, Call] = {
    "Publish": lambda plane, tenant: plane.stub.Publish(request(1, tenant), timeout=DEADLINE),
    "Rollback": lambda plane, tenant: plane.stub.Rollback(
        pb.RollbackRequest(tenant=tenant), timeout=DEADLINE
    ),
    "Pin": lambda plane, tenant: plane.stub.Pin(pb.PinRequest(tenant=tenant, generation=3), timeout=DEADLINE),
    "GetStatus": lambda plane, tenant: plane.stub.GetStatus(
        pb.GetStatusRequest(tenant=tenant), timeout=DEADLINE
    ),
    "Watch": lambda plane, tenant: _first(plane.stub.Watch(pb.WatchRequest(tenant=tenant), timeout=DEADLINE)),
    "GetHistory": lambda plane, tenant: plane.stub.GetHistory(
        pb.GetHistoryRequest(tenant=tenant), timeout=DEADLINE
    ),
    "GetEvents": lambda plane, tenant: plane.stub.GetEvents(
        pb.GetEventsRequest(tenant=tenant), timeout=DEADLINE
    ),
}
"""Every call that names a tenant."""


async def _first(watch: grpc.aio.UnaryStreamCall) -> object:
    return await watch.read()


def test_every_call_refuses_hostile_names_and_says_who_is_unknown(store: str) -> None:
    async def scenario() -> None:
        async with world(store) as it:
            await both_active(it)
            version = it.plane.version
            for call in CALLS.values():
                for name in HOSTILE:
                    info = await told(call(it.plane, name))
                    assert info.reason == "INVALID_REQUEST", name
                assert (await told(call(it.plane, "paymants"))).reason == "UNKNOWN_TENANT"
            for name in ("Rollback", "Pin", "GetStatus", "Watch"):
                assert (await told(CALLS[name](it.plane, "platform"))).reason == "NO_ROLLOUT_OF_PLATFORM"
            history = await it.plane.stub.GetHistory(
                pb.GetHistoryRequest(tenant="platform"), timeout=DEADLINE
            )
            assert [each.generation for each in history.entries] == [2]
            assert it.plane.version == version

    run(scenario)


def test_tenants_yaml_refuses_what_the_calls_refuse(store: str) -> None:
    async def scenario() -> None:
        async with world(store) as it:
            await both_active(it)
            for name in HOSTILE:
                quoted = '"' + name.encode("unicode_escape").decode() + '"'
                said = await platform(it.plane, FLEET, TENANTS + f"  - {{name: {quoted}, owner: x}}\n")
                assert {each.code for each in said.problems} & {"NAME", "TEXT"}, (name, said)

    run(scenario)


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_wrong_with_a_name_is_shown_in_letters_that_one_can_tell_apart(name: str) -> None:
    wrong = misnamed("a tenant", name)
    assert wrong.replace("…", "").isascii()
    assert "\n" not in wrong
    assert len(wrong) < 300
    assert not misnamed("a tenant", OTHER)


def test_generations_that_are_not_one_tenants_are_not_compared(store: str) -> None:
    async def scenario() -> None:
        async with world(store) as it:
            await both_active(it)
            for one, other in ((1, 3), (1, 2), (2, 2), (3, 2)):
                call = it.plane.stub.Diff(pb.DiffRequest(**{"from": one, "to": other}), timeout=DEADLINE)
                assert (await told(call)).reason == "GENERATION_OF_ANOTHER_TENANT"
            same = await it.plane.stub.Diff(pb.DiffRequest(**{"from": 3, "to": 3}), timeout=DEADLINE)
            assert not same.differences

    run(scenario)


def test_numbers_of_the_platform_are_nothing_to_roll_back_to_or_pin(store: str) -> None:
    async def scenario() -> None:
        async with world(store) as it:
            await both_active(it)
            for call in (
                it.plane.stub.Rollback(pb.RollbackRequest(generation=2, reload=True), timeout=DEADLINE),
                it.plane.stub.Pin(pb.PinRequest(generation=2, tenant=OTHER), timeout=DEADLINE),
            ):
                assert (await told(call)).reason == "NO_ROLLOUT_OF_PLATFORM"

    run(scenario)


def test_a_dry_run_of_a_tenants_rules_publishes_nothing(store: str) -> None:
    async def scenario() -> None:
        async with world(store) as it:
            await both_active(it)
            version = it.plane.version
            call = it.plane.stub.Publish(request(2, dry_run=True), timeout=DEADLINE)
            assert (await told(call)).reason == "INVALID_REQUEST"
            assert it.plane.version == version

    run(scenario)


def test_a_consumer_that_takes_a_tenant_that_is_not_there_is_told_of(store: str) -> None:
    async def scenario() -> None:
        async with world(store) as it:
            await both_active(it)
            part = sidecar("part", takes_tenants=f"{OTHER},paymants")
            async with connected(it.plane.target, part):
                await it.plane.knows(part)
                assert (await it.plane.consumers())["part"].unknown_tenants == ["paymants"]
                assert not (await it.plane.consumers())["s1"].unknown_tenants

    run(scenario)
