"""Says what is wrong with a workspace, all of it at once."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from controlplane.cli.actions.types import types_doubt
from controlplane.cli.columns import print_columns
from controlplane.cli.output import print_json
from controlplane.cli.problems import BadWorkspace, counted, print_warnings, problem_document
from controlplane.cli.remembered import remembered
from controlplane.cli.shares import percents
from controlplane.model import Workspace
from controlplane.planning.difference import target_text
from controlplane.planning.plan import make_plan
from controlplane.planning.shares.never import MAX_LOOKS as WORKSPACE_LOOKS
from controlplane.planning.shares.report import Share, TableShares, shares_of
from controlplane.planning.shares.walk import MAX_LOOKS
from controlplane.problems import Problem, Severity, WorkspaceError
from controlplane.rules.compile import Compiled, compile_and_warn, without_collector
from controlplane.rules.platform import FLEET
from controlplane.rules.workspace import read_workspace
from lightbulb.model import ObjectiveTable, model_id

MIN_WIDTH = 140
"""A narrower terminal wraps the table's lines; better than cutting names short."""


@without_collector()
def check(folder: Path, *, strict: bool, as_json: bool, fleet: Path | None = None) -> None:
    """Print the problems of a workspace, or what it holds when there is no error. Raises BadWorkspace.

    With `strict`, its warnings are errors. `fleet` is the file that it stands on, where it has none.
    """
    try:
        compiled = _compiled(folder, fleet, strict=strict)
    except WorkspaceError as error:
        if not as_json:
            raise BadWorkspace(error.problems) from error
        print_json({"objectives": [], "problems": [problem_document(each) for each in error.problems]})
        sys.exit(1)
    if as_json:
        objectives = [_document(*each) for each in _shares(compiled.rules.tables)]
        print_json({"objectives": objectives, "problems": list(map(problem_document, compiled.warnings))})
    else:
        print_warnings(compiled.warnings)
        _print_summary(compiled)


def _compiled(folder: Path, fleet: Path | None, *, strict: bool) -> Compiled:
    workspace = read_workspace(folder)
    if fleet is not None:
        workspace = _standing_on(workspace, fleet)
    with remembered(folder) as memory:
        compiled = compile_and_warn(workspace, memory=memory)
    warnings = (*compiled.warnings, *types_doubt(folder, workspace, memory))
    make_plan(compiled.rules)
    if strict and warnings:
        raise WorkspaceError(replace(each, severity=Severity.ERROR) for each in warnings)
    return replace(compiled, warnings=warnings)


def _standing_on(workspace: Workspace, fleet: Path) -> Workspace:
    """Return a tenant's workspace with the platform's fleet in it. Raises WorkspaceError."""
    if FLEET in workspace.files:
        remedy = "leave out --fleet, or take the file out"
        twice = Problem(file=FLEET, code="FLEET_OF_PLATFORM", message="it has one of its own", remedy=remedy)
        raise WorkspaceError([twice])
    return Workspace(files={**workspace.files, FLEET: fleet.read_bytes()})


def _shares(tables: Iterable[ObjectiveTable]) -> Iterator[tuple[ObjectiveTable, TableShares]]:
    """Yield each table with who gets which model in effect; the work for all of them is bounded."""
    looks = WORKSPACE_LOOKS
    for table in tables:
        shares = shares_of(table, min(looks, MAX_LOOKS))
        looks = max(0, looks - shares.looks)
        yield table, shares


def _document(table: ObjectiveTable, shares: TableShares) -> Mapping[str, Any]:
    return {
        "objective": table.objective,
        "default_model": table.models[table.default_model].name,
        "default_version": table.models[table.default_model].version,
        "ab_tests": [rule.test_id for rule in table.ab_rules],
        "conditions": len(table.context_rules),
        "shifts": [
            {
                "percent": shift.basis_points / 100,
                "to": table.models[shift.model].name,
                "version": table.models[shift.model].version,
            }
            for shift in table.shifts
        ],
        "overrides": sum(len(rule.models) for rule in table.overrides),
        "users": [
            {
                "model": target_text(table.models[index]),
                "least": float(share.least * 100),
                "most": float(share.most * 100),
                "exact": shares.exact,
            }
            for index, share in _largest_first(shares)
        ],
    }


def _largest_first(shares: TableShares) -> list[tuple[int, Share]]:
    return sorted(shares.models.items(), key=lambda each: (-each[1].most, each[0]))


def _print_summary(compiled: Compiled) -> None:
    header = ("objective", "default", "A/B tests", "conditions", "shift", "overrides")
    console = Console(width=max(Console().width, MIN_WIDTH))
    print_columns(console, header, list(map(_summary, compiled.rules.tables)))
    users = [line for each in _shares(compiled.rules.tables) for line in _users(*each)]
    print_columns(console, ("objective", "users", "get"), users)
    count = len(compiled.rules.tables)
    found = counted(compiled.warnings) or "no problems"
    console.print(f"[green]ok[/]: {count} objective{'' if count == 1 else 's'}, {found}")


def _users(table: ObjectiveTable, shares: TableShares) -> Iterator[tuple[str, ...]]:
    """Yield which share of an objective's users gets each model."""
    for index, share in _largest_first(shares):
        told = percents(float(share.least * 100), float(share.most * 100), exact=shares.exact)
        yield table.objective, told, target_text(table.models[index])


def _summary(table: ObjectiveTable) -> tuple[str, ...]:
    return (
        table.objective,
        _id(table, table.default_model),
        ", ".join(rule.test_id for rule in table.ab_rules) or "-",
        str(len(table.context_rules)),
        ", ".join(f"{shift.basis_points / 100:g}% to {_id(table, shift.model)}" for shift in table.shifts)
        or "-",
        str(sum(len(rule.models) for rule in table.overrides)),
    )


def _id(table: ObjectiveTable, index: int) -> str:
    return model_id(table.models[index].name, table.models[index].version)
