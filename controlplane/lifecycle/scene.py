"""What there is of an objective now, as far as a control has to do with it. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TypeVar

from lightbulb.model import (
    AbRule,
    ContextRule,
    ModelTarget,
    ObjectiveTable,
    OverrideRule,
    ShadowRule,
    ShiftRule,
    Source,
)
from lightbulb.resolution.codec import table_to_bytes

R = TypeVar("R", OverrideRule, AbRule, ContextRule, ShiftRule, ShadowRule)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """An objective as it is served.

    `active` is the active generation, and `table` the objective's in it; None: it isn't in it. `tables` are
    those of all generations that are loaded or on their way, and `held` of those that clients may hold
    answers from. `settled`: nobody is answered from anything older than what is active. `margin` is added to
    how long a client may use a key.
    """

    active: int
    table: ObjectiveTable | None
    tables: tuple[ObjectiveTable, ...]
    held: tuple[ObjectiveTable, ...]
    settled: bool
    margin: float

    @property
    def hash(self) -> str:
        """What tells the table from others, as `hash_of` has it; empty without one."""
        return "" if self.table is None else hash_of(self.table)

    @property
    def default(self) -> ModelTarget | None:
        """The model of whoever no rule is meant for."""
        return None if self.table is None else self.table.models[self.table.default_model]

    @property
    def outlives(self) -> float:
        """For how many seconds a client may use a key once no Lightbulb hands it out."""
        cache = max((each.cache_lifetime for each in self.held), default=0.0)
        request = max((each.deadline for each in self.held), default=0.0)
        return cache + request + self.margin

    def has(self, key: str) -> bool:
        """Say whether the table knows a routing key."""
        return self.table is not None and any(each.routing_key == key for each in self.table.models)

    def leads_to(self, key: str) -> bool:
        """Say whether the rules lead to a key in any generation: it may be answered, whatever stands."""
        return any(table.models[model].routing_key == key for table in self.tables for model in led_to(table))

    def shifts_to(self, key: str) -> bool:
        """Say whether the rules' own shift, for which an operator's stands, leads to a key."""
        table = self.table
        return table is not None and any(
            rule.basis_points and table.models[rule.model].routing_key == key for rule in table.shifts
        )


def hash_of(table: ObjectiveTable) -> str:
    """Return what tells a table from others. On which line a rule stands is no difference."""
    placeless = replace(
        table,
        default_source=_placeless(table.default_source),
        overrides=_all_placeless(table.overrides),
        ab_rules=_all_placeless(table.ab_rules),
        context_rules=_all_placeless(table.context_rules),
        shifts=_all_placeless(table.shifts),
        shadows=_all_placeless(table.shadows),
    )
    return hashlib.sha256(table_to_bytes(placeless)).hexdigest()[:16]


def says_the_same(one: ObjectiveTable | None, other: ObjectiveTable | None) -> bool:
    """Say whether two tables differ in nothing but where their rules stand."""
    if one is other or one is None or other is None:
        return one is other
    return hash_of(one) == hash_of(other)


def _all_placeless(rules: tuple[R, ...]) -> tuple[R, ...]:
    return tuple(replace(each, source=_placeless(each.source)) for each in rules)


def _placeless(source: Source) -> Source:
    return replace(source, line=0)


def led_to(table: ObjectiveTable) -> frozenset[int]:
    """Return the models that the rules of a table lead to beside a control.

    Their own shifts don't: for these it stands, in every generation.
    """
    models = {table.default_model}
    models.update(model for rule in table.overrides for model in rule.models)
    models.update(cell.model for rule in table.ab_rules for cell in rule.cells)
    models.update(rule.model for rule in table.context_rules)
    return frozenset(models)
