"""A host as a whole: registers, says by name what it has and hasn't loaded, and leaves in order."""

import asyncio
import contextlib
import re
import signal
import socket
from collections.abc import AsyncIterator, Mapping

import grpc
import grpc.aio
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from lightbulb.ads.values import HEARTBEAT, MODEL_ASSIGNMENT
from lightbulb.errors import CannotListen
from lightbulb.host.app import SERVICE, ServingHost
from lightbulb.host.status import DOMAIN
from lightbulb.host.workflow import Workflow
from lightbulb.model import ModelAssignment
from lightbulb.oip import open_inference_pb2 as pb
from tests.ads.scripted_server import ScriptedServer, Stream, resource, scripted_server
from tests.host.hosts import NOBODY, Running, assigned, infer, running, settings
from tests.host.workflows import (
    DEADLINE,
    Echo,
    assign,
    fails_to_load,
    gate,
    slow_to_answer,
    slow_to_load,
    within_deadline,
)
from tests.lightbulb.ending import ends_in_order, refuses
from tests.lightbulb.garbage import refuses_garbage
from tests.waiting import eventually

MODELS: Mapping[str, type[Workflow]] = {
    "echo@1": Echo,
    "echo@2": Echo,
    "broken@1": fails_to_load(OSError("the file is cut short")),
}


class ControlPlane(ScriptedServer):
    """Also knows how many streams are open."""

    def __init__(self) -> None:
        super().__init__()
        self.open = 0

    async def DeltaAggregatedResources(self, requests, context):  # noqa: N802 - gRPC's name
        self.open += 1
        try:
            async for response in super().DeltaAggregatedResources(requests, context):
                yield response
        finally:
            self.open -= 1

    def assign(self, *assignments: ModelAssignment) -> None:
        self.set(MODEL_ASSIGNMENT, *map(assigned, assignments))

    async def answer(self, count: int) -> str:
        """Return the error of the `count`th answer of the host: "" for an ACK."""
        return (await self.acked(MODEL_ASSIGNMENT, count)).error_detail.message

    async def registered(self) -> Stream:
        await eventually("the host to register", lambda: self.streams and self.stream.known)
        return self.stream


@contextlib.asynccontextmanager
async def registered(
    models: Mapping[str, type[Workflow]] = MODELS, **changes
) -> AsyncIterator[tuple[ControlPlane, Running]]:
    async with (
        scripted_server(ControlPlane()) as script,
        running(models, control_plane=script.target, **changes) as it,
    ):
        await script.registered()
        yield script, it


def test_a_host_registers_with_all_that_the_control_plane_needs_to_know() -> None:
    async def scenario() -> None:
        async with registered() as (script, it):
            node = script.stream.first(MODEL_ASSIGNMENT).node
            assert (node.id, node.cluster) == ("host-1", "shard-a")
            assert dict(node.metadata) == {
                "kind": "host",
                "shard": "shard-a",
                "address": "127.0.0.1",
                "port": str(it.host.port),
                "memory_mib": "1000",
                "side_by_side": "1",
                "heartbeat": "2",
            }
            assert it.host.port > 0

    asyncio.run(scenario())


def test_a_host_says_from_its_event_loop_that_it_lives() -> None:
    async def scenario() -> None:
        async with registered(heartbeat_seconds=0.02) as (script, _):
            said = script.stream.requests
            await eventually("heartbeats", lambda: sum(each.type_url == HEARTBEAT for each in said) >= 3)
            assert script.stream.first(MODEL_ASSIGNMENT).node.metadata["heartbeat"] == "0.02"

    asyncio.run(scenario())


def test_another_address_may_be_advertised_than_the_one_it_listens_on() -> None:
    async def scenario() -> None:
        async with registered(address="0.0.0.0", advertise="127.0.0.1") as (script, it):
            assert script.stream.first(MODEL_ASSIGNMENT).node.metadata["address"] == "127.0.0.1"
            assert (await it.stub.ServerLive(pb.ServerLiveRequest())).live

    asyncio.run(scenario())


