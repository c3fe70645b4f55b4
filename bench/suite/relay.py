"""What a relay beside each Envoy costs: a push through it against one without, and its CPU and memory.

One changed objective of a thousand (10 keys each), from the control plane until Envoy's ACK is there; the
relay has a core to itself, and keeps what it is sent on disk, as it always does.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import partial

from bench.contest import Contestant, Costs, Measured, Setting, alternate
from bench.machine import resident_bytes
from bench.pushed import KEYS, World
from bench.result import Comparison
from bench.worker import Worker

TITLE = "A push of one changed objective to one Envoy, through its relay"
PUSHES = 20


@contextlib.contextmanager
def _sidecar(setting: Setting, name: str, objectives: int, relay: Worker | None) -> Iterator[World]:
    cores, folder = setting.cores, str(setting.folder)
    with (
        Worker("bench.parts.plane", cores.client) as plane,
        Worker("bench.parts.fleet", cores.client) as fleet,
    ):
        setting.tell(f"{name}: takes {objectives:,} objectives")
        world = World(name=name, objectives=objectives, sidecars=1, plane=plane, fleet=fleet)
        if relay is None:
            world.connect()
        else:
            world.connect(lambda target: relay.ask(target=target, world=name, folder=folder)["target"])
        yield world


def _push(world: World, relay: Worker) -> Costs:
    """Return what one push costs, and what of it is the relay's."""
    before = relay.cpu_seconds()
    costs = world.push_one(PUSHES)
    return {**costs, "relay's CPU": (relay.cpu_seconds() - before) / PUSHES}


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
                Contestant(name=direct, measure=partial(alone.push_one, PUSHES)),
                Contestant(name=through, measure=partial(_push, large, large_relay)),
                Contestant(name=small, measure=partial(_push, little, small_relay)),
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
