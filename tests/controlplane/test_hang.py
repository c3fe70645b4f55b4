"""Hosts whose streams stand and that say nothing any more leave traffic, and come back; never all of them."""

import asyncio

from lightbulb.ads.messages import DeltaRequest
from lightbulb.ads.values import BEATS, HEARTBEAT
from tests.controlplane.peers import Peer, endpoints, host, sidecar
from tests.controlplane.planes import run, system
from tests.waiting import eventually

EVERY = 0.5


async def beat(peer: Peer, hung: asyncio.Event) -> None:
    while True:
        if not hung.is_set():
            peer._subscriber.tell(DeltaRequest(type_url=HEARTBEAT))
        await asyncio.sleep(EVERY / 5)


def test_a_host_that_hangs_leaves_traffic_and_comes_back_and_one_is_never_left_without(store: str) -> None:
    async def scenario() -> None:
        old, beating = host("h0"), [host(f"h{n}", **{BEATS: str(EVERY)}) for n in (1, 2)]
        hung = {each.id: asyncio.Event() for each in beating}
        envoy = sidecar()
        async with system(store, (old, *beating, envoy)) as plane, asyncio.TaskGroup() as group:
            tasks = [group.create_task(beat(each, hung[each.id])) for each in beating]
            await plane.published(1)
            everybody = {old.port, *(each.port for each in beating)}
            await eventually("all hosts", lambda: endpoints(envoy) == everybody)
            hung["h1"].set()
            await eventually("one to leave", lambda: endpoints(envoy) == everybody - {beating[0].port})
            told = (await plane.consumers())["h1"]
            assert (told.silent, told.disconnected, beating[0].connected) == (True, True, True)
            hung["h1"].clear()
            await eventually("it to come back", lambda: endpoints(envoy) == everybody)
            await old.leave()
            for each in hung.values():
                each.set()
            await eventually("both to hang", lambda: _silent(plane) == {"h1", "h2"})
            # The first of them may have left for a moment, while the other was still heard.
            await eventually("neither to be left without", lambda: endpoints(envoy) == everybody - {old.port})
            for task in tasks:
                task.cancel()

    def _silent(plane) -> set[str]:
        consumers = plane.replica.consumers
        return {each.id for each in consumers if each.silent_since and not each.disconnected}

    run(scenario)
