"""Consumers that take a part: they are sent that, and waited for by whose it is alone."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace

import grpc.aio
from envoy.service.discovery.v3 import ads_pb2_grpc, discovery_pb2

from controlplane.rollout.state import Phase
from lightbulb.ads.messages import DeltaRequest
from lightbulb.ads.values import CLUSTER, OBJECTIVE_TABLES, ROUTE, SCOPED_ROUTE, Node
from lightbulb.ads.wire import encode_delta_request
from tests.controlplane.peers import Lightbulb, connected, sidecar
from tests.controlplane.planes import POLICY, run
from tests.controlplane.test_tenants import OTHER, active, both_active, platform, publish
from tests.controlplane.worlds import World, world
from tests.waiting import eventually


def test_a_sidecar_that_takes_an_objective_is_sent_what_that_needs(store: str) -> None:
    async def scenario() -> None:
        async with world(store) as it:
            await both_active(it)
            part = sidecar("part", takes_objectives="Checkout")
            async with connected(it.plane.target, part):
                await it.plane.synced(part)
                assert set(part.resources[ROUTE]) == set(part.resources[SCOPED_ROUTE]) == {"Checkout"}
                assert set(part.resources[CLUSTER]) == {"vip-a"}
                part.sent.clear()
                assert await it.plane.published(2, without=("fleet.yaml",)) == 4
                await it.settled()
                assert part.sent[ROUTE] == 0
                assert await publish(it.plane, 2) == 5
                await active(it.plane, 5)
                await eventually("its routes", lambda: b"pay|2" in part.resources[ROUTE]["Checkout"].body)

    run(scenario)


def test_a_part_is_waited_for_by_whose_it_is_alone(store: str) -> None:
    async def scenario() -> None:
        async with world(store, replace(POLICY, routing=60)) as it:
            await both_active(it)
            part, lightbulb = sidecar("part", takes_tenants=OTHER), Lightbulb("lb", takes_tenants=OTHER)
            async with connected(it.plane.target, part, lightbulb):
                await it.plane.synced(part, lightbulb)
                assert set(lightbulb.feed.tables.objectives) == {"Checkout"}
                assert set(lightbulb.feed.tables.generations) == {OTHER}
                part.hold()
                lightbulb.hold()
                assert await it.plane.published(2, without=("fleet.yaml",)) == 4
                await it.plane.settled()
                assert await publish(it.plane, 2) == 5
                await eventually("routing", lambda: it.plane.rollout_of(OTHER).phase is Phase.ROUTING)
                await eventually("both waited for, and nobody else", lambda: _lagging(it) == {"part", "lb"})
                part.release()
                lightbulb.release()
                await active(it.plane, 5)
            # It is gone without a word: only the tenant whose it took waits, for as long as its lease.
            assert await it.plane.published(3, without=("fleet.yaml",)) == 6
            await it.plane.settled()

    run(scenario)


def _lagging(it: World) -> set[str]:
    said = it.plane.replica.progress.get(OTHER)
    return {each.consumer_id for each in said.lagging} if said is not None else set()


def test_objectives_that_are_not_there_are_named_and_come_once_they_are(store: str) -> None:
    async def scenario() -> None:
        async with world(store) as it:
            part = sidecar("part", takes_objectives="Checkout,Nonsense")
            async with connected(it.plane.target, part):
                await it.plane.knows(part)
                await eventually("what it lacks", lambda: _unknown(it) == ("Checkout", "Nonsense"))
                assert (await it.plane.consumers())["part"].unknown_objectives == ["Checkout", "Nonsense"]
                assert await it.plane.published(2) == 2
                assert (await platform(it.plane)).generation == 3
                assert await publish(it.plane, 1) == 4
                await active(it.plane, 4)
                await eventually("its routes", lambda: "Checkout" in part.resources[ROUTE])
                await eventually("what it lacks", lambda: _unknown(it) == ("Nonsense",))

    run(scenario)


def _unknown(it: World) -> tuple[str, ...]:
    return next((each.unknown for each in it.plane.replica.consumers if each.id == "part"), ())


@contextlib.asynccontextmanager
async def asking_for(target: str, node: Node, type_url: str, *names: str) -> AsyncIterator[object]:
    """A client of xDS that asks for some names of one type, and acknowledges what comes."""
    async with grpc.aio.insecure_channel(target) as channel:
        call = ads_pb2_grpc.AggregatedDiscoveryServiceStub(channel).DeltaAggregatedResources()

        async def say(request: DeltaRequest) -> None:
            await call.write(discovery_pb2.DeltaDiscoveryRequest.FromString(encode_delta_request(request)))

        async def acknowledge() -> None:
            while (response := await call.read()) is not grpc.aio.EOF:
                await say(DeltaRequest(type_url=response.type_url, nonce=response.nonce))

        await say(DeltaRequest(type_url=type_url, node=node, subscribe=names))
        answering = asyncio.create_task(acknowledge())
        try:
            yield call
        finally:
            answering.cancel()
            await asyncio.gather(answering, return_exceptions=True)
            call.cancel()


def test_who_asks_for_one_cluster_by_name_owes_no_more_than_that(store: str) -> None:
    async def scenario() -> None:
        async with world(store, replace(POLICY, routing=60)) as it:
            node = Node(id="curious", metadata={"kind": "sidecar", "listen_port": "1"})
            async with asking_for(it.plane.target, node, CLUSTER, "vip-a"):
                await eventually("it to be seen", lambda: "curious" in _ids(it))
                assert await it.plane.published(2) == 2
                await it.plane.settled()
            assert await it.plane.published(3) == 3

    run(scenario)


def _ids(it: World) -> set[str]:
    return {each.id for each in it.plane.replica.consumers}


def test_a_lightbulb_that_takes_one_objective_is_sent_one_table(store: str) -> None:
    async def scenario() -> None:
        async with world(store) as it:
            part = Lightbulb("part", takes_objectives="Fraud")
            async with connected(it.plane.target, part):
                await it.plane.synced(part)
                assert set(part.resources[OBJECTIVE_TABLES]) in ({"Fraud"}, set())
                assert set(part.feed.tables.objectives) == {"Fraud"}
                assert await it.plane.published(2) == 2
                await eventually("its generation", lambda: part.generation == 2)
                assert set(part.feed.tables.objectives) == {"Fraud"}

    run(scenario)
