"""A real control plane on the server's core, and all that connect to it on the other.

Serving hosts that take any model, Lightbulbs' feeds, and a great many sidecars: as far as the control
plane can tell they are real.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from bench.contest import Costs, Setting
from bench.machine import cpu_seconds, pinned, resident_bytes
from bench.worker import Worker
from bench.workspace import shards_of
from controlplane.cli.consumers import is_synced
from controlplane.cli.options import Address
from controlplane.cli.processes import Processes, free_ports
from controlplane.cli.redis import redis_command
from lightbulb.v1 import control_plane_pb2 as pb
from lightbulb.v1 import control_plane_pb2_grpc as pb_grpc

LOCAL = "127.0.0.1"
READY_SECONDS = 300.0
ALL_SECONDS = 300.0
_DECIDED_ANEW = re.compile(r"(\S+) is decided anew")
CALL_SECONDS = 60.0
ANY_LENGTH = (("grpc.max_receive_message_length", -1),)
LOOK_SECONDS = 0.2
CROWD_SECONDS = 60.0
"""For each `AT_A_LOOK` of sidecars, to connect on a machine that is busy otherwise."""

AT_A_LOOK = 1_000
"""Consumers that so many seconds are for: to tell of more takes the control plane longer."""

AT_A_TIME = 20
"""Tenants that publish for the first time at once."""

AT_ONCE = {"margin": 0, "unload": 0}
"""A policy under which a generation leaves as soon as no client can hold it, so that rounds are short."""


class NotSynced(Exception):
    """Somebody hasn't acknowledged all, in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How many models there are, and who is connected.

    With `tenants`, each of these has so many `models`, and a sidecar for each `part` takes those objectives
    alone: the first is taken by the first sidecar, and so on, around.
    """

    models: int
    sidecars: int
    lightbulbs: int
    tenants: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()

    @property
    def shards(self) -> list[str]:
        """The names of the shards."""
        return shards_of(self.models * max(1, len(self.tenants)))


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlPlane:
    """Where it listens, and the `lightbulb` command that it is."""

    target: str
    command: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumers:
    """The processes that connect to it."""

    hosts: Worker
    lightbulbs: Worker
    fleet: Worker


class Deployment:
    """A control plane, and all that connect to it."""

    def __init__(self, setting: Setting, size: Size, plane: ControlPlane, consumers: Consumers) -> None:
        self.size = size
        self._setting = setting
        self._command = plane.command
        self._target = plane.target
        self._hosts = consumers.hosts
        self._lightbulbs = consumers.lightbulbs
        self._fleet = consumers.fleet
        self._processes = contextlib.ExitStack()
        self._lives = 0
        self._revision = 0
        self._connected = 0
        self._log = setting.folder
        self.pid = 0

    def start(self) -> None:
        """Start the control plane, and return when it answers."""
        self._lives += 1
        processes = self._processes.enter_context(Processes(self._setting.folder))
        name = f"control-plane-{self._target.rpartition(':')[2]}-{self._lives}"
        with pinned(self._setting.cores.server):
            child = processes.start(name, self._command)
        self.pid, self._log = child.process.pid, child.log
        processes.wait_for("the control plane to answer", self._answers, READY_SECONDS)

    def stop(self) -> None:
        """End the control plane."""
        self._processes.close()

    def join(self) -> None:
        """Let hosts and Lightbulbs connect, for as long as all this runs."""
        self._hosts.ask(target=self._target, shards=self.size.shards)
        self._lightbulbs.ask(do="start", target=self._target, count=self.size.lightbulbs)

    def connect(self, sidecars: int, *, warm: bool) -> dict[str, int]:
        """Let more sidecars connect; return what all were sent once they are synced.

        Those that are `warm` hold already what the first one holds, as after a restart of the control plane:
        they are sent nothing, which saves a minute.
        """
        self.sent()
        self._fleet.ask(
            do="connect", target=self._target, sidecars=sidecars, warm=warm, parts=self.size.parts
        )
        self._connected += sidecars
        self.wait_synced()
        return self.sent()

    def sent(self) -> dict[str, int]:
        """Return what the sidecars were sent since the last time: bytes, messages, resources."""
        counts: dict[str, int] = self._fleet.ask(do="count")
        return counts

    def publish(self, tenant: str = "") -> dict[str, Any]:
        """Publish with one objective that differs from the last time; see bench.parts.lightbulbs."""
        self._revision += 1
        return self._lightbulbs.ask(
            do="publish", pid=self.pid, models=self.size.models, revision=self._revision, tenant=tenant
        )

    def costs_of_publish(self, tenant: str = "") -> Costs:
        """Publish, and return what that cost whom."""
        self.sent()
        spent = self.publish(tenant)
        return {
            "CPU": spent["CPU"],
            "time": spent["time"],
            "CPU afterwards": spent["CPU afterwards"],
            "time until accepted": spent["time until accepted"],
            "bytes a sidecar": self.sent()["bytes"] / self.size.sidecars,
        }

    def publish_all(self, tenants: Sequence[str]) -> int:
        """Publish for many tenants at once; return how often the unluckiest of them was decided anew."""
        self._revision += 1
        logged = self._log.stat().st_size
        self._lightbulbs.ask(
            ALL_SECONDS,
            do="publish all",
            models=self.size.models,
            revision=self._revision,
            tenants=tenants,
        )
        with self._log.open() as log:
            log.seek(logged)
            again = Counter(found[1] for line in log if (found := _DECIDED_ANEW.search(line)) is not None)
        return max(again.values(), default=0)

    def publish_platform(self) -> None:
        """Say which tenants there are, and on which shards."""
        self._lightbulbs.ask(do="publish platform", models=self.size.models, tenants=self.size.tenants)

    def roll_back(self, times: int) -> dict[str, Any]:
        """Roll back and forth; see bench.parts.lightbulbs."""
        return self._lightbulbs.ask(do="roll back", pid=self.pid, times=times)

    @property
    def target(self) -> str:
        """Where the control plane listens."""
        return self._target

    def shift(self) -> dict[str, Any]:
        """Start a shift, or take all the next steps of it; see bench.parts.lightbulbs."""
        return self._lightbulbs.ask(do="shift", pid=self.pid)

    def cpu_seconds(self) -> float:
        """Return the CPU time of the control plane since it was started."""
        return cpu_seconds(self.pid)

    def resident_bytes(self) -> int:
        """Return how much memory the control plane has."""
        return resident_bytes(self.pid)

    def wait_synced(self) -> None:
        """Return once every sidecar, host and Lightbulb has acknowledged all; raise NotSynced."""
        expected = {
            "sidecar": self._connected,
            "host": len(self.size.shards),
            "lightbulb": self.size.lightbulbs,
        }
        crowd = max(1.0, self._connected / AT_A_LOOK)
        seconds = READY_SECONDS + CROWD_SECONDS * crowd
        deadline = time.monotonic() + seconds
        while (found := self._synced_by_now()) != expected:
            if time.monotonic() > deadline:
                raise NotSynced(f"after {seconds:g} s synced are {found}, and should be {expected}")
            time.sleep(LOOK_SECONDS * crowd)

    def _synced_by_now(self) -> dict[str, int] | str:
        """Return who is synced; or why that isn't told in time, as while thousands connect at once."""
        try:
            return self._synced()
        except grpc.RpcError as error:
            if error.code() not in {grpc.StatusCode.CANCELLED, grpc.StatusCode.DEADLINE_EXCEEDED}:
                raise
            return f"not told: GetStatus ended as {error.code().name}, {error.details()}"

    def _synced(self) -> dict[str, int]:
        with grpc.insecure_channel(self._target, options=ANY_LENGTH) as channel:
            status = pb_grpc.ControlPlaneStub(channel).GetStatus(pb.GetStatusRequest(), timeout=CALL_SECONDS)
        found = dict.fromkeys(("sidecar", "host", "lightbulb"), 0)
        for each in status.consumers:
            found[each.kind] += is_synced(each)
        return found

    def _answers(self) -> bool:
        try:
            self._synced()
        except grpc.RpcError:
            return False
        return True


