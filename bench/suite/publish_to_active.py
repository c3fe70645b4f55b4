"""One objective changed among thousands: from the publish's acceptance to active at every Lightbulb.

The control plane is a real one, with a store on disk; a thousand sidecars, a host on every shard and a few
Lightbulbs are connected, and acknowledge all. What comes before a publish is accepted (evaluating,
compiling, planning) is compared by itself, and so is what is left to do once it is active.
"""

from __future__ import annotations

import contextlib

from bench.contest import A_SECOND, Contestant, Setting, alternate
from bench.deployment import AT_ONCE, Size, deployment
from bench.result import Comparison

TITLE = "A publish of one changed objective, from accepted to active at the last Lightbulb"
GOAL_OF_GROWTH = 1.15
GOAL_IN_SECONDS = 1.0
LIGHTBULBS = 3


def run(setting: Setting) -> tuple[Comparison, ...]:
    (small, large, sidecars), rounds = ((100, 200, 50), 1) if setting.quick else ((100, 10_000, 1_000), 3)
    few, many, in_redis = f"{small:,} models", f"{large:,} models", f"{large:,} models in Redis"
    with contextlib.ExitStack() as running:

        def contestant(name: str, models: int, *, redis: bool = False) -> Contestant:
            size = Size(models=models, sidecars=sidecars, lightbulbs=LIGHTBULBS)
            made = running.enter_context(deployment(setting, size, policy=AT_ONCE, redis=redis))
            return Contestant(name=name, measure=made.costs_of_publish)

        contestants = [
            contestant(few, small),
            contestant(many, large),
            contestant(in_redis, large, redis=True),
        ]
        measured = alternate(contestants, rounds, setting.tell).with_costs(A_SECOND, {"CPU": 1.0})
    return (
        measured.compare(many, A_SECOND, "CPU", goal=GOAL_IN_SECONDS),
        measured.compare(many, few, "CPU", goal=GOAL_OF_GROWTH),
        measured.compare(many, few, "time", goal=GOAL_OF_GROWTH),
        measured.compare(many, few, "bytes a sidecar", unit="B", goal=GOAL_OF_GROWTH),
        measured.compare(many, few, "CPU afterwards", goal=GOAL_OF_GROWTH),
        measured.compare(many, few, "time until accepted"),
        measured.compare(in_redis, many, "CPU"),
        measured.compare(in_redis, many, "time"),
        measured.compare(in_redis, many, "time until accepted"),
    )
