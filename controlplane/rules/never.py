"""Warnings about rules, cells and shifts that can never apply. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from controlplane.planning.shares.never import Never, never_applied
from controlplane.problems import Problem, Severity
from controlplane.rules.lookup import problem_in
from lightbulb.model import ObjectiveTable

MAX_NAMED = 3
"""Rules that are named as those that apply instead."""


def never_apply(tables: Iterable[ObjectiveTable]) -> Iterator[Problem]:
    """Yield a warning for each rule, and each cell of one that applies otherwise, that is for nobody."""
    for never in never_applied(tables):
        code, what = ("NEVER_APPLIES", "it") if never.whole else ("CELL_NEVER_APPLIES", _cells(never))
        message = f"on {never.table.objective} {what} can never apply: {_why(never)}"
        problem = problem_in(never.outcomes[0].source, code, message, _remedy(never))
        yield replace(problem, severity=Severity.WARNING)


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