@contextlib.contextmanager
def deployment(
    setting: Setting, size: Size, *, policy: dict[str, float], redis: bool = False, connected: bool = True
) -> Iterator[Deployment]:
    """Give a deployment in which one generation is active, with its hosts and Lightbulbs synced.

    The sidecars are connected too, unless not `connected`.
    """
    cores = setting.cores
    (port, other) = free_ports(2)
    target = f"{LOCAL}:{port}"
    with contextlib.ExitStack() as running:
        store = f"sqlite:{setting.folder}/store-{port}.db"
        if redis:
            folder = setting.folder / f"redis-{other}"
            store = running.enter_context(_redis(Address(LOCAL, other), folder, cores.client))
        settings = {"routing": 60, **policy}  # a machine that is busy otherwise is not what is measured
        flags = [part for name, value in settings.items() for part in ("--policy", f"{name}={value:g}")]
        plane = ControlPlane(
            target=target, command=["control-plane", "--listen", target, "--store", store, *flags]
        )
        consumers = Consumers(
            hosts=running.enter_context(Worker("bench.parts.hosts", cores.client)),
            lightbulbs=running.enter_context(Worker("bench.parts.lightbulbs", cores.client)),
            fleet=running.enter_context(Worker("bench.parts.fleet", cores.client)),
        )
        made = Deployment(setting, size, plane, consumers)
        running.callback(made.stop)
        setting.tell(f"a control plane with {size.models:,} models")
        made.start()
        made.join()
        if size.tenants:
            made.publish_platform()
            for first in range(0, len(size.tenants), AT_A_TIME):  # each is to be answered in time
                made.publish_all(size.tenants[first : first + AT_A_TIME])
        else:
            made.publish()
        if connected:
            setting.tell(f"{size.sidecars:,} sidecars take {size.models:,} models")
            made.connect(1, warm=False)
            made.connect(size.sidecars - 1, warm=True)
        yield made


@contextlib.contextmanager
def _redis(address: Address, folder: Path, core: int) -> Iterator[str]:
    """Give the URL of a Redis that keeps every change durably."""
    folder.mkdir()
    with Processes(folder) as processes:
        with pinned(core):
            processes.run("redis", redis_command(address, folder))
        yield f"redis://{address}"
