"""The control plane as a process: one port for ADS and the API, health, reflection, an orderly end."""

from __future__ import annotations

import asyncio
import logging
import signal
from dataclasses import dataclass, field

import grpc
import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from controlplane.api import ControlPlaneService
from controlplane.model import Workspace
from controlplane.publisher import Publisher
from controlplane.rollout.activation import Timings
from controlplane.xds.server import SERVER_OPTIONS
from lightbulb.listen import listen
from lightbulb.v1 import control_plane_pb2
from lightbulb.v1 import control_plane_pb2_grpc as pb_grpc

log = logging.getLogger(__name__)

_SERVICE = control_plane_pb2.DESCRIPTOR.services_by_name["ControlPlane"].full_name


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlPlaneSettings:
    """Where to listen ("host:port"; port 0 lets the system choose), and how long things may take."""

    address: str
    timings: Timings = field(default_factory=Timings)
    grace: float = 5.0


class ControlPlane:
    """A running control plane; `port` is known once it has started."""

    def __init__(self, settings: ControlPlaneSettings) -> None:
        """Nothing runs before `start`."""
        self._settings = settings
        self._health = health.aio.HealthServicer()
        self.publisher = Publisher(timings=settings.timings)
        self.port = 0

    async def start(self) -> None:
        """Listen; raises lightbulb.errors.CannotListen."""
        self._server = grpc.aio.server(options=SERVER_OPTIONS)
        self.publisher.ads.add_to(self._server)
        pb_grpc.add_ControlPlaneServicer_to_server(ControlPlaneService(self.publisher), self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflection.enable_server_reflection(
            (_SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME), self._server
        )
        self.port = listen(self._server, self._settings.address)
        await self._server.start()
        self._running = asyncio.create_task(self.publisher.run())
        await self._health.set("", health_pb2.HealthCheckResponse.SERVING)
        log.info("control plane listens on port %d", self.port)

    async def stop(self) -> None:
        """End the streams; consumers keep what they have."""
        await self._health.enter_graceful_shutdown()
        self._running.cancel()
        await self.publisher.ads.close()
        await self._server.stop(self._settings.grace)

    async def run_until(self, stop: asyncio.Event) -> None:
        """Return when `stop` is set; raise what the publisher failed with, should it ever."""
        waiting = asyncio.create_task(stop.wait())
        done, _ = await asyncio.wait({waiting, self._running}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if self._running in done:
            self._running.result()


async def serve(settings: ControlPlaneSettings, workspace: Workspace | None = None) -> None:
    """Serve until SIGTERM or SIGINT; publish `workspace` first when there is one.

    Raises CannotListen, and WorkspaceError when the workspace has problems.
    """
    control_plane = ControlPlane(settings)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await control_plane.start()
    try:
        if workspace is not None:
            await control_plane.publisher.publish(workspace)
        await control_plane.run_until(stop)
    finally:
        await control_plane.stop()
