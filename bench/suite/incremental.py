"""One rule file changed among 250, against one among 3; and many rules that exclude each other."""

from __future__ import annotations

from functools import partial

from bench.contest import A_SECOND, Contestant, Costs, Setting, alternate
from bench.result import Comparison
from bench.worker import Worker

TITLE = "One changed rule file: what it costs among a hundred times the models"
GOAL = 3.0
GOAL_IN_SECONDS = 2.0


def run(setting: Setting) -> tuple[Comparison, ...]:
    (small, large, rules), rounds = ((100, 1_000, 150), 1) if setting.quick else ((100, 10_000, 1_500), 5)
    few, many = f"{small:,} models", f"{large:,} models"
    measured = alternate(
        [
            Contestant(name=few, measure=partial(_ask, setting, "edit", small)),
            Contestant(name=many, measure=partial(_ask, setting, "edit", large)),
            Contestant(name=f"{rules:,} rules", measure=partial(_ask, setting, "exclusive", rules)),
        ],
        rounds,
        setting.tell,
        warm_up=False,
    ).with_costs(A_SECOND, {"conditions": 1.0, "tests": 1.0})
    return (
        measured.compare(many, few, "check", goal=GOAL),
        measured.compare(many, few, "accept", goal=GOAL),
        measured.compare(f"{rules:,} rules", A_SECOND, "conditions", goal=GOAL_IN_SECONDS),
        measured.compare(f"{rules:,} rules", A_SECOND, "tests", goal=GOAL_IN_SECONDS),
    )


def _ask(setting: Setting, do: str, count: int) -> Costs:
    with Worker("bench.parts.incremental", setting.cores.server) as worker:
        return worker.ask(do=do, count=count)
