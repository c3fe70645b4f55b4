"""A serving host as a process: its ADS stream registers it, assigns its models, and carries its ACKs."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from lightbulb.ads.client.subscriber import Subscriber, Update
from lightbulb.ads.loads import progress_request
from lightbulb.ads.messages import DeltaRequest
from lightbulb.ads.values import BEATS, HEARTBEAT, MODEL_ASSIGNMENT, SIDE_BY_SIDE, Node
from lightbulb.errors import CannotListen
from lightbulb.host.errors import BadInput
from lightbulb.host.inference import Origin
from lightbulb.host.record_files import RecordFiles
from lightbulb.host.record_sink import RecordSink, Writer
from lightbulb.host.recorder import Recorder
from lightbulb.host.repository import LOAD_SECONDS, Repository
from lightbulb.host.service import InferenceService
from lightbulb.host.status import DOMAIN, KINDS
from lightbulb.host.workflow import Catalogue, Fact
from lightbulb.oip import open_inference_pb2
from lightbulb.oip import open_inference_pb2_grpc as pb_grpc
from lightbulb.resolution.codec import Malformed, assignment_from_bytes
from lightbulb.rpc.doors import Doors, stop_in_order
from lightbulb.rpc.health import LoopHealth
from lightbulb.rpc.keepalive import SERVER_TO_CALLER, TAKES_PINGS, pings
from lightbulb.rpc.listen import LISTEN_OPTIONS, listen
from lightbulb.rpc.loop_patience import LoopPatience
from lightbulb.rpc.reflection import add_reflection
from lightbulb.rpc.unreadable import RefusesUnreadable
from lightbulb.signals import stop_at_signals, until

log = logging.getLogger(__name__)

SERVICE = "inference.GRPCInferenceService"


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """Where records of requests that have a shadow are kept, and the key that users' ids are hashed with.

    `requests`: what was asked is kept too, as it came, users' ids and all.
    """

    place: Path | str
    """A folder, or the URL of a Redis."""
    key: bytes
    requests: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSettings:
    """Who this host is, and where it listens: `address`:`port`, 0 for a port that the system chooses.

    Addresses are IP addresses. Sidecars are told `advertise`, or `address` when that is empty. A host that
    leaves goes on taking requests for `withdraw` seconds after it has ended its registration, since sidecars
    hear of it a little later; then requests under way get `grace` seconds. Every `progress_seconds` it tells
    the control plane how far it is with what it has been loading for longer than that. Every
    `heartbeat_seconds` it says that it lives: one that hangs is sent no more requests.
    """

    node_id: str
    shard: str
    address: str
    port: int
    control_plane: str
    memory_mib: int
    advertise: str = ""
    withdraw: float = 1.0
    grace: float = 5.0
    load_seconds: float = LOAD_SECONDS
    progress_seconds: float = 2.0
    heartbeat_seconds: float = 2.0
    max_in_flight: int = 128
    max_request_bytes: int = 16 * 1024 * 1024
    catalogue: Catalogue
    facts: Mapping[str, Fact]
    records: Records | None = None


class ServingHost:
    """A host in this event loop: `await start()`, then `port` and `running`, then `await stop()`."""

    running: asyncio.Task[None]
    """The subscription; it ends only by a fault, or by `stop`."""
    _subscriber: Subscriber

    def __init__(self, settings: HostSettings) -> None:
        """Nothing runs before `start`."""
        self._settings = settings
        self.repository = Repository(
            catalogue=settings.catalogue,
            facts=settings.facts,
            memory_mib=settings.memory_mib,
            load_seconds=settings.load_seconds,
        )
        origin = Origin(node_id=settings.node_id, shard=settings.shard)
        self._recorder = _recorder(settings)
        self._service = InferenceService(
            self.repository, origin, max_in_flight=settings.max_in_flight, recorder=self._recorder
        )
        self._health = LoopHealth()
        self._server = grpc.aio.server(
            options=[
                *LISTEN_OPTIONS,
                *pings(SERVER_TO_CALLER),
                *TAKES_PINGS,
                ("grpc.max_receive_message_length", settings.max_request_bytes),
            ]
        )
        self._doors = Doors(self._server)
        self.port = 0
        self._told: tuple[tuple[str, float, str], ...] = ()
        """What the server of the stream was told of loads."""

    async def start(self) -> None:
        """Listen, then register with the control plane. Raises CannotListen."""
        settings = self._settings
        advertised = _advertised(settings)
        server = RefusesUnreadable(self._server, kind=KINDS[BadInput], domain=DOMAIN, patience=LoopPatience())
        pb_grpc.add_GRPCInferenceServiceServicer_to_server(self._service, server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        add_reflection(server, open_inference_pb2.DESCRIPTOR, health_pb2.DESCRIPTOR)
        address = f"[{settings.address}]" if ":" in settings.address else settings.address
        self.port = listen(self._server, f"{address}:{settings.port}")
        self._set_health(health_pb2.HealthCheckResponse.NOT_SERVING)
        await self._server.start()
        self._subscriber = Subscriber(
            target=settings.control_plane,
            node=_node(settings, advertised, self.port),
            types=(MODEL_ASSIGNMENT,),
            side_by_side=(MODEL_ASSIGNMENT,),
            apply=self.apply,
            opened=self._forget_told,
        )
        self.running = asyncio.create_task(self._run())
        log.info("host %s of shard %s listens on port %d", settings.node_id, settings.shard, self.port)

    async def stop(self) -> None:
        """Leave: end the registration, say so, take what still comes, finish what is under way."""
        await self._subscriber.leave()
        self.running.cancel()
        await asyncio.wait({self.running})
        # After the subscription, or an assignment that is just applied would say "ready" again.
        self._service.ready = False
        self._health.leave()
        await asyncio.sleep(self._settings.withdraw)
        await stop_in_order(self._server, self._doors, self._settings.grace, self._health.end_watches)
        self._service.close()
        if self._recorder is not None:
            await asyncio.to_thread(self._recorder.close)
        self.repository.close()
        log.info("stopped")

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._subscriber.run())
            group.create_task(self._tell_progress_for_ever())
            group.create_task(self._beat_for_ever())

    async def _tell_progress_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._settings.progress_seconds)
            loads = [
                each for each in self.repository.loads if each.seconds >= self._settings.progress_seconds
            ]
            # That time passes goes without saying.
            news = tuple((each.model, round(each.fraction or 0.0, 2), each.text) for each in loads)
            if news != self._told and self._subscriber.tell(progress_request(loads)):
                self._told = news

    async def _beat_for_ever(self) -> None:
        """Say that this event loop goes on; connections and pings do so without it."""
        while True:
            await asyncio.sleep(self._settings.heartbeat_seconds)
            self._subscriber.tell(DeltaRequest(type_url=HEARTBEAT))

    def _forget_told(self) -> None:
        self._told = ()

    async def apply(self, update: Update) -> Mapping[str, str]:
        """Load what is assigned, let go of what isn't any more; return id -> reason of what failed.

        From the first time on the host is ready: what failed is refused by name, and nothing is sent
        to it.
        """
        malformed: dict[str, str] = {}
        assignments = []
        for resource in update.added:
            try:
                assignment = assignment_from_bytes(resource.body)
            except Malformed as error:
                malformed[resource.name] = str(error)
                continue
            if assignment.id == resource.name:
                assignments.append(assignment)
            else:
                malformed[resource.name] = f"it holds an assignment of {assignment.id}"
        failed = await self.repository.apply(assignments, update.removed)
        self._service.ready = True
        self._set_health(health_pb2.HealthCheckResponse.SERVING)
        return {**malformed, **failed}

    def _set_health(self, status: health_pb2.HealthCheckResponse.ServingStatus) -> None:
        self._health.set(status, "", SERVICE)


async def serve(settings: HostSettings) -> None:
    """Serve until SIGTERM, SIGINT or SIGHUP, then leave without losing a request. Raises CannotListen."""
    stop = stop_at_signals()
    host = ServingHost(settings)
    await host.start()
    await until(stop, host.running)
    fault = host.running.done()
    log.info("leaving: requests for %.1f s more, then up to %.1f s", settings.withdraw, settings.grace)
    await host.stop()
    if fault:
        await host.running  # raises what ended it: without its stream a host serves nobody


def _recorder(settings: HostSettings) -> Recorder | None:
    """Return what makes records. Raises OSError."""
    if settings.records is None:
        return None
    instance = uuid4().hex[:8]
    sink = RecordSink(
        _writer(settings.records.place, settings.node_id, instance), host=settings.node_id, instance=instance
    )
    return Recorder(sink, settings.records.key, requests=settings.records.requests)


def _writer(place: Path | str, host: str, instance: str) -> Writer:
    if isinstance(place, Path):
        return RecordFiles(place, host=host, instance=instance)
    from lightbulb.host.record_stream import RecordStream  # noqa: PLC0415 - an extra

    return RecordStream(place)


def _advertised(settings: HostSettings) -> str:
    """Return the IP address that sidecars are to send requests to; raises CannotListen."""
    text = settings.advertise or settings.address
    try:
        address = ipaddress.ip_address(text)
    except ValueError as error:
        raise CannotListen(f"{text} is no IP address, which sidecars need") from error
    if address.is_unspecified:
        raise CannotListen(f"{text} is no address to send requests to; advertise or listen on one that is")
    return text


def _node(settings: HostSettings, address: str, port: int) -> Node:
    metadata = {
        "kind": "host",
        "shard": settings.shard,
        "address": address,
        "port": str(port),
        "memory_mib": str(settings.memory_mib),
        SIDE_BY_SIDE: "1",
        BEATS: f"{settings.heartbeat_seconds:g}",
    }
    return Node(id=settings.node_id, cluster=settings.shard, metadata=metadata)
