"""The control plane as a process: one port for ADS and the API, health, reflection, an orderly end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
from dataclasses import dataclass, field
from functools import partial

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from controlplane.admin.commits import Caller
from controlplane.admin.compilers import Compilers
from controlplane.admin.operator import Operator
from controlplane.api.errors import DOMAIN, KINDS, InvalidRequest
from controlplane.api.service import AdminService
from controlplane.api.telemetry import TelemetryService
from controlplane.model import Workspace
from controlplane.replica.replica import Replica
from controlplane.replica.waiting import StoppedWaiting, when_reachable
from controlplane.rollout.state import Policy
from controlplane.store.contract import Store
from controlplane.store.open import open_store
from lightbulb.ads.server.server import SERVER_OPTIONS
from lightbulb.ads.wire import SERVICE as ADS_SERVICE
from lightbulb.discovery import discovery_pb2
from lightbulb.rpc.doors import Doors, stop_in_order
from lightbulb.rpc.health import LoopHealth
from lightbulb.rpc.listen import listen
from lightbulb.rpc.loop_patience import LoopPatience
from lightbulb.rpc.reflection import add_reflection
from lightbulb.rpc.unreadable import RefusesUnreadable
from lightbulb.signals import stop_at_signals, until
from lightbulb.v1 import control_plane_pb2, telemetry_pb2
from lightbulb.v1 import control_plane_pb2_grpc as pb_grpc
from lightbulb.v1.telemetry_pb2_grpc import add_TelemetryServiceServicer_to_server

log = logging.getLogger(__name__)

COLLECTOR_THRESHOLDS = (10_000, 10, 100)
"""When the cyclic garbage collector runs, per its generation (gc.set_threshold).

A rollback among 10,000 models replaces many long-lived objects, which reference counts free. With Python's
defaults a full pass follows almost each rollback, and stops the process for half a second.
"""

LAST_SECONDS = 1.0
"""For telling those whose publish takes longer than the grace that it was ended."""

_SERVICES = (
    control_plane_pb2.DESCRIPTOR.services_by_name["ControlPlane"].full_name,
    telemetry_pb2.DESCRIPTOR.services_by_name["TelemetryService"].full_name,
    ADS_SERVICE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlPlaneSettings:
    """Where to listen ("host:port"; port 0 lets the system choose), and what to keep where.

    `store` is "sqlite:PATH" or a Redis URL, of which `store_replicas` are to have each commit; `cluster`
    names what it belongs to. `replica` tells this control plane from others on the same store. `grace` is in
    seconds.
    """

    address: str
    store: str
    cluster: str = "default"
    replica: str = "control-plane"
    store_replicas: int = 0
    policy: Policy = field(default_factory=Policy)
    grace: float = 5.0


class ControlPlane:
    """A running control plane on an open store; `port` is known once it has started."""

    def __init__(self, settings: ControlPlaneSettings, store: Store) -> None:
        """Nothing runs before `start`."""
        self._settings = settings
        self._health = LoopHealth()
        self.replica = Replica(store, name=settings.replica, policy=settings.policy)
        self._compilers = Compilers()
        self.operator = Operator(self.replica, self._compilers)
        self.port = 0

    async def start(self, stop: asyncio.Event | None = None) -> None:
        """Read the store, then listen.

        Waits for a store that can't be reached. Raises StoppedWaiting when `stop` is set meanwhile, and
        lightbulb.errors.CannotListen.
        """
        await self.replica.start(stop)
        self._server = grpc.aio.server(options=SERVER_OPTIONS)
        self._doors = Doors(self._server)
        self.replica.ads.add_to(self._server)
        server = RefusesUnreadable(
            self._server, kind=KINDS[InvalidRequest], domain=DOMAIN, patience=LoopPatience()
        )
        self._admin = AdminService(self.replica, self.operator)
        pb_grpc.add_ControlPlaneServicer_to_server(self._admin, server)
        self._telemetry = TelemetryService(self.replica)
        add_TelemetryServiceServicer_to_server(self._telemetry, server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        add_reflection(
            server,
            control_plane_pb2.DESCRIPTOR,
            telemetry_pb2.DESCRIPTOR,
            discovery_pb2.DESCRIPTOR,
            health_pb2.DESCRIPTOR,
        )
        self.port = listen(self._server, self._settings.address)
        await self._server.start()
        self._running = asyncio.create_task(self.replica.run())
        self._compilers.make_ready()
        self._health.set(health_pb2.HealthCheckResponse.SERVING, "", *_SERVICES)
        log.info("control plane %s listens on port %d", self.replica.name, self.port)

    async def stop(self) -> None:
        """End the streams; consumers keep what they have."""
        self._health.leave()
        self._telemetry.end()
        self._running.cancel()
        await asyncio.wait({self._running})
        await self.replica.stop()
        grace = self._settings.grace
        stopping = asyncio.create_task(
            stop_in_order(self._server, self._doors, grace + LAST_SECONDS, self._end_watches)
        )
        await asyncio.wait({stopping}, timeout=grace)
        await self._compilers.stop()
        await stopping

    def _end_watches(self) -> None:
        self._health.end_watches()
        self._admin.end_watches()

    async def run_until(self, stop: asyncio.Event) -> None:
        """Return when `stop` is set; raise what the replica failed with, should it ever."""
        await until(stop, self._running)
        if self._running.done():
            self._running.result()


async def serve(settings: ControlPlaneSettings, workspace: Workspace | None = None) -> None:
    """Serve until SIGTERM, SIGINT or SIGHUP; publish `workspace` first, into a store that has nothing.

    Waits for a store that can't be reached. Raises CannotListen, StoreError for one that is another's or
    corrupt, and WorkspaceError when the workspace has problems.
    """
    gc.set_threshold(*COLLECTOR_THRESHOLDS)
    stop = stop_at_signals()
    with contextlib.suppress(StoppedWaiting):
        store = await when_reachable(
            partial(open_store, settings.store, settings.cluster, settings.store_replicas), stop
        )
        try:
            await _serve(settings, store, workspace, stop)
        finally:
            store.close()


async def _serve(
    settings: ControlPlaneSettings, store: Store, workspace: Workspace | None, stop: asyncio.Event
) -> None:
    control_plane = ControlPlane(settings, store)
    await control_plane.start(stop)
    try:
        if workspace is not None and not control_plane.replica.known.lanes.rollouts:
            caller = Caller(author=settings.replica, message="published at the start")
            await control_plane.operator.publish(workspace, caller)
        await control_plane.run_until(stop)
    finally:
        await control_plane.stop()
