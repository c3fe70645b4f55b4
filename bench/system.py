"""The real control plane and the real Lightbulb as processes, with the repository's rules active."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from bench.contest import Setting
from bench.machine import pinned
from bench.worker import Worker
from controlplane.cli.processes import Processes, free_ports
from controlplane.rules.compile import compile_workspace
from controlplane.rules.workspace import read_workspace

RULES = Path(__file__).parents[1] / "rules"
READY_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Server:
    """A gRPC server that is ready; `admin` is where an Envoy is asked, `tables` where a Lightbulb serves."""

    port: int
    pid: int
    admin: tuple[str, int] | None = None
    tables: str = ""


@contextlib.contextmanager
def lightbulb(setting: Setting, transport: str = "grpcio") -> Iterator[Server]:
    """Give a Lightbulb on the server's core that serves the repository's rules; the rest is on the other."""
    shards = [shard.name for shard in compile_workspace(read_workspace(RULES)).shards]
    plane, port, tables = (f"127.0.0.1:{number}" for number in free_ports(3))
    with Processes(setting.folder) as processes, Worker("bench.parts.hosts", setting.cores.client) as hosts:
        with pinned(setting.cores.client):
            store = f"sqlite:{setting.folder}/store-{plane.rpartition(':')[2]}.db"
            arguments = ["--listen", plane, "--store", store, "--rules", str(RULES)]
            processes.start("control-plane", ["control-plane", *arguments])
        with pinned(setting.cores.server):
            listens = ["--listen", port, "--tables-listen", tables, "--transport", transport]
            child = processes.start("lightbulb", ["serve", *listens, "--control-plane", plane])
        hosts.ask(target=plane, shards=shards)
        with grpc.insecure_channel(port) as channel:
            health = health_pb2_grpc.HealthStub(channel)
            processes.wait_for("Lightbulb to serve", lambda: _serves(health), READY_SECONDS)
        yield Server(port=int(port.rpartition(":")[2]), pid=child.process.pid, tables=tables)


def _serves(health: health_pb2_grpc.HealthStub) -> bool:
    try:
        answer = health.Check(health_pb2.HealthCheckRequest(), timeout=1)
    except grpc.RpcError:
        return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


@contextlib.contextmanager
def echo(setting: Setting) -> Iterator[Server]:
    """Give an empty grpcio echo on the server's core."""
    with Worker("bench.parts.echo", setting.cores.server) as worker:
        yield Server(port=worker.ask()["port"], pid=worker.pid)
