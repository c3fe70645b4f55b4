"""What a relay beside each Envoy costs: a push through it against one without, and its CPU and memory.

One changed objective of a thousand (10 keys each), from the control plane until Envoy's ACK is there; the
relay has a core to itself, and keeps what it is sent on disk, as it always does.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import partial
from statistics import fmean

from bench.contest import Contestant, Costs, Measured, Setting, alternate
from bench.machine import resident_bytes
from bench.result import Comparison
from bench.worker import Worker

TITLE = "A push of one changed objective to one Envoy, through its relay"
KEYS = 10
PUSHES = 20
VIPS = {"vip-a": ("127.0.0.1", 9), "vip-b": ("127.0.0.2", 9)}


class Sidecar:
    """An Envoy, with a relay or without one, that is shown so many objectives."""

    def __init__(self, name: str, objectives: int, plane: Worker, fleet: Worker) -> None:
        self._name = name
        self._objectives = objectives
        self._plane = plane
        self._fleet = fleet
        self._moved = False

    def connect(self, relay: Worker | None, folder: str) -> None:
        """Let it connect, and take all that there is."""
        target = f"127.0.0.1:{self._plane.ask(do='show', **self._shown())['port']}"
        if relay is not None:
            target = relay.ask(target=target, world=self._name, folder=folder)["target"]
        asked = {"vips": list(VIPS), "objectives": self._objectives}
        self._fleet.ask(do="start", target=target, world=self._name, sidecars=1, **asked)
        self._plane.ask(do="settle", world=self._name, streams=1)

    def push(self, relay: Worker | None = None) -> Costs:
        """Let the keys of one objective change their VIPs, many times; return what one push costs."""
        cpu = relay.cpu_seconds() if relay is not None else 0.0
        took = [self._push() for _ in range(PUSHES)]
        spent = relay.cpu_seconds() - cpu if relay is not None else 0.0
        return {"time": fmean(took), "relay's CPU": spent / PUSHES}

    def _push(self) -> float:
        self._moved = not self._moved
        spent: float = self._plane.ask(do="push", streams=1, **self._shown())["time"]
        return spent

    def _shown(self) -> dict[str, object]:
        shown = {"objectives": self._objectives, "keys": KEYS, "vips": VIPS, "moved": (self._moved, False)}
        return {"world": self._name, **shown}


@contextlib.contextmanager
def _sidecar(setting: Setting, name: str, objectives: int, relay: Worker | None) -> Iterator[Sidecar]:
    cores = setting.cores
    with (
        Worker("bench.parts.plane", cores.client) as plane,
        Worker("bench.parts.fleet", cores.client) as fleet,
    ):
        setting.tell(f"{name}: takes {objectives:,} objectives")
        made = Sidecar(name, objectives, plane, fleet)
        made.connect(relay, str(setting.folder))
        yield made


def run(setting: Setting) -> tuple[Comparison, ...]:
    (few, many), rounds = ((10, 100), 2) if setting.quick else ((10, 1_000), 7)
    through, direct, small = f"through a relay, {many * KEYS:,} keys", "directly", f"{few * KEYS:,} keys"
    with (
        Worker("bench.parts.relay", setting.cores.server) as large_relay,
        Worker("bench.parts.relay", setting.cores.server) as small_relay,
        _sidecar(setting, "large", many, large_relay) as large,
        _sidecar(setting, "small", few, small_relay) as little,
        _sidecar(setting, "direct", many, None) as alone,
    ):
        measured = alternate(
            [
                Contestant(name=direct, measure=alone.push),
                Contestant(name=through, measure=partial(large.push, large_relay)),
                Contestant(name=small, measure=partial(little.push, small_relay)),
            ],
            rounds,
            setting.tell,
        )
        memory = Measured(
            {
                through: ({"relay's memory": float(resident_bytes(large_relay.pid))},),
                small: ({"relay's memory": float(resident_bytes(small_relay.pid))},),
            }
        )
    return (
        measured.compare(through, direct, "time"),
        measured.compare(through, small, "time"),
        measured.compare(through, small, "relay's CPU"),
        memory.compare(through, small, "relay's memory", unit="B"),
    )
