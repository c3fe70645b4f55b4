"""A rollback, from the call until the last of twenty Lightbulbs answers from the other generation.

Back and forth, each once the control plane has come to rest: with 10,000 models and 1,000 sidecars
connected, against 100 models and 10 sidecars.
"""

from __future__ import annotations

from itertools import chain
from statistics import median, quantiles

from bench.contest import A_SECOND, Contestant, Costs, Measured, Setting, alternate
from bench.deployment import Deployment, Size, deployment
from bench.result import Comparison

TITLE = "A rollback, from the call until the last of 20 Lightbulbs has switched"
GOAL_IN_SECONDS = 1.0
LIGHTBULBS = 20


class Contender:
    """A deployment that is rolled back and forth; keeps how long each rollback took."""

    def __init__(self, made: Deployment, times: int) -> None:
        """It is rolled back `times` times each round."""
        self._made = made
        self._times = times
        self._took: list[list[float]] = []
        made.publish()  # a second generation

    def measure(self) -> Costs:
        """Return the median and the longest in seconds, and what a rollback costs in all."""
        spent = self._made.roll_back(self._times)
        self._took.append(spent["took"])
        return {
            "p50": median(spent["took"]),
            "slowest": max(spent["took"]),
            "CPU": spent["CPU"] / self._times,
        }

    def p99(self) -> float:
        """Return the 99th percentile over all rounds but the warm-up."""
        return quantiles(chain.from_iterable(self._took[1:]), n=100, method="inclusive")[-1]


def run(setting: Setting) -> tuple[Comparison, ...]:
    (large, sidecars), rounds, times = ((200, 50), 2, 5) if setting.quick else ((10_000, 1_000), 5, 10)
    few = Size(models=100, sidecars=10, lightbulbs=LIGHTBULBS)
    many = Size(models=large, sidecars=sidecars, lightbulbs=LIGHTBULBS)
    with (
        deployment(setting, few, policy={}) as small,
        deployment(setting, many, policy={}) as big,
    ):
        contenders = {_name(made.size): Contender(made, times) for made in (small, big)}
        measured = alternate(
            [Contestant(name=name, measure=each.measure) for name, each in contenders.items()],
            rounds,
            setting.tell,
        )
    overall = Measured({name: ({"p99": each.p99()},) for name, each in contenders.items()})
    overall = overall.with_costs(A_SECOND, {"p99": 1.0})
    return (
        overall.compare(_name(many), A_SECOND, "p99", goal=GOAL_IN_SECONDS),
        overall.compare(_name(few), A_SECOND, "p99", goal=GOAL_IN_SECONDS),
        measured.compare(_name(many), _name(few), "p50"),
        measured.compare(_name(many), _name(few), "slowest"),
        measured.compare(_name(many), _name(few), "CPU"),
    )


def _name(size: Size) -> str:
    return f"{size.models:,} models"
