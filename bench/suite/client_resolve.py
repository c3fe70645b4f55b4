"""`InProcessClient.resolve`, as a service calls it, against others in process, and the least that one costs.

The client follows a real Lightbulb. All of a call counts: the check of the context, the objective's look-up,
the resolution, and an Answer in hand.
"""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from bench.contest import Contestant, Setting, alternate
from bench.machine import pinned
from bench.parts.peers import Ask, peers
from bench.population import CLIENT, FRAUD, RANKING, contexts
from bench.result import Comparison
from bench.suite.resolve_core import BARE, bare, measure_asking
from bench.system import READY_SECONDS, RULES, lightbulb
from controlplane.rules.compile import compile_workspace
from controlplane.rules.workspace import read_workspace
from lightbulb.client.in_process import InProcessClient
from lightbulb.resolution.codec import table_from_bytes, table_to_bytes
from lightbulb.resolution.resolve import Resolver
from lightbulb.rpc.answer import Origin

TITLE = "A client's resolve in its own process, against others' and a bare murmur3 hash and look-up"
OURS = {"layered test, conditions": RANKING, "gradual shift": FRAUD}
COUNT = 1_000
HELD, SENT = "1,000 objectives, held", "their bytes"
GOAL, GOAL_OF_PEERS = 3.0, 0.05


def run(setting: Setting) -> tuple[Comparison, ...]:
    repeats, rounds = (4, 3) if setting.quick else (40, 15)
    with (
        lightbulb(setting) as server,
        InProcessClient(server.tables, objectives=OURS.values(), client_name=CLIENT) as client,
        peers(setting.folder, setting.tell) as others,
        pinned(setting.cores.client),
    ):
        assert client.wait_ready(READY_SECONDS)
        ours = {name: partial(client.resolve, objective) for name, objective in OURS.items()}
        for ask in ours.values():
            assert ask(contexts()[0]).origin is Origin.TABLES
        for name, ask in others.items():
            models = {ask(context) for context in contexts()}
            assert models == {"one", "two"}, f"{name} answers {models}"
        asked: dict[str, Ask] = {BARE: bare(), **ours, **others}
        contestants = [
            Contestant(name=name, measure=partial(measure_asking, ask, contexts, repeats))
            for name, ask in asked.items()
        ]
        measured = alternate(contestants, rounds, setting.tell)
    for name, size in _sizes().items():
        measured = measured.with_costs(name, {"memory": size})
    return (
        *(measured.compare(name, BARE, "CPU", goal=GOAL) for name in ours),
        *(measured.compare(name, peer, "CPU", goal=GOAL_OF_PEERS) for name in ours for peer in others),
        measured.compare(HELD, SENT, "memory", unit="B"),
    )


def _sizes() -> Mapping[str, int]:
    """Return what so many objectives take in a client, and as bytes."""
    table = next(
        each for each in compile_workspace(read_workspace(RULES)).tables if each.objective == RANKING
    )
    bodies = [table_to_bytes(replace(table, objective=f"{RANKING}{number}")) for number in range(COUNT)]
    gc.collect()
    tracemalloc.start()
    try:
        resolvers = [Resolver(table_from_bytes(body)) for body in bodies]
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(resolvers) == COUNT
    return {HELD: held, SENT: sum(map(len, bodies))}
