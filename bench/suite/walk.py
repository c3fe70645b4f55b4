"""The exact shares of users, against counting a million of them; a walk that doesn't agree fails."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice

from bench.contest import A_SECOND, Contestant, Costs, Setting, alternate
from bench.machine import pinned
from bench.result import Comparison
from bench.system import RULES
from controlplane.planning.shares.report import TableShares, shares_of
from controlplane.rules.compile import compile_workspace
from controlplane.rules.workspace import read_workspace
from lightbulb.model import (
    BASIS_POINTS,
    AbRule,
    All,
    Cell,
    ContextRule,
    ModelTarget,
    ObjectiveTable,
    Operator,
    RequestContext,
    Source,
)
from lightbulb.model import (
    Comparison as Compared,
)
from lightbulb.resolution.resolve import Resolver

TITLE = "Exact shares of users, by a walk over buckets and kinds of values"
REPOSITORY, LARGE = "repository", "20 conditions, 5 tests, 8 attributes"
GOALS = {REPOSITORY: 0.005, LARGE: 0.1}
CONDITIONS, TESTS, ATTRIBUTES = 20, 5, 8
USERS = 1_000_000
DEVIATIONS = 5.5
"""A share that was counted is off by more once in ten million."""
SOURCE = Source(rule="defineBenchRule", file="bench.js", line=1)


def run(setting: Setting) -> tuple[Comparison, ...]:
    users, rounds = (20_000, 3) if setting.quick else (USERS, 5)
    rules = compile_workspace(read_workspace(RULES)).tables
    tables = {REPOSITORY: rules, LARGE: (_large(),)}
    counting = f"counting {users:,} users"
    with pinned(setting.cores.server):
        measured = alternate(
            [
                *(Contestant(name=name, measure=partial(_walk, own)) for name, own in tables.items()),
                Contestant(name=counting, measure=partial(_count, tables[LARGE][0], users)),
            ],
            rounds,
            setting.tell,
        ).with_costs(A_SECOND, {"CPU": 1.0})
    return (
        *(measured.compare(name, A_SECOND, "CPU", goal=goal) for name, goal in GOALS.items()),
        measured.compare(LARGE, counting, "CPU"),
    )


def _walk(tables: Sequence[ObjectiveTable]) -> Costs:
    spent = _cpu_of(lambda: list(map(shares_of, tables)))
    return {"CPU": spent}


def _count(table: ObjectiveTable, users: int) -> Costs:
    counted: Counter[int] = Counter()
    resolver = Resolver(table)
    index = {target.name: number for number, target in enumerate(table.models)}

    def count() -> None:
        counted.update(index[resolver.resolve(each).target.name] for each in islice(_callers(), users))

    spent = _cpu_of(count)
    _check(shares_of(table), counted, users)
    return {"CPU": spent}


def _cpu_of(do: Callable[[], object]) -> float:
    before = time.process_time()
    do()
    return time.process_time() - before


def _check(shares: TableShares, counted: Mapping[int, int], users: int) -> None:
    """Raise RuntimeError if what was counted isn't between the least and the most that the walk says."""
    if shares.counted or not counted.keys() <= shares.models.keys():
        raise RuntimeError("the walk doesn't know all")
    for model, share in shares.models.items():
        found = counted.get(model, 0) / users
        least, most = float(share.least), float(share.most)
        slack = DEVIATIONS * math.sqrt(0.25 / users)
        if not least - slack <= found <= most + slack:
            raise RuntimeError(
                f"counting has {found:.4f} of model {model}, the walk {least:.4f} to {most:.4f}"
            )


def _callers() -> Iterator[RequestContext]:
    """Yield users whose attributes take on all of their values, each by itself."""
    number = 0
    while True:
        attributes = {f"a{each}": f"v{number // 3**each % 3}" for each in range(ATTRIBUTES)}
        yield RequestContext(user_id=f"user-{number}", attributes=attributes)
        number += 1


def _large() -> ObjectiveTable:
    """Return a table of tests and conditions on attributes with three values that matter each."""
    models = tuple(
        ModelTarget(
            name=f"m{number}",
            version="1",
            type="SCORER",
            input_type="TITLE_INPUT_TYPE",
            routing_key=f"One|m{number}|1",
            parameters={},
        )
        for number in range(CONDITIONS + TESTS + 1)
    )
    return ObjectiveTable(
        objective="One",
        input_type="TITLE_INPUT_TYPE",
        cache_lifetime=60.0,
        deadline=1.0,
        default_model=0,
        default_source=SOURCE,
        ab_rules=tuple(map(_test, range(TESTS))),
        context_rules=tuple(map(_condition, range(CONDITIONS))),
        shifts=(),
        overrides=(),
        models=models,
    )


def _is(attribute: int, value: int) -> Compared:
    return Compared(attribute=f"a{attribute % ATTRIBUTES}", operator=Operator.IN, values=(f"v{value % 3}",))


def _test(number: int) -> AbRule:
    return AbRule(
        source=SOURCE,
        test_id=str(number),
        salt=f"ab:{number}",
        cells=(Cell(number=1, end=3_000, model=0), Cell(number=2, end=BASIS_POINTS, model=number + 1)),
        layer_salt=f"layer:{number}",
        layer_begin=0,
        layer_end=5_000,
        eligible=_is(number, number),
    )


def _condition(number: int) -> ContextRule:
    when = All((_is(number, number), _is(number + 3, number + 1)))
    return ContextRule(source=SOURCE, when=when, model=TESTS + 1 + number)
