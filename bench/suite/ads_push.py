"""One changed objective pushed to a thousand sidecars: against one of a small world, and all of them.

The real ADS server has a process and a core of its own; the sidecars are streams of another process, each
on its own connection. A push ends with the last ACK.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from statistics import fmean

from bench.contest import Contestant, Costs, Setting, alternate
from bench.result import Comparison
from bench.worker import Worker

TITLE = "A push of one changed objective to every sidecar, per sidecar"
KEYS = 10
GOAL_OF_GROWTH = 1.15
PUSHES = 4
VIPS = {"vip-a": ("127.0.0.1", 9), "vip-b": ("127.0.0.2", 9)}


class World:
    """A control plane that has so many objectives, and its sidecars."""

    def __init__(self, *, name: str, objectives: int, sidecars: int, plane: Worker, fleet: Worker) -> None:
        self._name = name
        self._objectives = objectives
        self._sidecars = sidecars
        self._plane = plane
        self._fleet = fleet
        self._moved = (0, 0)

    def connect(self) -> None:
        """Let every sidecar connect, and take all that there is."""
        target = f"127.0.0.1:{self._plane.ask(do='show', **self._shown())['port']}"
        self._fleet.ask(
            do="start",
            target=target,
            world=self._name,
            sidecars=self._sidecars,
            vips=list(VIPS),
            objectives=self._objectives,
        )
        self._plane.ask(do="settle", world=self._name, streams=self._sidecars)

    def push_one(self) -> Costs:
        """Let the keys of the first objective change their VIPs, a few times; return what one push costs.

        The first time doesn't count: it pays for clearing up after a push of everything.
        """
        pushes = [self._push(first=True, others=False) for _ in range(PUSHES + 1)][1:]
        return {metric: fmean(push[metric] for push in pushes) for metric in pushes[0]}

    def push_all(self) -> Costs:
        """Let every key change its VIP."""
        return self._push(first=True, others=True)

    def _push(self, *, first: bool, others: bool) -> Costs:
        """Let the keys of the first objective, and those of the others, go to another VIP, or back.

        Returns what that costs for each sidecar.
        """
        self._moved = (self._moved[0] ^ first, self._moved[1] ^ others)
        self._fleet.ask(do="count")
        spent = self._plane.ask(do="push", streams=self._sidecars, **self._shown())
        spent["bytes"] = self._fleet.ask(do="count")["bytes"]
        return {metric: total / self._sidecars for metric, total in spent.items()}

    def _shown(self) -> dict[str, object]:
        shown = {"objectives": self._objectives, "keys": KEYS, "vips": VIPS, "moved": self._moved}
        return {"world": self._name, **shown}


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
        of_one = Contestant(name=one, measure=large.push_one)
        # a contest of its own: for a while after a push of everything every push is dearer
        growth = alternate([Contestant(name=same, measure=small.push_one), of_one], rounds, setting.tell)
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
