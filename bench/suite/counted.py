"""What counting costs: special routes that don't match, Envoy's statistics, and a relay's looks at them.

Every Envoy has one worker on the server's core and knows 10 keys. Requests have no body and the upstream does
nothing. A look is at the two routes of a shift, as a relay asks for them, every so many seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from bench import world
from bench.contest import A_SECOND, Contestant, Costs, Setting, alternate
from bench.machine import cpu_seconds
from bench.result import Comparison
from bench.suite.envoy_lookup import measure_requests, running_envoys
from bench.system import Server
from bench.worker import Worker
from controlplane.replica.figures import INTERVAL_SECONDS
from lightbulb.sidecar.counters import read_statistics, rise, statistics_path
from lightbulb.sidecar.figures import get_statistics

TITLE = "Requests through Envoy with special routes and statistics, against one without; and looks at these"
GOAL = 1.05
LOOK_GOAL = 0.01
PLAIN, UNCOUNTED = "no special route", "no statistics"
LOOKS = 20
ROUTES = (world.special_name(0), world.special_name(1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """An Envoy with so many special routes, which counts or doesn't."""

    name: str
    special: int = 0
    counts: bool = True


KINDS = (
    Kind(name=PLAIN),
    Kind(name="16 special routes", special=16),
    Kind(name="64 special routes", special=64),
    Kind(name=UNCOUNTED, counts=False),
)


def run(setting: Setting) -> tuple[Comparison, ...]:
    requests, rounds = (500, 2) if setting.quick else (1_000, 201)
    shown = {
        each.name: {"objectives": 1, "keys": 10, "special": each.special, "counts": each.counts}
        for each in KINDS
    }
    with running_envoys(setting, shown) as envoys, Worker("bench.parts.load", setting.cores.client) as load:
        key = world.key(0, world.UNSPECIAL)
        contestants = [
            Contestant(
                name=each.name, measure=partial(measure_requests, load, envoys[each.name], key, requests)
            )
            for each in KINDS
        ]
        measured = alternate(contestants, rounds, setting.tell)
        looked = envoys["16 special routes"]
        for number, name in enumerate(ROUTES):  # so that there is something to be seen
            measure_requests(load, looked, world.key(0, number), requests, arm=name)
        looks = alternate(
            [Contestant(name="looks", measure=partial(_look, looked))], rounds, setting.tell
        ).with_costs(A_SECOND, {"CPU of Envoy": 1.0, "CPU of the relay": 1.0})
    return (
        *(
            measured.compare(each.name, PLAIN, metric, goal=GOAL)
            for each in KINDS[1:3]
            for metric in ("CPU", "time")
        ),
        measured.compare(PLAIN, UNCOUNTED, "CPU", goal=GOAL),
        *(
            looks.compare("looks", A_SECOND, metric, goal=LOOK_GOAL)
            for metric in ("CPU of Envoy", "CPU of the relay")
        ),
    )


def _look(server: Server) -> Costs:
    """Return the CPU that looks take, for each second."""
    assert server.admin is not None
    path, before = statistics_path(ROUTES), (cpu_seconds(server.pid), cpu_seconds(0))
    seen = {}
    for _ in range(LOOKS):
        now = read_statistics(get_statistics(server.admin, path))
        rise(seen, now)
        seen = {**seen, **now}
    assert seen, "Envoy has counted nothing"
    spent = cpu_seconds(server.pid) - before[0], cpu_seconds(0) - before[1]
    envoys, relays = (each / LOOKS / INTERVAL_SECONDS for each in spent)
    return {"CPU of Envoy": envoys, "CPU of the relay": relays}
