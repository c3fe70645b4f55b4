"""Sidecars that are shown a world of objectives, which changes: what a push of the change costs."""

from __future__ import annotations

from collections.abc import Callable
from statistics import fmean

from bench.contest import Costs
from bench.worker import Worker

KEYS = 10
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

    def connect(self, through: Callable[[str], str] = str) -> None:
        """Let every sidecar connect, and take all that there is.

        `through`: takes the control plane's address, and returns the one that they connect to.
        """
        target = through(f"127.0.0.1:{self._plane.ask(do='show', **self._shown())['port']}")
        self._fleet.ask(
            do="start",
            target=target,
            world=self._name,
            sidecars=self._sidecars,
            vips=list(VIPS),
            objectives=self._objectives,
        )
        self._plane.ask(do="settle", world=self._name, streams=self._sidecars)

    def push_one(self, times: int) -> Costs:
        """Let the keys of the first objective change VIPs, `times` times; return what one push costs."""
        pushes = [self._push(first=True, others=False) for _ in range(times)]
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
