"""An objective's resolver in a generation; or what to say when it isn't there: the nearest names. Pure."""

from __future__ import annotations

from bisect import bisect_left
from difflib import get_close_matches

from lightbulb.errors import InvalidContext, UnknownObjective
from lightbulb.resolution.resolve import Resolver
from lightbulb.rpc.messages import MAX_FIELD
from lightbulb.tables.values import Tables

NEIGHBOURS = 200
"""At most so many objectives are compared with an unknown name: comparing is slow, and anyone may ask."""


def known_resolver(tables: Tables, objective: str, number: int) -> Resolver:
    """Return the resolver of an objective in generation `number`; 0: there is none.

    Raises InvalidContext when no objective is named, and UnknownObjective.
    """
    resolver = tables.resolver(objective, number) if number else None
    if resolver is not None:
        return resolver
    if not objective:
        raise InvalidContext("objective is missing: name what to resolve", path="objective")
    raise UnknownObjective(_unknown(objective, tables, number), objective=objective, generation=str(number))


def _unknown(objective: str, tables: Tables, number: int) -> str:
    """Return the message. `number` is the generation that was looked in; 0: each tenant's active one."""
    name = objective[:MAX_FIELD]
    there = [
        other
        for other in _neighbours(name, sorted(tables.objectives))
        if tables.resolver(other, number or tables.generation_for("", tables.tenant_of(other)))
    ]
    nearest = get_close_matches(name, there, n=3, cutoff=0.5)
    hint = f"; did you mean {' or '.join(nearest)}?" if nearest else ""
    return f"unknown objective {name!r}{hint}"


def _neighbours(name: str, names: list[str]) -> list[str]:
    """Return `names`, which are sorted; if there are very many, those around the place of `name`."""
    place = bisect_left(names, name)
    begin = max(0, min(place - NEIGHBOURS // 2, len(names) - NEIGHBOURS))
    return names[begin : begin + NEIGHBOURS]
