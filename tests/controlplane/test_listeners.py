"""A sidecar whose port is taken, over both forms of ADS: it is told of by name, and stops no publish."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from envoy.service.discovery.v3 import ads_pb2_grpc, discovery_pb2

from controlplane.rollout.state import Phase
from lightbulb.ads.values import LISTENER, LISTENER_NAME
from tests.controlplane.peers import SIDECAR_TYPES, connected, sidecar
from tests.controlplane.planes import Plane, run
from tests.controlplane.worlds import world
from tests.waiting import eventually

REASON = "cannot bind '127.0.0.1:7710': Address already in use"
SAYS = f"Error adding/updating listener(s) {LISTENER_NAME}: {REASON}"
"""As Envoy does."""


@contextlib.asynccontextmanager
async def sotw_sidecar(plane: Plane, name: str) -> AsyncIterator[None]:
    """Connect a sidecar that takes everything but its listener, in state-of-the-world ADS."""
    call = ads_pb2_grpc.AggregatedDiscoveryServiceStub(plane.channel).StreamAggregatedResources()

    async def talk() -> None:
        for kind in SIDECAR_TYPES:
            first = discovery_pb2.DiscoveryRequest(type_url=kind, resource_names=["*"])
            first.node.id = name
            first.node.metadata.update({"kind": "sidecar", "listen_port": "7710"})
            await call.write(first)
        async for response in call:
            answer = discovery_pb2.DiscoveryRequest(
                type_url=response.type_url, response_nonce=response.nonce, resource_names=["*"]
            )
            if response.type_url == LISTENER:
                answer.error_detail.message = SAYS
            else:
                answer.version_info = response.version_info
            await call.write(answer)

    talking = asyncio.create_task(talk())
    try:
        yield
    finally:
        call.cancel()
        await asyncio.gather(talking, return_exceptions=True)


def test_a_port_that_is_taken_is_told_by_name_and_stops_no_publish_in_either_form(store: str) -> None:
    async def scenario() -> None:
        async with world(store) as it:
            slow, delta = it.sidecars[0], sidecar("delta")
            delta.refuses = {LISTENER_NAME: SAYS}
            slow.hold()
            await it.plane.publish(2)
            await it.plane.phase(Phase.ROUTING)
            async with connected(it.plane.target, delta), sotw_sidecar(it.plane, "sotw"):
                # They refuse it while the target is routed, and so of the target.
                refuses = {"delta": {LISTENER_NAME}, "sotw": {LISTENER_NAME}}
                await eventually("their refusals", lambda: it.plane.refused() == refuses)
                told = {each.id: each for each in it.plane.replica.consumers}
                assert told["delta"].refused_of == told["sotw"].refused_of == 2
                (found,) = told["sotw"].refusals
                assert (found.resource_type, found.resource) == (LISTENER, LISTENER_NAME)
                assert REASON in found.reason
                slow.release()
                await it.plane.active(2)
                assert it.plane.rollout.withdrawn == 0
                await eventually("their refusals still", lambda: it.plane.refused() == refuses)

    run(scenario)
