"""A step of a shift, until the last of twenty Lightbulbs obeys; and what the figures of its arms cost.

Steps are taken one after the other, each once the control plane has come to rest: with 10,000 models and
1,000 sidecars connected, against 100 models and 10 sidecars. Then a relay a sidecar tells what its Envoy
counted, once an interval, against relays that are connected and tell nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from itertools import chain
from statistics import median, quantiles

from bench.contest import A_SECOND, Contestant, Costs, Measured, Setting, alternate
from bench.deployment import Deployment, Size, deployment
from bench.result import Comparison
from bench.worker import Worker
from controlplane.replica.figures import INTERVAL_SECONDS

TITLE = "A step of a shift, from the call until the last of 20 Lightbulbs obeys; figures of 1,000 relays"
GOAL_IN_SECONDS = 0.5
LIGHTBULBS = 20
TELL, SILENT = "relays that tell", "relays that are silent"


class Contender:
    """A deployment with a shift; keeps how long each of its steps took."""

    def __init__(self, made: Deployment) -> None:
        self._made = made
        self._took: list[list[float]] = []
        self.started = made.shift()["took"][0]

    def measure(self) -> Costs:
        """Take every step of a schedule; return the median and the longest in seconds, and a step's CPU."""
        spent = self._made.shift()
        self._took.append(spent["took"])
        return {
            "p50": median(spent["took"]),
            "slowest": max(spent["took"]),
            "CPU": spent["CPU"] / len(spent["took"]),
        }

    def p99(self) -> float:
        """Return the 99th percentile over all rounds but the warm-up."""
        return quantiles(chain.from_iterable(self._took[1:]), n=100, method="inclusive")[-1]


def run(setting: Setting) -> tuple[Comparison, ...]:
    (large, sidecars), rounds = ((200, 50), 2) if setting.quick else ((10_000, 1_000), 6)
    few = Size(models=100, sidecars=10, lightbulbs=LIGHTBULBS)
    many = Size(models=large, sidecars=sidecars, lightbulbs=LIGHTBULBS)
    with (
        deployment(setting, few, policy={}) as small,
        deployment(setting, many, policy={}) as big,
    ):
        contenders = {_name(made.size): Contender(made) for made in (small, big)}
        measured = alternate(
            [Contestant(name=name, measure=each.measure) for name, each in contenders.items()],
            rounds,
            setting.tell,
        )
        figures = _figures(setting, big)
    overall = Measured(
        {name: ({"p99": each.p99(), "start": each.started},) for name, each in contenders.items()}
    )
    overall = overall.with_costs(A_SECOND, {"p99": 1.0, "start": 1.0})
    return (
        overall.compare(_name(many), A_SECOND, "p99", goal=GOAL_IN_SECONDS),
        overall.compare(_name(few), A_SECOND, "p99", goal=GOAL_IN_SECONDS),
        overall.compare(_name(many), A_SECOND, "start"),
        measured.compare(_name(many), _name(few), "p50"),
        measured.compare(_name(many), _name(few), "slowest"),
        measured.compare(_name(many), _name(few), "CPU"),
        figures.compare(TELL, A_SECOND, "CPU"),
        figures.compare(SILENT, A_SECOND, "CPU"),
    )


def _figures(setting: Setting, made: Deployment) -> Measured:
    """Measure a relay a sidecar, which tell or don't: the control plane's CPU of each second."""
    rounds, seconds = (2, 1.0) if setting.quick else (8, INTERVAL_SECONDS)
    with Worker("bench.parts.relays", setting.cores.client) as relays:
        relays.ask(do="connect", target=made.target, relays=made.size.sidecars)

        def cost_of(what: Callable[[], object]) -> Costs:
            before, began = made.cpu_seconds(), time.monotonic()
            what()
            return {"CPU": (made.cpu_seconds() - before) / (time.monotonic() - began)}

        tell = partial(relays.ask, do="tell", over=seconds)
        contestants = [
            Contestant(name=TELL, measure=partial(cost_of, tell)),
            Contestant(name=SILENT, measure=partial(cost_of, partial(time.sleep, seconds))),
        ]
        return alternate(contestants, rounds, setting.tell).with_costs(A_SECOND, {"CPU": 1.0})


def _name(size: Size) -> str:
    return f"{size.models:,} models"
