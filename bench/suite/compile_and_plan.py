"""Compiling and planning a workspace of 10,000 models on 100 shards, against one of a tenth.

A tenth of everything: objectives, rules, files, shards. Each measurement is a process of its own, in
which nothing is cached yet. What counts is CPU time, the sandbox's included.
"""

from __future__ import annotations

from functools import partial

from bench.contest import Contestant, Costs, Setting, alternate
from bench.result import Comparison
from bench.worker import Worker

TITLE = "Ten times the models: what compiling and planning cost more"
GOAL = 12.0


def run(setting: Setting) -> tuple[Comparison, ...]:
    (small, large), rounds = ((200, 2_000), 2) if setting.quick else ((1_000, 10_000), 5)
    few, many = f"{small:,} models", f"{large:,} models"
    measured = alternate(
        [
            Contestant(name=few, measure=partial(_measure, setting, small)),
            Contestant(name=many, measure=partial(_measure, setting, large)),
        ],
        rounds,
        setting.tell,
        warm_up=False,
    )
    return (
        measured.compare(many, few, "compile", goal=GOAL),
        measured.compare(many, few, "sandbox"),
        measured.compare(many, few, "plan", goal=GOAL),
        measured.compare(many, few, "re-plan", goal=GOAL),
    )


def _measure(setting: Setting, models: int) -> Costs:
    with Worker("bench.parts.compile", setting.cores.server) as worker:
        return worker.ask(models=models)