def test_what_is_loaded_is_acknowledged_and_serves_and_what_is_removed_is_gone() -> None:
    async def scenario() -> None:
        async with registered() as (script, it):
            script.assign(assign("echo@1"), assign("echo@2"))
            assert await script.answer(1) == ""
            assert await it.stub.ModelInfer(infer("echo@2", 1))
            script.assign(assign("echo@1"))
            assert await script.answer(2) == ""
            assert await it.stub.ModelInfer(infer("echo@1", 1))
            assert await it.stub.ModelInfer(infer("echo@2", 1)).code() is grpc.StatusCode.ABORTED

    asyncio.run(scenario())


def test_what_cant_be_loaded_is_refused_by_name_and_the_rest_serves() -> None:
    async def scenario() -> None:
        async with registered() as (script, it):
            script.assign(assign("broken@1"), assign("nobody@1"), assign("echo@1"))
            assert (await script.answer(1)).splitlines() == [
                "broken@1: OSError: the file is cut short",
                "nobody@1: this host has no such model",
            ]
            assert await it.stub.ModelInfer(infer("echo@1", 1))

    asyncio.run(scenario())


def test_a_resource_that_is_no_assignment_or_anothers_is_refused_by_name() -> None:
    async def scenario() -> None:
        async with registered() as (script, it):
            anothers = resource("alias@1", assigned(assign("echo@2")).body)
            script.set(MODEL_ASSIGNMENT, resource("torn@1", b"\xff"), anothers, assigned(assign("echo@1")))
            alias, torn = (await script.answer(1)).splitlines()
            assert alias == "alias@1: it holds an assignment of echo@2"
            assert torn.startswith("torn@1: not a lightbulb.v1.ModelAssignment")
            assert it.host.repository.entries.keys() == {"echo@1"}

    asyncio.run(scenario())


def test_health_says_serving_once_the_first_assignment_was_tried_even_if_it_failed() -> None:
    async def scenario() -> None:
        with gate() as held:
            async with registered({"slow@1": slow_to_load(held), **MODELS}) as (script, it):
                script.assign(assign("slow@1"), assign("broken@1"))
                await eventually("the load to begin", lambda: held.reached)
                assert [await it.health(service) for service in ("", SERVICE)] == ["NOT_SERVING"] * 2
                assert (await it.stub.ServerLive(pb.ServerLiveRequest())).live  # a load holds nothing up
                held.open()
                assert (await script.answer(1)).startswith("broken@1: ")
                assert [await it.health(service) for service in ("", SERVICE)] == ["SERVING"] * 2

    asyncio.run(scenario())


def test_a_host_goes_on_serving_what_it_has_when_its_stream_breaks() -> None:
    async def scenario() -> None:
        async with registered() as (script, it):
            script.assign(assign("echo@1"))
            await script.answer(1)
            loaded = it.host.repository.find("echo", "1")
            script.break_streams()
            await eventually("a reconnect", lambda: len(script.streams) == 2 and script.stream.known)
            assert list(script.stream.first(MODEL_ASSIGNMENT).initial_resource_versions) == ["echo@1"]
            assert it.host.repository.find("echo", "1") is loaded
            assert await it.health() == "SERVING"

    asyncio.run(scenario())


def test_a_host_that_leaves_ends_its_registration_first_and_loses_no_request() -> None:
    async def scenario() -> None:
        with gate() as held:
            models = {**MODELS, "slow@1": slow_to_answer(held)}
            async with registered(models, withdraw=2.0, grace=DEADLINE) as (script, it):
                script.assign(assign("echo@1"), assign("slow@1"))
                await script.answer(1)
                under_way = it.stub.ModelInfer(infer("slow@1", 7))
                await eventually("the request to be under way", lambda: held.reached)
                leaving = asyncio.create_task(it.host.stop())
                await eventually("the end of the registration", lambda: script.open == 0)
                # sidecars that haven't heard of it yet still send requests
                assert await it.stub.ModelInfer(infer("echo@1", 1))
                assert await it.health() == "NOT_SERVING"
                assert not (await it.stub.ServerReady(pb.ServerReadyRequest())).ready
                await eventually("the end of the withdrawal", lambda: refuses(it.host.port))
                assert not leaving.done()
                held.open()
                answer = await within_deadline(under_way)
                assert list(answer.outputs[0].contents.int64_contents) == [7]
                await within_deadline(leaving)
                assert len(script.streams) == 1

    asyncio.run(scenario())


