"""What any gRPC tool may try at a control plane's port: garbage, health by name, reflection."""

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from controlplane.api.errors import DOMAIN
from lightbulb.ads import wire
from lightbulb.v1 import control_plane_pb2, telemetry_pb2
from tests.controlplane.planes import DEADLINE, plane, refused, run
from tests.lightbulb.garbage import refuses_garbage

SERVICES = ("lightbulb.v1.ControlPlane", "lightbulb.v1.TelemetryService", wire.SERVICE)
SERVING = health_pb2.HealthCheckResponse.SERVING


def test_garbage_is_refused_by_every_method_and_leaves_no_traceback(
    store: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        async with plane(store) as it:
            files = (
                control_plane_pb2.DESCRIPTOR,
                telemetry_pb2.DESCRIPTOR,
                health_pb2.DESCRIPTOR,
                reflection_pb2.DESCRIPTOR,
            )
            await refuses_garbage(it.target, DOMAIN, *files, caplog=caplog)
            for method in wire.METHODS:
                stream = it.channel.stream_stream(f"/{wire.SERVICE}/{method}")(iter([b"\xff"]))
                assert (await refused(stream.read()))[0] is grpc.StatusCode.INVALID_ARGUMENT
            assert (await it.status()).detail == "nothing has been published"

    run(scenario)


def test_watching_and_streams_of_health_are_as_ever(store: str) -> None:
    async def scenario() -> None:
        async with plane(store) as it:
            watch = it.stub.Watch(control_plane_pb2.WatchRequest())
            assert (await watch.read()).detail == "nothing has been published"
            watch.cancel()
            health = health_pb2_grpc.HealthStub(it.channel)
            stream = health.Watch(health_pb2.HealthCheckRequest(service="nobody"))
            assert (await stream.read()).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
            stream.cancel()

    run(scenario)


def test_health_is_told_of_each_service_by_name_and_of_no_other(store: str) -> None:
    async def scenario() -> None:
        async with plane(store) as it:
            health = health_pb2_grpc.HealthStub(it.channel)
            for name in ("", *SERVICES):
                request = health_pb2.HealthCheckRequest(service=name)
                assert (await health.Check(request, timeout=DEADLINE)).status == SERVING
            nobody = health_pb2.HealthCheckRequest(service="nobody")
            assert (await refused(health.Check(nobody)))[0] is grpc.StatusCode.NOT_FOUND

    run(scenario)


def test_reflection_names_and_describes_the_api_and_ads(store: str) -> None:
    async def scenario() -> None:
        async with plane(store) as it:
            call = reflection_pb2_grpc.ServerReflectionStub(it.channel).ServerReflectionInfo()
            await call.write(reflection_pb2.ServerReflectionRequest(list_services=""))
            names = {each.name for each in (await call.read()).list_services_response.service}
            assert names == {*SERVICES, "grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"}
            for name in names:
                await call.write(reflection_pb2.ServerReflectionRequest(file_containing_symbol=name))
                files = (await call.read()).file_descriptor_response.file_descriptor_proto
                described = [
                    f"{file.package}.{service.name}"
                    for file in map(FileDescriptorProto.FromString, files)
                    for service in file.service
                ]
                assert described == [name]
            await call.done_writing()

    run(scenario)
