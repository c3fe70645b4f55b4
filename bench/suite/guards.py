"""The bet that guards a shift, beside other ways to judge it: false alarms, and seconds until a true one.

All judge the same made-up figures, which differ from round to round. No time is measured.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from bench.contest import Costs, Measured, Setting
from bench.parts.guards import ALPHA
from bench.parts.judges import judges
from bench.parts.shift_figures import EQUALS, WORSE
from bench.result import Comparison
from bench.worker import Worker

TITLE = "Judges of shifts: false alarms in 1,000 shifts of equals, and seconds until a worse one is found out"
ALLOWED = "allowed"
CHEAT = "z-test, peeking"
"""The quickest, since it raises so many false alarms."""

SEED = 20_000


def run(setting: Setting) -> tuple[Comparison, ...]:
    runs, rounds = (20, 2) if setting.quick else (500, 10)
    found: dict[str, list[dict[str, float]]] = defaultdict(list)
    with Worker("bench.parts.guards", setting.cores.server) as worker:
        for number in range(1, rounds + 1):
            costs: dict[str, dict[str, float]] = {name: {} for name in judges(ALPHA)}
            for scenario in (*EQUALS, *WORSE):
                setting.tell(f"round {number} of {rounds}: {scenario}")
                fewer = 1 if scenario in EQUALS else 5
                told = worker.ask(scenario=scenario, runs=runs // fewer, seed=SEED + number)
                for judge, said in told.items():
                    costs[judge] |= {_metric(scenario, what): cost for what, cost in said.items()}
            for judge, cost in costs.items():
                found[judge].append(cost)
    measured = Measured({judge: tuple(rows) for judge, rows in found.items()})
    return tuple(_comparisons(measured))


def _metric(scenario: str, what: str) -> str:
    return f"{scenario}: {what}" if what else scenario


def _comparisons(measured: Measured) -> Iterator[Comparison]:
    allowed: Costs = dict.fromkeys(EQUALS, 1000 * ALPHA)
    beside = measured.with_costs(ALLOWED, allowed)
    for scenario in EQUALS:
        for judge in measured.rounds:
            goal = 1.0 if judge.startswith("bet") and "spread" not in scenario else None
            yield beside.compare(judge, ALLOWED, scenario, unit="", goal=goal)
    for scenario in WORSE:
        for what in ("median", "90 %"):
            for judge in measured.rounds:
                yield measured.compare(judge, CHEAT, _metric(scenario, what))
