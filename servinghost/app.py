"""A serving host as a process: its ADS stream registers it, assigns its models, and carries its ACKs."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field

import grpc
import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from lightbulb.ads.stream import Subscriber, Update
from lightbulb.ads.values import MODEL_ASSIGNMENT, Node
from lightbulb.codec import Malformed, assignment_from_bytes
from lightbulb.listen import LISTEN_OPTIONS, listen
from lightbulb.oip import open_inference_pb2_grpc as pb_grpc
from servinghost.models.catalogue import CATALOGUE, Factory
from servinghost.repository import Repository
from servinghost.service import InferenceService

log = logging.getLogger(__name__)

SERVICE = "inference.GRPCInferenceService"
MAX_REQUEST_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSettings:
    """Who this host is, and where. `address`:`port` is listened on and registered; seconds of grace."""

    node_id: str
    shard: str
    address: str
    port: int
    control_plane: str
    memory_mib: int
    grace: float = 5.0
    catalogue: Mapping[str, Factory] = field(default_factory=lambda: CATALOGUE)


class ServingHost:
    """A host in this event loop: `await start()`, then `port`, then `await stop()`."""

    def __init__(self, settings: HostSettings) -> None:
        """Nothing runs before `start`."""
        self._settings = settings
        self.repository = Repository(settings.catalogue, settings.memory_mib)
        self._service = InferenceService(self.repository, node_id=settings.node_id, shard=settings.shard)
        self._health = health.aio.HealthServicer()
        self._server = grpc.aio.server(
            options=[*LISTEN_OPTIONS, ("grpc.max_receive_message_length", MAX_REQUEST_BYTES)]
        )
        self.port = 0

    async def start(self) -> None:
        """Listen, then register with the control plane. Raises CannotListen."""
        pb_grpc.add_GRPCInferenceServiceServicer_to_server(self._service, self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflection.enable_server_reflection(
            (SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME), self._server
        )
        settings = self._settings
        self.port = listen(self._server, f"{settings.address}:{settings.port}")
        await self._server.start()
        await self._set_health(health_pb2.HealthCheckResponse.NOT_SERVING)
        metadata = {
            "kind": "host",
            "shard": settings.shard,
            "address": settings.address,
            "port": str(self.port),
            "memory_mib": str(settings.memory_mib),
        }
        self._subscriber = Subscriber(
            target=settings.control_plane,
            node=Node(id=settings.node_id, cluster=settings.shard, metadata=metadata),
            types=(MODEL_ASSIGNMENT,),
            apply=self.apply,
        )
        self._running = asyncio.create_task(self._subscriber.run())
        log.info("host %s of shard %s listens on port %d", settings.node_id, settings.shard, self.port)

    async def stop(self) -> None:
        """Drain: leave the control plane's sight, refuse new requests, finish those under way."""
        await self._health.enter_graceful_shutdown()
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)
        await self._server.stop(self._settings.grace)
        self._service.close()
        log.info("stopped")

    async def apply(self, update: Update) -> Mapping[str, str]:
        """Load what is assigned, forget what isn't any more; return id -> reason of what failed."""
        failed: dict[str, str] = {}
        assignments = []
        for resource in update.added:
            try:
                assignments.append(assignment_from_bytes(resource.body))
            except Malformed as error:
                failed[resource.name] = str(error)
        # In a thread: training and validation take their time, and the stream must live on.
        failed |= await asyncio.to_thread(self.repository.load, tuple(assignments))
        self.repository.unload(update.removed)
        if not failed:
            self._service.ready = True
            await self._set_health(health_pb2.HealthCheckResponse.SERVING)
        return failed

    async def _set_health(self, status: health_pb2.HealthCheckResponse.ServingStatus) -> None:
        for service in ("", SERVICE):
            await self._health.set(service, status)


async def serve(settings: HostSettings) -> None:
    """Serve until SIGTERM or SIGINT, then drain. Raises CannotListen."""
    host = ServingHost(settings)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await host.start()
    await stop.wait()
    log.info("draining, up to %.0f s", settings.grace)
    await host.stop()
