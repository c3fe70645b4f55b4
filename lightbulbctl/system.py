"""The whole system on one machine: which processes, on which ports, and when it is ready."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import grpc

from controlplane.model import Shard
from controlplane.problems import WorkspaceError
from lightbulb.v1 import control_plane_pb2 as pb
from lightbulbctl.commands.publish import problems_of, publish_request, stub
from lightbulbctl.options import Address
from lightbulbctl.processes import Processes, ProcessFailed, free_ports
from sidecar.process import is_ready

READY_SECONDS = 60.0
CALL_SECONDS = 5.0
PUBLISH_SECONDS = 60.0

_ACTIVE = frozenset({pb.PHASE_RETIRING, pb.PHASE_UNLOADING, pb.PHASE_SETTLED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where everything listens."""

    control_plane: Address
    lightbulb: Address
    sidecar: Address
    sidecar_admin: Address
    hosts: tuple[Address, ...]


def free_layout(hosts: int) -> Layout:
    """Return a layout on ports of 127.0.0.1 that are free now."""
    addresses = [Address("127.0.0.1", port) for port in free_ports(4 + hosts)]
    return Layout(
        control_plane=addresses[0],
        lightbulb=addresses[1],
        sidecar=addresses[2],
        sidecar_admin=addresses[3],
        hosts=tuple(addresses[4:]),
    )


class System:
    """A control plane, a Lightbulb, serving hosts on every shard, and one sidecar, as processes."""

    def __init__(self, processes: Processes, layout: Layout, shards: Sequence[Shard]) -> None:
        """Hosts are dealt out to the shards in turn."""
        self._processes = processes
        self.layout = layout
        self._shards = tuple(shards)

    def start(self) -> None:
        """Start every process; `publish` and `wait_until_ready` come next."""
        control_plane = str(self.layout.control_plane)
        start = self._processes.start
        start("control-plane", ["control-plane", "--listen", control_plane])
        upstream = ["--control-plane", control_plane]
        start("lightbulb", ["serve", "--listen", str(self.layout.lightbulb), *upstream])
        for number, address in enumerate(self.layout.hosts):
            shard = self._shards[number % len(self._shards)]
            name = f"host-{number + 1}"
            arguments = ["--listen", str(address), "--shard", shard.name, "--node-id", name]
            memory = ["--memory-mib", str(shard.memory_mib)]
            start(name, ["host", *arguments, *memory, *upstream])
        listen = ["--listen", str(self.layout.sidecar), "--admin", str(self.layout.sidecar_admin)]
        start("sidecar", ["sidecar", *listen, *upstream])

    def publish(self, folder: Path) -> pb.PublishResponse:
        """Publish a workspace; raises WorkspaceError, or ProcessFailed when there is no answer."""
        with grpc.insecure_channel(str(self.layout.control_plane)) as channel:
            try:
                grpc.channel_ready_future(channel).result(timeout=READY_SECONDS)
                response: pb.PublishResponse = stub(channel).Publish(
                    publish_request(folder), timeout=PUBLISH_SECONDS
                )
            except (grpc.FutureTimeoutError, grpc.RpcError) as error:
                self._processes.check()
                raise ProcessFailed(f"the control plane didn't take the publish: {error}") from error
        if response.problems:
            raise WorkspaceError(problems_of(response))
        return response

    def wait_until_ready(self, generation: int) -> None:
        """Return once `generation` is active at every process; raise ProcessFailed when it isn't in time."""
        expected = 2 + len(self.layout.hosts)
        with grpc.insecure_channel(str(self.layout.control_plane)) as channel:
            api = stub(channel)

            def ready() -> bool:
                admin = self.layout.sidecar_admin
                if not is_ready((admin.host, admin.port)):
                    return False
                status = api.GetStatus(pb.GetStatusRequest(), timeout=CALL_SECONDS)
                in_step = [consumer for consumer in status.consumers if not consumer.waiting_for]
                active = status.active_generation >= generation and status.phase in _ACTIVE
                return active and len(in_step) >= expected

            self._processes.wait_for(f"generation {generation} active everywhere", ready, READY_SECONDS)
