"""Lightbulb's Resolve against an empty grpcio echo with as many threads, both on one core.

The echo returns the bytes that it is sent, so whatever Lightbulb costs beyond it is parsing, resolving
and its longer answer. A second echo shows how far from 1 a ratio is that ought to be 1. The native transport
answers the same calls of the same rules without grpcio.
"""

from __future__ import annotations

from bench import population
from bench.calls import Calls
from bench.contest import Contestant, Setting, alternate
from bench.parts.echo import METHOD
from bench.result import Comparison
from bench.system import echo, lightbulb
from bench.worker import Worker

TITLE = "A unary Resolve, per call, against an empty grpcio echo on the same core"
GOAL = 1.15
ECHO, RESOLVE_NAME, ANOTHER, NATIVE = "echo", "Resolve", "another echo", "Resolve, native"
NATIVE_GOAL = 0.5
RESOLVE = "/lightbulb.v1.Lightbulb/Resolve"


def run(setting: Setting) -> tuple[Comparison, ...]:
    count, rounds = (1_000, 3) if setting.quick else (4_000, 15)
    bodies = population.unary_bodies()
    with (
        Worker("bench.parts.load", setting.cores.client) as load,
        echo(setting) as empty,
        echo(setting) as another,
        lightbulb(setting) as real,
        lightbulb(setting, "native") as native,
    ):
        contestants = [
            Contestant(name=name, measure=Calls(load, server, method, bodies, count=count).measure)
            for name, server, method in (
                (ECHO, empty, METHOD),
                (RESOLVE_NAME, real, RESOLVE),
                (ANOTHER, another, METHOD),
                (NATIVE, native, RESOLVE),
            )
        ]
        measured = alternate(contestants, rounds, setting.tell)
    return (
        measured.compare(RESOLVE_NAME, ECHO, "CPU", goal=GOAL),
        measured.compare(RESOLVE_NAME, ECHO, "time", goal=GOAL),
        measured.compare(NATIVE, RESOLVE_NAME, "CPU", goal=NATIVE_GOAL),
        measured.compare(NATIVE, RESOLVE_NAME, "time"),
        measured.compare(ANOTHER, ECHO, "CPU"),
        measured.compare(ANOTHER, ECHO, "time"),
    )
