"""A crowd of sidecars on one control plane."""

import asyncio
import contextlib
import json
import signal
import sys
from asyncio.subprocess import PIPE, Process, create_subprocess_exec
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

from controlplane.cli.processes import free_ports
from lightbulb.ads.values import ACTIVE_GENERATION
from tests.controlplane import crowd
from tests.controlplane.planes import DEADLINE, POLICY, Plane, plane, run
from tests.controlplane.worlds import world
from tests.depth import is_deep
from tests.waiting import eventually

COUNT = 1_000 if is_deep() else 300


class Crowd:
    """The process of that name."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def send_signal(self, number: signal.Signals) -> None:
        """Stop it, or let it go on."""
        self._process.send_signal(number)

    async def sent(self) -> Counter[str]:
        """Return what all of them were sent since the last time."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(b"\n")
        line = await asyncio.wait_for(self._process.stdout.readline(), DEADLINE)
        return Counter(json.loads(line))


@contextlib.asynccontextmanager
async def crowded(target: str, count: int = COUNT) -> AsyncIterator[Crowd]:
    command = (sys.executable, "-m", crowd.__spec__.name, target, str(count))
    process = await create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, cwd=Path(__file__).parents[2])
    try:
        yield Crowd(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await asyncio.wait_for(process.wait(), DEADLINE)


async def all_synced(plane: Plane) -> None:
    """Wait until a control plane has every ACK of every one of the crowd."""

    def count() -> int:
        return sum(
            each.id.startswith("crowd")
            and each.synced_since > 0
            and not (each.waiting_for or each.disconnected)
            for each in plane.replica.consumers
        )

    await eventually("all of them synced", lambda: count() == COUNT)


def test_a_restart_sends_nothing_to_a_crowd_of_sidecars_and_a_publish_what_changed(store: str) -> None:
    async def scenario() -> None:
        policy = replace(POLICY, reconnect=30, lease=60)
        async with world(store, policy, port=free_ports(1)[0]) as it, crowded(it.plane.target) as many:
            await all_synced(it.plane)
            await eventually("word of all", lambda: len(it.tables.sidecars) == COUNT + 2)
            sent = await many.sent()
            assert sent["streams"] == COUNT
            assert sent["resources"] == COUNT * sum(map(len, it.sidecars[0].resources.values()))

            it.clear()
            await it.plane.stop()
            async with plane(store, policy=policy, port=it.plane.port) as again:
                await again.synced(*it.peers)
                await all_synced(again)
                sent = await many.sent()
                assert sent["streams"] >= COUNT
                assert sent["resources"] == sent["removed"] == 0
                assert +it.lightbulb.sent == Counter({ACTIVE_GENERATION: 1})

                await again.published(2)
                await again.settled()
                sent = await many.sent()
                assert (sent["resources"], sent["removed"]) == (COUNT, 0)  # one objective's routes

    run(scenario)


def test_one_that_stands_still_is_out_of_sight_soon_and_back_when_it_goes_on(store: str) -> None:
    async def scenario() -> None:
        async with world(store) as it, crowded(it.plane.target, count=1) as still:

            def is_there() -> bool:
                return any(
                    each.id == "crowd-0" and not each.disconnected for each in it.plane.replica.consumers
                )

            await eventually("it", is_there)
            still.send_signal(signal.SIGSTOP)
            try:
                await eventually("its end", lambda: not is_there())
            finally:
                still.send_signal(signal.SIGCONT)
            await eventually("its return", is_there)

    run(scenario)
