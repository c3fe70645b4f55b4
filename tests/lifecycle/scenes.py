"""An objective's tables that differ in what a shift has to do with, and scenes of them."""

from dataclasses import replace

from controlplane.lifecycle.operations import Wanted
from controlplane.lifecycle.scene import Scene
from lightbulb.model import ObjectiveTable, OverrideRule
from tests.lightbulb.tables import OBJECTIVE, TABLE, source

DEFAULT, NEXT = TABLE.models[0], TABLE.models[4]

PLAIN = replace(TABLE, shifts=(), overrides=(), ab_rules=(), context_rules=())
"""Nothing leads to `next@2`, which it has."""

OTHER = replace(PLAIN, deadline=0.5)
WITHOUT = replace(PLAIN, models=TABLE.models[:4])
MADE_DEFAULT = replace(PLAIN, default_model=4)
SHIFTED = replace(PLAIN, shifts=TABLE.shifts)
LED_TO = replace(PLAIN, overrides=(OverrideRule(source=source("defineXRule"), clients=(), models=(4,)),))
TABLES: tuple[ObjectiveTable | None, ...] = (PLAIN, OTHER, WITHOUT, MADE_DEFAULT, SHIFTED, LED_TO, None)


def scene(
    table: ObjectiveTable | None = PLAIN,
    active: int = 1,
    live: tuple[ObjectiveTable | None, ...] = (),
    *,
    settled: bool = True,
) -> Scene:
    tables = tuple(each for each in (*live, table) if each is not None)
    held = tables if not settled else tuple(each for each in (table,) if each is not None)
    return Scene(active=active, table=table, tables=tables, held=held, settled=settled, margin=1.0)


def wanted(*steps: int, model: str = "next", every: float = 0.0) -> Wanted:
    return Wanted(objective=OBJECTIVE, model=model, steps=steps, every=every, author="ann", tenant="default")
