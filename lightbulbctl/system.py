"""The whole system on one machine: which processes, on which ports, and when it is ready."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import grpc

from controlplane.model import Shard
from controlplane.problems import WorkspaceError
from lightbulb.v1 import control_plane_pb2 as pb
from lightbulbctl.commands.publish import failure, problems_of, publish_request, stub
from lightbulbctl.options import Address
from lightbulbctl.ports import why_not
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

    def flags(self) -> tuple[tuple[Address, str], ...]:
        """Return every address with the flag that says where it is."""
        hosts = ((host, "--first-host") for host in self.hosts)
        return (
            (self.control_plane, "--control-plane"),
            (self.lightbulb, "--lightbulb"),
            (self.sidecar, "--sidecar"),
            (self.sidecar_admin, "--sidecar-admin"),
            *hosts,
        )


def make_layout(  # noqa: PLR0913 - one argument a flag
    *,
    control_plane: Address | None,
    lightbulb: Address | None,
    sidecar: Address | None,
    sidecar_admin: Address | None,
    first_host: Address | None,
    hosts: int,
) -> Layout:
    """Return a layout with `hosts` hosts; what is None gets a port of 127.0.0.1 that is free now."""
    free = [Address("127.0.0.1", port) for port in free_ports(4 + hosts)]
    return Layout(
        control_plane=control_plane or free[0],
        lightbulb=lightbulb or free[1],
        sidecar=sidecar or free[2],
        sidecar_admin=sidecar_admin or free[3],
        hosts=(
            tuple(free[4:])
            if first_host is None
            else tuple(Address(first_host.host, first_host.port + number) for number in range(hosts))
        ),
    )


class System:
    """A control plane, a Lightbulb, serving hosts on every shard, and one sidecar, as processes."""

    def __init__(
        self, processes: Processes, layout: Layout, shards: Sequence[Shard], *, envoy: Path | None = None
    ) -> None:
        """Hosts are dealt out to the shards in turn; `envoy` is a binary in place of the package's."""
        self._processes = processes
        self.layout = layout
        self._shards = tuple(shards)
        self._envoy = envoy

    def start(self) -> None:
        """Start every process; `publish` and `wait_until_ready` come next.

        Raises ProcessFailed when something listens where one of them would.
        """
        problems = why_not(self.layout.flags())
        if problems:
            raise ProcessFailed("\n".join(problems))
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
        envoy = [] if self._envoy is None else ["--envoy", str(self._envoy)]
        start("sidecar", ["sidecar", *listen, *envoy, *upstream])

    def publish(self, folder: Path) -> pb.PublishResponse:
        """Publish a workspace; raises WorkspaceError, or ProcessFailed when there is no answer."""
        with grpc.insecure_channel(str(self.layout.control_plane)) as channel:
            try:
                grpc.channel_ready_future(channel).result(timeout=READY_SECONDS)
                response: pb.PublishResponse = stub(channel).Publish(
                    publish_request(folder), timeout=PUBLISH_SECONDS
                )
            except grpc.FutureTimeoutError as error:
                self._processes.check()
                message = f"the control plane doesn't answer within {READY_SECONDS:g} s"
                raise ProcessFailed(message) from error
            except grpc.RpcError as error:
                self._processes.check()
                raise ProcessFailed(failure(error, self.layout.control_plane)) from error
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
                try:
                    status = api.GetStatus(pb.GetStatusRequest(), timeout=CALL_SECONDS)
                except grpc.RpcError:
                    return False  # whether it has ended is looked at next
                in_step = [consumer for consumer in status.consumers if not consumer.waiting_for]
                active = status.active_generation >= generation and status.phase in _ACTIVE
                return active and len(in_step) >= expected

            self._processes.wait_for(f"generation {generation} active everywhere", ready, READY_SECONDS)
