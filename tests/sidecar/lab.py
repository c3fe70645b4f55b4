"""The lab of tests/envoy with a relay between its control plane and its Envoy."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

from envoy.config.cluster.v3 import cluster_pb2

from lightbulb.ads.client.last_known_good import LastKnownGood
from lightbulb.ads.server.snapshot import Resources, Snapshot, make_resource
from lightbulb.ads.values import CLUSTER, Resource
from lightbulb.sidecar.process import Sidecar, is_ready
from lightbulb.sidecar.relay import Relay, RelaySettings
from tests.envoy.lab import SECONDS, Lab
from tests.waiting import until

KEY, OTHER = "Rank|m|1", "Fraud|m|1"
UPDATES = ("update_success", "config_reload")
"""Statistics of Envoy's that count what it was sent."""


class RelayLab(Lab):
    """`plane` ─► `relay` ─► `sidecar`. The relay keeps its state in `state`."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.socket = folder / "ads"
        self._log = folder / "envoy.log"
        self.sidecar = self._make_sidecar()
        self.state: Path | None = folder / "state"
        self._running: AsyncExitStack | None = None

    def start(self, snapshot: Snapshot | None = None) -> None:
        self.start_relay()
        super().start(snapshot)

    def start_relay(self) -> None:
        self.loop.run(self._start_relay())

    def stop_relay(self) -> None:
        if self._running is not None:
            self.loop.run(self._running.aclose())
            self._running = None

    def restart_envoy(self) -> None:
        """Kill Envoy, and start another."""
        pid = self.envoy_pid()
        os.kill(pid, signal.SIGKILL)
        self.sidecar.stop()
        self.sidecar = self._make_sidecar()
        self.sidecar.start()

    def envoy_pid(self) -> int:
        process = self.sidecar._process
        assert process is not None
        return process.pid

    @contextlib.contextmanager
    def stopped_envoy(self) -> Iterator[None]:
        os.kill(self.envoy_pid(), signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.envoy_pid(), signal.SIGCONT)

    def settled(self) -> None:
        until("the sidecar to acknowledge everything", lambda: self.plane.unsynced() == (), SECONDS)

    def connected(self) -> bool:
        """Whether Envoy has asked the relay for something."""

        async def ask() -> bool:
            return bool(self.relay.local.tracks())

        return self.loop.run(ask())

    def wanted(self) -> Resources:
        """The clusters that the relay wants Envoy to have."""
        return self.relay.holdings.wanted.of(CLUSTER)

    def ready(self) -> bool:
        return is_ready(self.admin)

    def close(self) -> None:
        with contextlib.ExitStack() as last:
            last.callback(super().close)
            self.sidecar.stop()
            self.stop_relay()
            self.plane.stop()
            self.loop.run(_leave())

    def _make_sidecar(self) -> Sidecar:
        settings = replace(self.sidecar.settings, control_plane=self.socket)
        return Sidecar(settings, log=self._log, concurrency=1)

    def settings(self) -> RelaySettings:
        return RelaySettings(
            node=self.sidecar.settings.node,
            control_planes=(f"127.0.0.1:{self.plane.port}",),
            socket=self.socket,
            state=self.state,
        )

    def kept(self) -> Path:
        """The file that the relay's state is kept in."""
        assert self.state is not None
        return LastKnownGood(self.state, self.settings().kept_as).path

    async def _start_relay(self) -> None:
        self.relay = Relay(self.settings())
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.relay.serving())
            self._running = stack.pop_all()


async def _leave() -> None:
    """End what is left: a call that its server ended leaves a task that waits for requests."""
    if others := asyncio.all_tasks() - {asyncio.current_task()}:
        for task in others:
            task.cancel()
        await asyncio.wait(others, timeout=SECONDS)


def two_upstreams(lab: RelayLab) -> RelayLab:
    """`KEY` and `OTHER` go to vip-a; there is a vip-b."""
    lab.upstream("vip-a")
    lab.upstream("vip-b")
    lab.start(on(lab, "vip-a"))
    return lab


def on(lab: Lab, vip: str, **more: str) -> Snapshot:
    """The world in which both keys go to `vip`, and that is the only one."""
    keys = {KEY: vip, OTHER: vip} | more
    return lab.world(keys, {name: (name,) for name in {vip, *more.values()}})


def unbuildable(name: str) -> Resource:
    """A cluster that Envoy refuses as it builds it: endpoints over ADS, and no word of where from."""
    cluster = cluster_pb2.Cluster(name=name, type=cluster_pb2.Cluster.EDS)
    return make_resource(name, cluster.SerializeToString(deterministic=True))


def with_cluster(snapshot: Snapshot, *clusters: Resource) -> Snapshot:
    return snapshot.replace(CLUSTER, [*snapshot.of(CLUSTER).values(), *clusters])
