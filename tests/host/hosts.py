"""A real host on localhost: its own server, and a channel to it."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from lightbulb.ads.client.subscriber import Update
from lightbulb.ads.values import MODEL_ASSIGNMENT, Resource
from lightbulb.host.app import HostSettings, ServingHost
from lightbulb.host.workflow import Workflow
from lightbulb.model import ModelAssignment
from lightbulb.oip import open_inference_pb2 as pb
from lightbulb.oip.open_inference_pb2_grpc import GRPCInferenceServiceStub
from lightbulb.resolution.codec import assignment_to_bytes
from tests.ads.scripted_server import resource

NOBODY = "127.0.0.1:1"
"""A control plane that isn't there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    host: ServingHost
    channel: grpc.aio.Channel
    stub: GRPCInferenceServiceStub

    async def assign(self, *assignments: ModelAssignment, removed: tuple[str, ...] = ()) -> Mapping[str, str]:
        """Do what an update from the control plane does."""
        added = tuple(map(assigned, assignments))
        return await self.host.apply(Update(type_url=MODEL_ASSIGNMENT, added=added, removed=removed))

    async def health(self, service: str = "") -> str:
        request = health_pb2.HealthCheckRequest(service=service)
        response = await health_pb2_grpc.HealthStub(self.channel).Check(request)
        return health_pb2.HealthCheckResponse.ServingStatus.Name(response.status)


def assigned(assignment: ModelAssignment) -> Resource:
    return resource(assignment.id, assignment_to_bytes(assignment))


def settings(models: Mapping[str, type[Workflow]], **changes: Any) -> HostSettings:
    """Return those of a host that has these models, and leaves at once."""
    defaults: dict[str, Any] = {
        "node_id": "host-1",
        "shard": "shard-a",
        "address": "127.0.0.1",
        "port": 0,
        "control_plane": NOBODY,
        "memory_mib": 1_000,
        "withdraw": 0.0,
        "facts": {},
        "catalogue": models,
    }
    return HostSettings(**{**defaults, **changes})


@contextlib.asynccontextmanager
async def running(models: Mapping[str, type[Workflow]], **changes: Any) -> AsyncIterator[Running]:
    host = ServingHost(settings(models, **changes))
    await host.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{host.port}") as channel:
            yield Running(host=host, channel=channel, stub=GRPCInferenceServiceStub(channel))
    finally:
        if not host.running.done():
            await host.stop()


def infer(model: str, *numbers: int, user: str = "user-1") -> pb.ModelInferRequest:
    """Return a request for one of tests.host.workflows' models, by "name@version" or name."""
    name, _, version = model.partition("@")
    request = pb.ModelInferRequest(model_name=name, model_version=version, id="request-1")
    request.parameters["lightbulb_context_user_id"].string_param = user
    tensor = request.inputs.add(name="numbers", datatype="INT64", shape=[len(numbers)])
    tensor.contents.int64_contents.extend(numbers)
    return request
