"""A request through a real Envoy that knows 10 keys, against one that knows 100,000.

Every Envoy has one worker on the server's core and is configured by the real ADS server. Requests have
no body and the upstream does nothing, so that the look-up weighs as much as it ever can.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from bench import world
from bench.contest import Contestant, Costs, Setting, alternate
from bench.envoy import envoy
from bench.result import Comparison
from bench.system import Server
from bench.worker import Worker
from lightbulb.model import ARM_HEADER, ROUTING_KEY_HEADER

TITLE = "A request through Envoy that knows many routing keys, against one that knows 10"
GOAL = 1.10
FEW = "10 keys"
CONNECTIONS, DEPTH, WARM_UP = 8, 16, 500


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """So many objectives of so many keys each."""

    name: str
    objectives: int
    keys: int

    def places(self) -> dict[str, str]:
        """Return the first, the middle and the last key by where it stands."""
        total = self.objectives * self.keys
        at = {"first": 0, "middle": total // 2, "last": total - 1}
        return {place: world.key(*divmod(number, self.keys)) for place, number in at.items()}


WORLDS = (
    World(name=FEW, objectives=1, keys=10),
    World(name="10,000 keys", objectives=1, keys=10_000),
    World(name="100,000 keys", objectives=1, keys=100_000),
    World(name="1,000 objectives of 100 keys", objectives=1_000, keys=100),
)


def run(setting: Setting) -> tuple[Comparison, ...]:
    requests, rounds = (500, 2) if setting.quick else (5_000, 21)
    worlds = WORLDS[:2] if setting.quick else WORLDS
    shown = {each.name: {"objectives": each.objectives, "keys": each.keys} for each in worlds}
    with running_envoys(setting, shown) as envoys, Worker("bench.parts.load", setting.cores.client) as load:
        contestants = [
            Contestant(
                name=f"{place} of {each.name}" if each.name != FEW else FEW,
                measure=partial(measure_requests, load, envoys[each.name], key, requests),
            )
            for each in worlds
            for place, key in each.places().items()
            if each.name != FEW or place == "middle"
        ]
        measured = alternate(contestants, rounds, setting.tell)
    others = [contestant.name for contestant in contestants if contestant.name != FEW]
    return (
        *(measured.compare(name, FEW, "CPU", goal=GOAL) for name in others),
        *(measured.compare(name, FEW, "time", goal=GOAL) for name in others if name.startswith("last")),
    )


def measure_requests(load: Worker, server: Server, key: str, requests: int, arm: str = "") -> Costs:
    """Return what a request of a key costs an Envoy; of an arm, if it is of one."""
    headers = [
        (":method", "GET"),
        (":scheme", "http"),
        (":path", "/"),
        (":authority", "bench"),
        (ROUTING_KEY_HEADER, key),
        *([(ARM_HEADER, arm)] if arm else []),
    ]
    spent = load.ask(
        port=server.port,
        pid=server.pid,
        headers=headers,
        bodies=[],
        requests=requests,
        warm_up=WARM_UP,
        connections=CONNECTIONS,
        depth=DEPTH,
    )
    return {"CPU": spent["cpu"] / requests, "time": spent["seconds"] / requests}


@contextlib.contextmanager
def running_envoys(setting: Setting, shown: Mapping[str, Mapping[str, Any]]) -> Iterator[dict[str, Server]]:
    """Give an Envoy for each world, by name as what is shown of it, which has taken all of it."""
    client = setting.cores.client
    with (
        Worker("bench.parts.upstream", client) as upstream,
        Worker("bench.parts.plane", client) as plane,
        contextlib.ExitStack() as running,
    ):
        vips = {"vip-a": ("127.0.0.1", upstream.ask()["port"])}
        envoys = {}
        for name, world_shown in shown.items():
            setting.tell(f"an Envoy takes {name}")
            port = plane.ask(do="show", world=name, vips=vips, **world_shown)["port"]
            started = envoy(name, control_plane=port, core=setting.cores.server, folder=setting.folder)
            envoys[name] = running.enter_context(started)
            plane.ask(do="settle", world=name, streams=1)
        yield envoys
