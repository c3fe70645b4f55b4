"""One changed objective pushed to a thousand sidecars: against one of a small world, and all of them.

The real ADS server has a process and a core of its own; the sidecars are streams of another process, each
on its own connection. A push ends with the last ACK.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import partial

from bench.contest import Contestant, Costs, Setting, alternate
from bench.pushed import World
from bench.result import Comparison
from bench.worker import Worker

TITLE = "A push of one changed objective to every sidecar, per sidecar"
GOAL_OF_GROWTH = 1.15
PUSHES = 4


def _push_one(world: World) -> Costs:
    """Return what one push of a changed objective costs.

    The first time doesn't count: it pays for clearing up after a push of everything.
    """
    world.push_one(1)
    return world.push_one(PUSHES)


@contextlib.contextmanager
def _world(setting: Setting, name: str, objectives: int, sidecars: int) -> Iterator[World]:
    cores = setting.cores
    with (
        Worker("bench.parts.plane", cores.server) as plane,
        Worker("bench.parts.fleet", cores.client) as fleet,
    ):
        setting.tell(f"{sidecars:,} sidecars take {objectives:,} objectives")
        world = World(name=name, objectives=objectives, sidecars=sidecars, plane=plane, fleet=fleet)
        world.connect()
        yield world


def run(setting: Setting) -> tuple[Comparison, ...]:
    (few, many, sidecars), (rounds, large_rounds) = (
        ((10, 100, 100), (2, 2)) if setting.quick else ((10, 1_000, 1_000), (9, 3))
    )
    same, one, everything = f"1 of {few}", f"1 of {many:,}", f"all {many:,}"
    with _world(setting, "small", few, sidecars) as small, _world(setting, "large", many, sidecars) as large:
        of_one = Contestant(name=one, measure=partial(_push_one, large))
        # a contest of its own: for a while after a push of everything every push is dearer
        growth = alternate(
            [Contestant(name=same, measure=partial(_push_one, small)), of_one], rounds, setting.tell
        )
        saved = alternate(
            [Contestant(name=everything, measure=large.push_all), of_one], large_rounds, setting.tell
        )
    return (
        growth.compare(one, same, "CPU", goal=GOAL_OF_GROWTH),
        growth.compare(one, same, "time", goal=GOAL_OF_GROWTH),
        growth.compare(one, same, "bytes", unit="B", goal=GOAL_OF_GROWTH),
        saved.compare(one, everything, "CPU"),
        saved.compare(one, everything, "time"),
        saved.compare(one, everything, "bytes", unit="B"),
    )
