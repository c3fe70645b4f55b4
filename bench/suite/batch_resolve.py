"""BatchResolve with 32 resolutions a call, against unary calls of the same Lightbulb and an empty echo."""

from __future__ import annotations

from bench import population
from bench.calls import Calls
from bench.contest import Contestant, Setting, alternate
from bench.parts.echo import METHOD
from bench.result import Comparison
from bench.suite.lightbulb_unary import ECHO, RESOLVE
from bench.suite.lightbulb_unary import RESOLVE_NAME as UNARY
from bench.system import echo, lightbulb
from bench.worker import Worker

TITLE = "A resolution out of 32 in a BatchResolve, against a unary Resolve"
BATCH = 32
BATCH_RESOLVE = "/lightbulb.v1.Lightbulb/BatchResolve"
NAME = f"one of {BATCH}"


def run(setting: Setting) -> tuple[Comparison, ...]:
    count, rounds = (1_000, 3) if setting.quick else (3_000, 13)
    bodies = population.unary_bodies()
    with (
        Worker("bench.parts.load", setting.cores.client) as load,
        echo(setting) as empty,
        lightbulb(setting) as real,
    ):
        calls = {
            UNARY: Calls(load, real, RESOLVE, bodies, count=count),
            ECHO: Calls(load, empty, METHOD, bodies, count=count),
            NAME: Calls(
                load,
                real,
                BATCH_RESOLVE,
                population.batch_bodies(BATCH),
                count=count // 4,
                operations=BATCH,
            ),
        }
        contestants = [Contestant(name=name, measure=each.measure) for name, each in calls.items()]
        measured = alternate(contestants, rounds, setting.tell)
    return (
        measured.compare(NAME, UNARY, "CPU"),
        measured.compare(NAME, UNARY, "time"),
        measured.compare(NAME, ECHO, "CPU"),
    )
