"""What shadows cost the requests that are copied, and those that aren't, at a real Envoy.

Every Envoy has one worker on the server's core and knows 10 keys. Requests have no body, are of the key that
is shadowed, and the upstream does nothing, so that each copy weighs as much as the request.
"""

from __future__ import annotations

from functools import partial

from bench import world
from bench.contest import Contestant, Setting, alternate
from bench.result import Comparison
from bench.suite.envoy_lookup import measure_requests, running_envoys
from bench.worker import Worker

TITLE = "A request through Envoy of a key with shadows, against one without"
GOAL = 1.05
PLAIN = "no shadow"
UNCOPIED = {
    "1 shadow of 0 %": (0,),
    "4 shadows of 0 %": (0, 0, 0, 0),
    "1 shadow of 0.01 %": (1,),
    "4 shadows of 0.01 to 0.04 %": (1, 2, 3, 4),
}
"""Hardly any request is copied, but each is looked at by a route for each share."""
COPIED = {"1 shadow of 10 %": (1_000,), "4 shadows of 10 %": (1_000,) * 4}


def run(setting: Setting) -> tuple[Comparison, ...]:
    requests, rounds = (500, 2) if setting.quick else (5_000, 21)
    shares = {PLAIN: (), **UNCOPIED, **COPIED}
    shown = {name: {"objectives": 1, "keys": 10, "shadows": own} for name, own in shares.items()}
    with running_envoys(setting, shown) as envoys, Worker("bench.parts.load", setting.cores.client) as load:
        key = world.key(0, world.UNSPECIAL)
        contestants = [
            Contestant(name=name, measure=partial(measure_requests, load, envoys[name], key, requests))
            for name in shares
        ]
        measured = alternate(contestants, rounds, setting.tell)
    return (
        *(
            measured.compare(name, PLAIN, metric, goal=GOAL)
            for name in UNCOPIED
            for metric in ("CPU", "time")
        ),
        *(measured.compare(name, PLAIN, "CPU") for name in COPIED),
    )
