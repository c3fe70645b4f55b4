"""Resolver.resolve in this process, against the least that any sticky choice costs.

That least is a function which hashes the user and looks the bucket up.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import mmh3

from bench.contest import Contestant, Costs, Setting, alternate
from bench.machine import pinned
from bench.parts import operators
from bench.population import FRAUD, RANKING, contexts
from bench.result import Comparison
from bench.system import RULES
from controlplane.rules.compile import compile_workspace
from controlplane.rules.workspace import read_workspace
from lightbulb.model import (
    AbRule,
    AmongUsers,
    Cell,
    InSegment,
    ModelTarget,
    ObjectiveTable,
    RequestContext,
    Segment,
    Source,
)
from lightbulb.resolution.resolve import Resolver

TITLE = "An in-process resolve, against a bare murmur3 hash and a dictionary look-up"
GOAL = 3.0
BUCKETS = 100
BARE = "hash + dict"
SOURCE = Source(rule="defineBenchRule", file="bench.js", line=1)


def run(setting: Setting) -> tuple[Comparison, ...]:
    repeats, rounds = (4, 3) if setting.quick else (200, 15)
    resolvers = _resolvers()
    chosen = {BARE: bare()} | {name: resolver.resolve for name, resolver in resolvers.items()}
    contestants = [
        Contestant(name=name, measure=partial(measure_asking, choose, contexts, repeats))
        for name, choose in chosen.items()
    ]
    of_operators = operators.resolvers()
    contestants += [
        Contestant(name=name, measure=partial(measure_asking, each.resolve, operators.callers, repeats // 4))
        for name, each in of_operators.items()
    ]
    with pinned(setting.cores.server):
        measured = alternate(contestants, rounds, setting.tell)
    return tuple(measured.compare(name, BARE, "CPU", goal=GOAL) for name in (*resolvers, *of_operators))


def measure_asking(
    choose: Callable[[RequestContext], object], ask: Callable[[], tuple[RequestContext, ...]], repeats: int
) -> Costs:
    who = ask() * repeats
    began = time.process_time()
    for context in who:
        choose(context)
    return {"CPU": (time.process_time() - began) / len(who)}


def bare() -> Callable[[RequestContext], object]:
    """Return the least that any sticky choice costs."""
    by_bucket = {number: object() for number in range(BUCKETS)}
    hash32 = mmh3.hash

    def choose(context: RequestContext) -> object:
        return by_bucket[(hash32(f"salt:{context.user_id}", signed=False) * BUCKETS) >> 32]

    return choose


def _resolvers() -> Mapping[str, Resolver]:
    """Return what is measured: an A/B test alone, and the repository's rules."""
    tables = {table.objective: table for table in compile_workspace(read_workspace(RULES)).tables}
    return {
        "A/B test": Resolver(_test_only()),
        "layered test, conditions": Resolver(tables[RANKING]),
        "gradual shift": Resolver(tables[FRAUD]),
        "A/B test by an attribute": Resolver(_by_attribute()),
        "segment of 10,000 users, A/B test": Resolver(_with_segment()),
    }


def _by_attribute() -> ObjectiveTable:
    """Return the test alone, which goes by an attribute that every context has."""
    table = _test_only()
    return replace(table, ab_rules=tuple(replace(rule, unit="app_version") for rule in table.ab_rules))


def _with_segment() -> ObjectiveTable:
    """Return the test alone, for the users of a large segment: some of those who ask are in it."""
    table = _test_only()
    users = AmongUsers(frozenset(f"user-{number:06}" for number in range(0, 20_000, 2)))
    return replace(
        table,
        ab_rules=tuple(replace(rule, eligible=InSegment("half")) for rule in table.ab_rules),
        segments=(Segment(name="half", when=users),),
    )


def _test_only() -> ObjectiveTable:
    models = tuple(
        ModelTarget(name=name, version="1", type="SCORER", input_type="T", routing_key=f"Rank|{name}|1")
        for name in ("one", "two")
    )
    cells = (Cell(number=1, end=5_000, model=0), Cell(number=2, end=10_000, model=1))
    return ObjectiveTable(
        objective="Rank",
        input_type="T",
        cache_lifetime=60.0,
        deadline=0.0,
        models=models,
        default_model=0,
        default_source=SOURCE,
        ab_rules=(AbRule(source=SOURCE, test_id="1", salt="ab:1", cells=cells),),
    )
