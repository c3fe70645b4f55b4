"""Many who ask one control plane for something at one time: each is answered, after few decisions."""

import asyncio
import re
from collections import Counter

import pytest

from controlplane.admin.commits import PATIENCE
from lightbulb.v1 import control_plane_pb2 as pb
from tests.controlplane.planes import DEADLINE, run
from tests.controlplane.test_tenants import platform, request
from tests.controlplane.worlds import world
from tests.waiting import eventually

TENANTS = tuple(f"team-{number}" for number in range(9))
"""As many as may wait for a compiler, and be compiled."""


def workspace(tenant: str) -> pb.PublishRequest:
    """What `request` publishes, under names of the tenant's own."""
    own = request(1, tenant)
    for file in own.files:
        text = file.content.decode().replace("Checkout", tenant.title().replace("-", ""))
        file.content = re.sub(r"\bpay\b(?=[,\"}])", tenant, text).encode()
    return own


def test_tenants_that_publish_at_once_all_finish_after_few_plans(
    store: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        async with world(store) as it:
            listed = "".join(f"  - {{name: {tenant}, owner: team}}\n" for tenant in ("default", *TENANTS))
            await platform(it.plane, tenants=f"tenants:\n{listed}")
            calls = (it.plane.stub.Publish(workspace(each), timeout=DEADLINE) for each in TENANTS)
            answers = await asyncio.gather(*calls)
            assert not [problem for each in answers for problem in each.problems]
            for tenant, answer in zip(TENANTS, answers, strict=True):

                def active(tenant: str = tenant, number: int = answer.generation) -> bool:
                    return it.plane.rollout_of(tenant).active == number

                await eventually(f"generation {answer.generation} of {tenant}", active)

    caplog.set_level("INFO", "controlplane.admin.commits")
    run(scenario)
    again = Counter(line.split()[0] for line in caplog.messages if "decided anew" in line)
    assert max(again.values(), default=0) <= PATIENCE


def test_calls_of_one_moment_are_all_answered(store: str) -> None:
    async def scenario() -> None:
        async with world(store) as it:
            calls = (
                it.plane.stub.Pin(pb.PinRequest(generation=1, request_id=f"call-{number}"), timeout=DEADLINE)
                for number in range(40)
            )
            answers = await asyncio.gather(*calls)
            assert {tuple(each.pinned) for each in answers} == {(1,)}

    run(scenario)
