"""The whole system on one machine: which processes, and when it is ready."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import grpc

from controlplane.cli.consumers import is_synced
from controlplane.cli.control_plane import failure, problems_of, publish_request, stub, warnings_of
from controlplane.cli.layout import Layout
from controlplane.cli.options import Address, joined
from controlplane.cli.ports import why_not
from controlplane.cli.problems import BadWorkspace, print_warnings
from controlplane.cli.processes import Processes, ProcessFailed
from controlplane.cli.redis import redis_command
from controlplane.model import Shard
from lightbulb.rpc.channels import open_channel
from lightbulb.sidecar.process import is_ready
from lightbulb.v1 import control_plane_pb2 as pb
from lightbulb.v1.control_plane_pb2_grpc import ControlPlaneStub

READY_SECONDS = 60.0
CALL_SECONDS = 5.0
TRY_SECONDS = 1.0
PUBLISH_SECONDS = 60.0

_ACTIVE = frozenset({pb.PHASE_RETIRING, pb.PHASE_UNLOADING, pb.PHASE_SETTLED})


class System:
    """Control planes, Lightbulbs, serving hosts on every shard, and sidecars, as processes."""

    def __init__(  # noqa: PLR0913 - what an operator decides
        self,
        processes: Processes,
        layout: Layout,
        shards: Sequence[Shard],
        *,
        state: Path,
        models: str,
        envoy: Path | None = None,
    ) -> None:
        """Hosts are dealt out to the shards in turn; `envoy` is a binary in place of the package's.

        `state` is the folder for what the processes keep, `models` the module of the models that hosts load.
        """
        self._processes = processes
        self._state = state
        self.layout = layout
        self._shards = tuple(shards)
        self._envoy = envoy
        self._models = models

    def start(self) -> None:
        """Start every process; `publish` and `wait_until_ready` come next.

        Raises ProcessFailed when something listens where one of them would.
        """
        problems = why_not(self.layout.flags())
        if problems:
            raise ProcessFailed("\n".join(problems))
        self._state.mkdir(parents=True, exist_ok=True)
        if self.layout.redis is not None:
            self._processes.run("redis", redis_command(self.layout.redis, self._state))
        for name, arguments in self.commands().items():
            self._processes.start(name, arguments)

    def commands(self) -> Mapping[str, list[str]]:
        """Return name -> arguments of every `lightbulb` process, in the order in which they are started."""
        layout, commands = self.layout, {}
        upstream = ["--control-plane", joined(layout.control_planes)]
        for name, address in named("control-plane", layout.control_planes):
            store = ["--store", self._store(), "--replica", name]
            commands[name] = ["control-plane", "--listen", str(address), *store]
        for name, address in named("lightbulb", layout.lightbulbs):
            commands[name] = ["serve", "--listen", str(address), *self._own(name), *upstream]
        for number, address in enumerate(layout.hosts):
            shard = self._shards[number % len(self._shards)]
            name = f"host-{number + 1}"
            arguments = ["--listen", str(address), "--shard", shard.name, "--node-id", name]
            arguments += ["--memory-mib", str(shard.memory_mib), "--models", self._models]
            arguments += ["--records", str(self._state / "records"), "--records-key", str(self._key())]
            commands[name] = ["host", *arguments, *upstream]
        envoy = [] if self._envoy is None else ["--envoy", str(self._envoy)]
        for (name, address), admin in zip(
            named("sidecar", layout.sidecars), layout.sidecar_admins, strict=True
        ):
            listen = ["--listen", str(address), "--admin", str(admin)]
            commands[name] = ["sidecar", *listen, *envoy, *self._own(name), *upstream]
        return commands

    def _store(self) -> str:
        redis = self.layout.redis
        return f"redis://{redis}" if redis is not None else f"sqlite:{self._state / 'store.db'}"

    def _key(self) -> Path:
        """Return the key that users' ids are hashed with in records, made the first time."""
        path = self._state / "records.key"
        if not path.exists():
            self._state.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)
            path.write_bytes(secrets.token_bytes(32))
        return path

    def _own(self, name: str) -> list[str]:
        return ["--node-id", name, "--state-dir", str(self._state / name)]

    def publish(self, folder: Path, revision: str = "") -> pb.PublishResponse:
        """Publish a workspace, and print its warnings.

        Raises BadWorkspace, or ProcessFailed when there is no answer.
        """
        address = self.layout.control_planes[0]
        with open_channel(str(address)) as channel:
            api = stub(channel)
            self._processes.wait_for("a control plane that answers", lambda: answers(api), READY_SECONDS)
            try:
                response: pb.PublishResponse = api.Publish(
                    publish_request(folder, revision=revision), timeout=PUBLISH_SECONDS
                )
            except grpc.RpcError as error:
                self._processes.check()
                raise ProcessFailed(str(failure(error, address))) from error
        if response.problems:
            raise BadWorkspace(problems_of(response))
        print_warnings(warnings_of(response))
        return response

    def wait_until_ready(self, generation: int) -> None:
        """Return once `generation` is active at every process; raise ProcessFailed when it isn't in time."""
        layout = self.layout
        expected = {*layout.lightbulbs, *layout.sidecars, *layout.hosts}
        with open_channel(str(layout.control_planes[0])) as channel:
            api = stub(channel)

            def ready() -> bool:
                if not all(is_ready((admin.host, admin.port)) for admin in layout.sidecar_admins):
                    return False
                try:
                    status = api.GetStatus(pb.GetStatusRequest(), timeout=CALL_SECONDS)
                except grpc.RpcError:
                    return False  # whether it has ended is looked at next
                synced = sum(map(is_synced, status.consumers))
                active = status.active_generation >= generation and status.phase in _ACTIVE
                return active and synced >= len(expected)

            self._processes.wait_for(f"generation {generation} active everywhere", ready, READY_SECONDS)


def answers(api: ControlPlaneStub) -> bool:
    """Return whether a control plane answers, within the time that a channel needs to try again."""
    try:
        # Not grpc.channel_ready_future: its thread prints a traceback when the channel closes meanwhile.
        api.GetStatus(pb.GetStatusRequest(), timeout=TRY_SECONDS, wait_for_ready=True)
    except grpc.RpcError:
        return False
    return True


def named(kind: str, addresses: Sequence[Address]) -> Iterator[tuple[str, Address]]:
    """Yield each address with a name; only where there are several do the names have numbers."""
    for number, address in enumerate(addresses, start=1):
        yield (f"{kind}-{number}" if len(addresses) > 1 else kind), address
