"""Every process of a system with replicas, each of which can be killed, frozen, and started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from controlplane.cli.layout import Layout, make_layout
from controlplane.cli.options import Address, joined
from controlplane.cli.processes import Processes, free_ports
from controlplane.cli.redis import redis_command
from controlplane.cli.system import System
from controlplane.model import Shard
from controlplane.store.contract import Store
from controlplane.store.open import open_store
from lightbulb.sidecar.process import is_ready

HOSTS = 4
REPLICAS = 2
PLANES = tuple(f"control-plane-{number}" for number in range(1, REPLICAS + 1))
LOAD_SECONDS = 0.4
"""How much longer than usual models take to load: a fault can come meanwhile."""

LINKED = "sidecar-2"
"""The sidecar whose relay reaches the control planes over a link that can be cut."""

LINK = f"link of {LINKED}"
LINK_SECONDS = 0.05
"""How long the link takes each way. Nobody is hurt by it, and `routing`, which waits for that sidecar, lasts
long enough to be met: it was over in 60 ms."""

POLICY = {
    "loading": 15,
    "routing": 4,
    "unload": 0.5,
    "margin": 0.5,
    "lease": 20,
    "reconnect": 5,
    "window": 2,
    "max_unavailable": 0.5,
}
SECONDS = ("loading", "routing", "unload", "margin", "lease", "reconnect")
"""What of it takes longer on a slow machine."""


class NotInTime(Exception):
    """What was waited for didn't come."""


LOOK_SECONDS = 0.1
"""Between two looks: each costs those who are looked at, whose processors the clients share."""


