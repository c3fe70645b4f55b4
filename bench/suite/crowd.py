"""Sidecars that take 10 of 1,000 objectives: what each is sent, and takes of the control plane; a crowd.

A first crowd connects to a control plane, then many more. What it costs to connect, and what a publish of one
objective and a restart cost, for each of the many, is compared with the same for each of the first.
"""

from __future__ import annotations

import time

from bench.contest import Costs, Measured, Setting
from bench.deployment import AT_ONCE, Deployment, Size, deployment
from bench.result import Comparison
from bench.workspace import MODELS_AN_OBJECTIVE, objective_of

TITLE = "Sidecars that take 10 of 1,000 objectives, and a crowd of them at one control plane"
TAKEN = 10
GOAL_OF_PART = 0.03
GOAL_OF_MEMORY = 1.0
GOAL_OF_CROWD = 1.15
KIB_32 = "32 KiB"
WHOLE, PART = "one that takes all", "one that takes 10"


def run(setting: Setting) -> tuple[Comparison, ...]:
    models, few, some, crowd = (100, 5, 20, 60) if setting.quick else (5_000, 100, 1_000, 10_000)
    objectives = models // MODELS_AN_OBJECTIVE
    named = [objective_of(number) for number in range(objectives)]
    parts = tuple(",".join(named[first : first + TAKEN]) for first in range(0, objectives, TAKEN))
    size = Size(models=models, sidecars=crowd, lightbulbs=1, parts=parts)
    whole = Size(models=models, sidecars=few, lightbulbs=1)
    with deployment(setting, whole, policy=AT_ONCE, connected=False) as made:
        sent_whole = made.connect(1, warm=False)
    with deployment(setting, size, policy=AT_ONCE, connected=False) as made:
        sent_part = made.connect(1, warm=False)
        made.connect(few - 1, warm=False)
        setting.tell(f"{some:,} sidecars")
        first = {**_connect(made, some - few), **_shaken(made, some)}
        setting.tell(f"{crowd:,} sidecars")
        many = {**_connect(made, crowd - some), **_shaken(made, crowd)}
    less, more = f"{some:,} of them", f"{crowd:,} of them"
    measured = Measured(
        {
            WHOLE: ({"bytes": sent_whole["bytes"]},),
            PART: ({"bytes": sent_part["bytes"], "memory": first["memory"]},),
            KIB_32: ({"memory": 32.0 * 1024},),
            less: (first,),
            more: (many,),
        }
    )
    return (
        measured.compare(PART, WHOLE, "bytes", unit="B", goal=GOAL_OF_PART),
        measured.compare(PART, KIB_32, "memory", unit="B", goal=GOAL_OF_MEMORY),
        *(
            measured.compare(more, less, metric, unit="B" if metric == "memory" else "s", goal=GOAL_OF_CROWD)
            for metric in first
        ),
    )


def _connect(made: Deployment, sidecars: int) -> Costs:
    """Return what it costs the control plane that so many more connect, for each of them."""
    cpu, memory, began = made.cpu_seconds(), made.resident_bytes(), time.monotonic()
    made.connect(sidecars, warm=False)
    return {
        "CPU to connect": (made.cpu_seconds() - cpu) / sidecars,
        "time to connect": (time.monotonic() - began) / sidecars,
        "memory": max(1, made.resident_bytes() - memory) / sidecars,
    }


def _shaken(made: Deployment, sidecars: int) -> Costs:
    """Return what a publish, and a restart, costs for each sidecar."""
    made.publish()
    spent = made.publish()
    made.stop()
    began = time.monotonic()
    made.start()
    made.wait_synced()
    return {
        "CPU of a publish": spent["CPU"] / sidecars,
        "time of a publish": spent["time"] / sidecars,
        "CPU of a restart": made.cpu_seconds() / sidecars,
        "time of a restart": (time.monotonic() - began) / sidecars,
    }
