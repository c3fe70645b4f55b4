"""Takes a workspace once through compiling and planning, in a process where nothing is cached yet."""

from __future__ import annotations

import gc
import resource
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from bench.worker import answer
from bench.workspace import make_workspace
from controlplane.app import COLLECTOR_THRESHOLDS
from controlplane.model import Plan, RuleSet
from controlplane.planning.plan import make_plan
from controlplane.planning.routing import targets_by_objective
from controlplane.rules.compile import compile_workspace

T = TypeVar("T")


def _cpu() -> tuple[float, float]:
    """Return the CPU seconds of this process, and of its children that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time(), children.ru_utime + children.ru_stime


def _timed(work: Callable[[], T]) -> tuple[float, float, T]:
    """Return the CPU seconds that this process spent, those of its children, and the product."""
    gc.collect()
    own, children = _cpu()
    product = work()
    own_after, children_after = _cpu()
    return own_after - own, children_after - children, product


def _plan(rules: RuleSet, placed: Plan | None = None) -> Plan:
    """Plan as a publish does, which also checks what it has planned."""
    plan = make_plan(rules, placed)
    targets_by_objective(plan.routes, (assignment.vip for assignment in plan.assignments))
    return plan


def _change_one(rules: RuleSet) -> RuleSet:
    """Return the rules without the shift of one objective in the middle, and without the model of it."""
    middle = len(rules.tables) // 2
    table = rules.tables[middle]
    changed = replace(table, shifts=(), models=table.models[:-1])
    return replace(rules, tables=(*rules.tables[:middle], changed, *rules.tables[middle + 1 :]))


def run(*, models: int) -> dict[str, Any]:
    """Return the CPU seconds of each stage; the sandbox is the only one with a process of its own."""
    gc.set_threshold(*COLLECTOR_THRESHOLDS)  # as the control plane has them
    workspace = make_workspace(models)
    compiling, sandbox, rules = _timed(lambda: compile_workspace(workspace))
    planning, _, plan = _timed(lambda: _plan(rules))
    changed = _change_one(rules)
    again, _, _ = _timed(lambda: _plan(changed, plan))
    return {"compile": compiling + sandbox, "sandbox": sandbox, "plan": planning, "re-plan": again}


if __name__ == "__main__":
    answer(run)