def wait_for(what: str, condition: Callable[[], object], seconds: float) -> None:
    """Return once `condition` holds; raise NotInTime."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise NotInTime(f"{what}: not within {seconds:g} s")
        time.sleep(LOOK_SECONDS)


@dataclass
class Part:
    """A process that there is to be, and the one that there is."""

    name: str
    command: Sequence[str]
    process: subprocess.Popen[bytes] | None = None


@dataclass
class Fleet:
    """Two control planes on a Redis (or one naive one), two Lightbulbs, two sidecars, hosts on two shards.

    `ways`: where the link listens, for each control plane. `pace`: how many times as long as usual is waited.
    `release`: a folder with the code of the control planes, if that is another than this. `far`: who reaches
    the control planes over the link, which takes `link_seconds` each way.
    """

    folder: Path
    naive: bool = False
    pace: float = 1.0
    release: Path | None = None
    hosts: int = HOSTS
    far: tuple[str, ...] = (LINKED,)
    link_seconds: float = LINK_SECONDS
    layout: Layout = field(init=False)
    ways: tuple[Address, ...] = field(init=False)
    parts: dict[str, Part] = field(init=False)

    def __post_init__(self) -> None:
        nowhere = dict.fromkeys(("control_plane", "lightbulb", "sidecar", "sidecar_admin", "first_host"))
        self.layout = make_layout(**nowhere, hosts=self.hosts, replicas=REPLICAS)
        self.ways = _beside(self.layout)
        self.parts = {part.name: part for part in self._parts()}

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "state").mkdir(exist_ok=True)
        for name in self.parts:
            self.start(name)
        return self

    def __exit__(self, *_: object) -> None:
        for part in reversed(self.parts.values()):
            self.signal(part.name, signal.SIGCONT)
            self.signal(part.name, signal.SIGTERM)
        deadline = time.monotonic() + 8
        for part in self.parts.values():
            if part.process is not None:
                try:
                    part.process.wait(max(0.1, deadline - time.monotonic()))
                except subprocess.TimeoutExpired:
                    self.kill(part.name)

    @property
    def lightbulbs(self) -> str:
        """What a client takes: all Lightbulbs, of which any will do."""
        return "ipv4:" + ",".join(map(str, self.layout.lightbulbs))

    @property
    def sidecars(self) -> str:
        """Name=address of each sidecar."""
        return ",".join(f"sidecar-{n}={each}" for n, each in enumerate(self.layout.sidecars, 1))

    def live(self, sidecar: str) -> bool:
        """Say whether a sidecar's Envoy is live."""
        names = [f"sidecar-{n}" for n in range(1, REPLICAS + 1)]
        admin = self.layout.sidecar_admins[names.index(sidecar)]
        return is_ready((admin.host, admin.port))

    def start(self, name: str) -> None:
        """Start a part that doesn't run."""
        part = self.parts[name]
        with (self.folder / f"{name}.log").open("ab") as log:
            part.process = subprocess.Popen(
                list(part.command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def kill(self, name: str) -> None:
        """End a part, with all its children, at once and without a word."""
        self.signal(name, signal.SIGKILL)
        process = self.parts[name].process
        assert process is not None
        process.wait()

    def signal(self, name: str, number: signal.Signals, *, alone: bool = False) -> None:
        """Send a signal to a part and its children, or to the part `alone`."""
        process = self.parts[name].process
        if process is None or process.poll() is not None:
            return
        if alone:
            process.send_signal(number)
        else:
            os.killpg(process.pid, number)

    @contextmanager
    def store(self) -> Iterator[Store]:
        """Give the control planes' store, of its own connection."""
        assert self.layout.redis is not None
        store = open_store(f"redis://{self.layout.redis}", "default")
        try:
            yield store
        finally:
            store.close()

    def ended(self) -> list[str]:
        """Return the parts that don't run."""
        return [
            part.name
            for part in self.parts.values()
            if part.process is None or part.process.poll() is not None
        ]

    def _parts(self) -> list[Part]:
        shards = [
            Shard(name=f"shard-{name}", vip=f"vip-{name}", memory_mib=12 * 1024, location=None)
            for name in ("a", "b")
        ]
        state = self.folder / "state"
        system = System(Processes(self.folder), self.layout, shards, state=state, models="examples.models")
        python = [sys.executable, "-m"]
        assert self.layout.redis is not None
        parts = [] if self.naive else [Part("redis", redis_command(self.layout.redis, state))]
        ways = [f"{way}={plane}" for way, plane in zip(self.ways, self.layout.control_planes, strict=True)]
        parts.append(Part(LINK, [*python, "chaos.link", str(self.link_seconds), *ways]))
        values = {name: value * self.pace if name in SECONDS else value for name, value in POLICY.items()}
        policy = [part for name, value in values.items() for part in ("--policy", f"{name}={value}")]
        host_times = [str(LOAD_SECONDS), str(self.pace)]
        for name, arguments in system.commands().items():
            if name.startswith("control-plane"):
                if self.naive and name != "control-plane-1":
                    continue
                module = [*python, "chaos.naive"] if self.naive else [*python, "controlplane"]
                command = [*module, *arguments, *policy]
                parts.append(
                    Part(name, command if self.release is None else of_release(command, self.release))
                )
            elif name.startswith("host"):
                parts.append(Part(name, [*python, "chaos.host", *_host(arguments), *host_times]))
            else:
                upstream = {"--control-plane": joined(self.ways)} if name in self.far else {}
                parts.append(Part(name, [*python, "controlplane", *changed(arguments, upstream)]))
        return parts


def _beside(layout: Layout) -> tuple[Address, ...]:
    """Return an address for each control plane that nobody has, nor will have in this layout."""
    taken = {address.port for address, _ in layout.flags()}
    free = [port for port in free_ports(len(taken) + REPLICAS) if port not in taken]
    return tuple(Address("127.0.0.1", port) for port in free[:REPLICAS])


def of_release(command: Sequence[str], folder: Path) -> list[str]:
    """Return a command that runs, with all its children, the code in a folder, wherever it is started."""
    return ["env", f"PYTHONPATH={folder}", "PYTHONSAFEPATH=1", *command]


def changed(arguments: Sequence[str], values: Mapping[str, str]) -> list[str]:
    """Return arguments with other values for some flags."""
    before = ("", *arguments)
    return [values.get(flag, argument) for flag, argument in zip(before, arguments, strict=False)]


def _host(arguments: Sequence[str]) -> list[str]:
    """Return a host's flags' values, as chaos.host takes them."""
    values = dict(zip(arguments[1::2], arguments[2::2], strict=True))
    return [values[flag] for flag in ("--node-id", "--shard", "--listen", "--control-plane", "--memory-mib")]
