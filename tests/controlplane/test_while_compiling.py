"""While the worst workspace compiles at one of two replicas: lease kept, calls answered, ACKs taken."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from controlplane.rollout.state import Policy
from lightbulb.service.server import LightbulbServer
from lightbulb.v1 import control_plane_pb2 as pb
from tests.controlplane.planes import DEADLINE, Plane, plane, run
from tests.controlplane.test_compilers import request_of, running
from tests.controlplane.worlds import world
from tests.lightbulb.lightbulb_server import settings
from tests.rules.workspaces import rule, workspace
from tests.store.redis_server import RedisServer
from tests.waiting import eventually

LARGE = 400_000
BLANKS = f"/*\nfunction{' ' * LARGE}\n*/" + "//" + "/* " * (LARGE // 3) + "\n"
ENDLESS = "".join(rule("x: (() => { for (;;); })()", f"define{n}Rule") for n in range(6))
WORST = workspace(more_js=BLANKS + ENDLESS, models_yaml="models:\n" + "  - {nome: x}\n" * 20_000)
"""Text that a careless expression takes hours for, thousands of problems, rules that never end."""

STATUSES = 50

PATIENT = Policy(loading=60, routing=60, unload=0.01, margin=0.01, reconnect=60, lease=60)


@contextlib.asynccontextmanager
async def a_lightbulb(*planes: Plane) -> AsyncIterator[LightbulbServer]:
    server = LightbulbServer(settings(",".join(each.target for each in planes)))
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


def leaders(status: pb.GetStatusResponse) -> set[str]:
    return {each.name for each in status.replicas if each.leading and not each.silent}


def test_the_lease_is_kept_status_answers_and_acks_are_taken_while_the_worst_workspace_compiles(
    redis: RedisServer,
) -> None:
    async def scenario() -> None:
        async with (
            world(redis.url, policy=PATIENT) as it,
            plane(redis.url, name="two", policy=PATIENT) as other,
            a_lightbulb(it.plane, other) as lightbulb,
        ):
            both = (it.plane, other)
            await eventually("the Lightbulb", lambda: lightbulb.freshness.generation == 1)
            await eventually("a lease", lambda: it.plane.replica._store_watcher.lease)
            token = it.plane.replica._store_watcher.lease.token
            compiling = it.plane.stub.Publish(request_of(WORST), timeout=3 * DEADLINE)
            await eventually("its rules to run", lambda: running("sandbox_child"))

            number = await other.published(2)
            await eventually("the new tables", lambda: lightbulb.freshness.generation == number)
            await it.plane.settled()  # which takes an ACK of every Lightbulb
            acknowledged = (await it.plane.consumers())["lightbulb-1"]
            assert (list(acknowledged.waiting_for), list(acknowledged.refusals)) == ([], [])
            told = [leaders(await each.status()) for _ in range(STATUSES) for each in both]
            assert not compiling.done(), "the workspace wasn't bad enough"
            assert set(map(frozenset, told)) == {frozenset({"one"})}
            lease = it.plane.replica._store_watcher.lease
            assert lease is not None
            assert lease.token == token
            compiling.cancel()
            await eventually("nothing to be compiled for nobody", lambda: not running("sandbox_child"))

    run(scenario)