def test_a_host_leaves_in_the_middle_of_a_load() -> None:
    async def scenario() -> None:
        with gate() as held:
            async with registered({"slow@1": slow_to_load(held)}) as (script, it):
                script.assign(assign("slow@1"))
                await eventually("the load to begin", lambda: held.reached)
                await within_deadline(it.host.stop())
                assert script.stream.acks(MODEL_ASSIGNMENT) == []

    asyncio.run(scenario())


def test_a_request_that_hangs_holds_a_host_that_leaves_no_longer_than_the_grace() -> None:
    async def scenario() -> None:
        with gate() as held:
            async with running({"slow@1": slow_to_answer(held)}, grace=0.1) as it:
                await it.assign(assign("slow@1"))
                call = it.stub.ModelInfer(infer("slow@1", 1))
                await eventually("the request to be under way", lambda: held.reached)
                await within_deadline(it.host.stop())
                assert await call.code() is not grpc.StatusCode.OK

    asyncio.run(scenario())


def test_reflection_names_the_services_and_describes_them() -> None:
    async def scenario() -> None:
        async with running(MODELS) as it:
            call = reflection_pb2_grpc.ServerReflectionStub(it.channel).ServerReflectionInfo()
            await call.write(reflection_pb2.ServerReflectionRequest(list_services=""))
            response = await call.read()
            names = {service.name for service in response.list_services_response.service}
            assert {SERVICE, "grpc.health.v1.Health"} <= names
            for name in names:
                await call.write(reflection_pb2.ServerReflectionRequest(file_containing_symbol=name))
                files = (await call.read()).file_descriptor_response.file_descriptor_proto
                services = [
                    f"{file.package}.{service.name}"
                    for file in map(FileDescriptorProto.FromString, files)
                    for service in file.service
                ]
                assert services == [name]
            await call.done_writing()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"address": "0.0.0.0"},
            "0.0.0.0 is no address to send requests to; advertise or listen on one that is",
        ),
        ({"address": "::"}, ":: is no address to send requests to"),
        ({"advertise": "host-1.internal"}, "host-1.internal is no IP address, which sidecars need"),
    ],
)
def test_an_address_that_sidecars_cant_send_to_is_refused_before_anything_listens(
    changes: Mapping[str, str], said: str
) -> None:
    async def scenario() -> None:
        host = ServingHost(settings(MODELS, **changes))
        with pytest.raises(CannotListen, match=re.escape(said)):
            await host.start()
        assert host.port == 0

    asyncio.run(scenario())


def test_a_port_in_use_is_a_clear_error() -> None:
    async def scenario() -> None:
        async with running(MODELS) as it:
            second = ServingHost(settings(MODELS, port=it.host.port))
            with pytest.raises(CannotListen, match=rf"127.0.0.1:{it.host.port}: Address already in use"):
                await second.start()

    asyncio.run(scenario())


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.skipif(not _has_ipv6(), reason="this machine has no IPv6")
def test_a_host_listens_on_an_ipv6_address() -> None:
    async def scenario() -> None:
        host = ServingHost(settings(MODELS, address="::1"))
        await host.start()
        async with grpc.aio.insecure_channel(f"[::1]:{host.port}") as channel:
            await within_deadline(channel.channel_ready())
        await host.stop()

    asyncio.run(scenario())


PROGRAM = f"""
import asyncio, logging
from lightbulb.host.app import HostSettings, serve
logging.basicConfig(level=logging.INFO)
asyncio.run(serve(HostSettings(
    node_id="host-1", shard="a", address="127.0.0.1", port=0,
    control_plane="{NOBODY}", memory_mib=1, withdraw=0.0, catalogue=dict(), facts=dict(),
)))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_the_process_in_order(number: signal.Signals) -> None:
    ends_in_order(PROGRAM, r"host host-1 of shard a listens on port \d+", number)


def test_garbage_is_refused_by_every_method_and_leaves_no_traceback(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with running(MODELS) as it:
            files = (pb.DESCRIPTOR, health_pb2.DESCRIPTOR, reflection_pb2.DESCRIPTOR)
            await refuses_garbage(f"127.0.0.1:{it.host.port}", DOMAIN, *files, caplog=caplog)

    asyncio.run(scenario())
