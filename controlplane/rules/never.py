"""Warnings about rules, cells and shifts that can never apply. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from controlplane.planning.shares.never import MAX_LOOKS, Never, never_of
from controlplane.problems import Problem, warning_at
from controlplane.rules.memory import Memory, name_of
from lightbulb.model import ObjectiveTable

MAX_NAMED = 3
"""Rules that are named as those that apply instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Walked:
    """What is to be said of one table, and how many looks it took to know."""

    problems: tuple[Problem, ...]
    looks: int


def never_apply(
    tables: Iterable[ObjectiveTable], digests: Mapping[str, str], memory: Memory
) -> Iterator[Problem]:
    """Yield a warning for each rule, and each cell of one that applies otherwise, that is for nobody.

    `digests` is objective -> hash of its table's bytes, from which all of it follows.
    """
    looks: int | None = MAX_LOOKS
    for table in tables:
        if looks is None:
            return
        name = name_of("never", digests[table.objective])
        known = memory.recall(Walked, name)
        if known is not None and known.looks <= looks:
            looks -= known.looks
            yield from known.problems
            continue
        found, left = never_of(table, looks)
        problems = tuple(map(_warning, found))
        yield from problems
        if left is not None:
            memory.remember(name, Walked(problems=problems, looks=looks - left))
        looks = left


def _warning(never: Never) -> Problem:
    code, what = ("NEVER_APPLIES", "it") if never.whole else ("CELL_NEVER_APPLIES", _cells(never))
    message = f"on {never.table.objective} {what} can never apply: {_why(never)}"
    return warning_at(never.outcomes[0].source, code, message, _remedy(never))


def _cells(never: Never) -> str:
    numbers = [str(outcome.cell) for outcome in never.outcomes]
    test = never.outcomes[0].test_id
    return f"cell{'' if len(numbers) == 1 else 's'} {', '.join(numbers)} of test {test}"


def _why(never: Never) -> str:
    if not never.instead:
        return "its condition holds for nobody" if never.whole else "nobody's bucket is in it"
    named = ", ".join(map(str, never.instead[:MAX_NAMED]))
    more = f" and {len(never.instead) - MAX_NAMED} more" if len(never.instead) > MAX_NAMED else ""
    return f"before it, everyone that it is meant for gets what {named}{more} says"


def _remedy(never: Never) -> str:
    if never.instead:
        return "take it out, or limit what comes before it to fewer users"
    if never.whole:
        return "take it out, or write another condition"
    return "give the test and its layer other salts"
