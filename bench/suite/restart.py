"""A control plane that is stopped and started again under 1,000 sidecars, which hold all of it already.

They say so as they reconnect, and ought to be sent nothing. Timed from the start of the process until the
last of everybody is known to be synced.
"""

from __future__ import annotations

import time

from bench.contest import Contestant, Costs, Measured, Setting, alternate
from bench.deployment import AT_ONCE, Deployment, Size, deployment
from bench.result import Comparison

TITLE = "A control plane restarted under 1,000 sidecars, which hold all of it already"
GOAL_OF_MEMORY = 1.25
LIGHTBULBS = 3
ANEW, BEFORE = "a new sidecar", "before"


class Contender:
    """A deployment that is restarted. Connects the sidecars, some first, and notes what that takes."""

    def __init__(self, made: Deployment, some: int) -> None:
        """`some` are few enough to tell how much memory each of the others takes."""
        self._made = made
        others = made.size.sidecars - some
        self.sent_anew = made.connect(1, warm=False)
        made.connect(some - 1, warm=True)
        before = made.resident_bytes()
        made.connect(others, warm=True)
        self.memory = made.resident_bytes()
        self.memory_each = max(1, self.memory - before) / others

    def measure(self) -> Costs:
        """Restart it; return what it takes until everybody is synced, and what a sidecar is sent."""
        made = self._made
        made.stop()
        made.sent()
        began = time.monotonic()
        made.start()
        made.wait_synced()
        took, sent = time.monotonic() - began, made.sent()
        return {
            "time": took,
            "CPU": made.cpu_seconds(),
            "memory": made.resident_bytes(),
            "bytes": sent["bytes"] / made.size.sidecars,
            "resources": sent["resources"] / made.size.sidecars,
        }


def run(setting: Setting) -> tuple[Comparison, ...]:
    (small, large), (some, sidecars), rounds = (
        ((100, 200), (10, 50), 1) if setting.quick else ((100, 10_000), (100, 1_000), 3)
    )
    few, many = (Size(models=models, sidecars=sidecars, lightbulbs=LIGHTBULBS) for models in (small, large))
    with (
        deployment(setting, few, policy=AT_ONCE, connected=False) as light,
        deployment(setting, many, policy=AT_ONCE, connected=False) as heavy,
    ):
        contenders = {f"{made.size.models:,} models": Contender(made, some) for made in (light, heavy)}
        measured = alternate(
            [Contestant(name=name, measure=each.measure) for name, each in contenders.items()],
            rounds,
            setting.tell,
            warm_up=False,
        )
    less, more = contenders
    heaviest = contenders[more]
    measured = measured.with_costs(ANEW, heaviest.sent_anew).with_costs(BEFORE, {"memory": heaviest.memory})
    each = Measured({name: ({"memory a sidecar": own.memory_each},) for name, own in contenders.items()})
    return (
        measured.compare(more, ANEW, "resources", unit="", goal=0),
        measured.compare(more, ANEW, "bytes", unit="B", goal=0),
        measured.compare(more, less, "time"),
        measured.compare(more, less, "CPU"),
        measured.compare(more, BEFORE, "memory", unit="B", goal=GOAL_OF_MEMORY),
        each.compare(more, less, "memory a sidecar", unit="B"),
    )
