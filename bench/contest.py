"""Contestants measured in alternation, and compared round by round: what disturbs one disturbs both."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.machine import Cores
from bench.result import Comparison

Costs = Mapping[str, float]
"""Metric -> what one operation costs: seconds or bytes, so that less is better."""

A_SECOND = "1 s"
"""A baseline that never changes: for the few goals that are stated in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What every benchmark is given. `tell` takes a line for the one who waits."""

    quick: bool
    cores: Cores
    folder: Path
    tell: Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """Something that can be measured again and again."""

    name: str
    measure: Callable[[], Costs]


@dataclass(frozen=True, slots=True)
class Measured:
    """Contestant -> its costs, one a round."""

    rounds: Mapping[str, tuple[Costs, ...]]

    def with_costs(self, name: str, costs: Costs) -> Measured:
        """Return this beside something that costs the same in every round."""
        rounds = len(next(iter(self.rounds.values())))
        return Measured({**self.rounds, name: (costs,) * rounds})

    def compare(
        self, contestant: str, baseline: str, metric: str, *, unit: str = "s", goal: float | None = None
    ) -> Comparison:
        """Return the ratio of two contestants in each round."""
        own = [costs[metric] for costs in self.rounds[contestant]]
        others = [costs[metric] for costs in self.rounds[baseline]]
        return Comparison(
            contestant=contestant,
            baseline=baseline,
            metric=metric,
            unit=unit,
            ratios=tuple(one / other for one, other in zip(own, others, strict=True)),
            cost=median(own),
            baseline_cost=median(others),
            goal=goal,
        )


def alternate(
    contestants: Sequence[Contestant], rounds: int, tell: Callable[[str], None], *, warm_up: bool = True
) -> Measured:
    """Measure A B, B A, A B, ...: turned round each time, so that a drift falls on both alike.

    A first round that doesn't count warms everything up, unless there is nothing that stays warm.
    """
    found: dict[str, list[Costs]] = {contestant.name: [] for contestant in contestants}
    for number in range(0 if warm_up else 1, rounds + 1):
        order = contestants if number % 2 else list(reversed(contestants))
        for contestant in order:
            tell(f"{f'round {number} of {rounds}' if number else 'warm-up'}: {contestant.name}")
            gc.collect()
            costs = contestant.measure()
            if number:
                found[contestant.name].append(costs)
    return Measured({name: tuple(costs) for name, costs in found.items()})
