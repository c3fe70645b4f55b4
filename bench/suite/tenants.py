"""A tenant's publish in a company of a hundred, against the same where there is no other; and twenty at once.

Both have the same workspace, on a real control plane with sidecars that take everything. What comes before a
publish is accepted is compared by itself: a plan is made beside what all others have loaded.
"""

from __future__ import annotations

import contextlib
from functools import partial

from bench.contest import Contestant, Measured, Setting, alternate
from bench.deployment import AT_ONCE, Deployment, Size, deployment
from bench.result import Comparison

TITLE = "A tenant's publish, beside many others, from accepted to active at the last Lightbulb"
GOAL_OF_GROWTH = 1.15
GOAL_OF_ANEW = 3
LIGHTBULBS = 3
AT_A_TIME = 20
ONE = "one plan"


def run(setting: Setting) -> tuple[Comparison, ...]:
    (tenants, models, sidecars), rounds = ((3, 100, 20), 1) if setting.quick else ((100, 100, 300), 3)
    alone, among = "the only one", f"one of {tenants}"
    with contextlib.ExitStack() as running:

        def contestant(name: str, many: int) -> tuple[Deployment, Contestant]:
            names = tuple(f"t{number:02}" for number in range(many))
            size = Size(models=models, sidecars=sidecars, lightbulbs=LIGHTBULBS, tenants=names)
            made = running.enter_context(deployment(setting, size, policy=AT_ONCE))
            return made, Contestant(name=name, measure=partial(made.costs_of_publish, names[many // 2]))

        _, first = contestant(alone, 1)
        company, second = contestant(among, tenants)
        measured = alternate([first, second], rounds, setting.tell)
        setting.tell("many at once")
        anew = company.publish_all(company.size.tenants[:AT_A_TIME])
    together = Measured({among: ({"plans made anew": float(anew)},), ONE: ({"plans made anew": 1.0},)})
    return (
        measured.compare(among, alone, "CPU", goal=GOAL_OF_GROWTH),
        measured.compare(among, alone, "time", goal=GOAL_OF_GROWTH),
        measured.compare(among, alone, "bytes a sidecar", unit="B", goal=GOAL_OF_GROWTH),
        measured.compare(among, alone, "CPU afterwards"),
        measured.compare(among, alone, "time until accepted"),
        together.compare(among, ONE, "plans made anew", unit="", goal=GOAL_OF_ANEW),
    )
