"""Says what is wrong with a workspace, all of it at once."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from controlplane.cli.columns import print_columns
from controlplane.cli.output import print_json
from controlplane.cli.problems import BadWorkspace, counted, print_warnings, problem_document
from controlplane.cli.remembered import remembered
from controlplane.planning.plan import make_plan
from controlplane.problems import Severity, WorkspaceError
from controlplane.rules.compile import Compiled, compile_and_warn, without_collector
from controlplane.rules.workspace import read_workspace
from lightbulb.model import ObjectiveTable

MIN_WIDTH = 140
"""A narrower terminal wraps the table's lines; better than cutting names short."""


@without_collector()
def check(folder: Path, *, strict: bool, as_json: bool) -> None:
    """Print the problems of a workspace, or what it holds when there is no error. Raises BadWorkspace.

    With `strict`, its warnings are errors.
    """
    try:
        compiled = _compiled(folder, strict=strict)
    except WorkspaceError as error:
        if not as_json:
            raise BadWorkspace(error.problems) from error
        print_json({"objectives": [], "problems": [problem_document(each) for each in error.problems]})
        sys.exit(1)
    if as_json:
        objectives = [_document(each) for each in compiled.rules.tables]
        print_json({"objectives": objectives, "problems": list(map(problem_document, compiled.warnings))})
    else:
        print_warnings(compiled.warnings)
        _print_summary(compiled)


def _compiled(folder: Path, *, strict: bool) -> Compiled:
    workspace = read_workspace(folder)
    with remembered(folder) as memory:
        compiled = compile_and_warn(workspace, memory=memory)
    make_plan(compiled.rules)
    if strict and compiled.warnings:
        raise WorkspaceError(replace(each, severity=Severity.ERROR) for each in compiled.warnings)
    return compiled


def _document(table: ObjectiveTable) -> Mapping[str, Any]:
    return {
        "objective": table.objective,
        "default_model": table.models[table.default_model].name,
        "ab_tests": [rule.test_id for rule in table.ab_rules],
        "conditions": len(table.context_rules),
        "shifts": [
            {"percent": shift.basis_points / 100, "to": table.models[shift.model].name}
            for shift in table.shifts
        ],
        "overrides": sum(len(rule.models) for rule in table.overrides),
    }


def _print_summary(compiled: Compiled) -> None:
    header = ("objective", "default", "A/B tests", "conditions", "shift", "overrides")
    console = Console(width=max(Console().width, MIN_WIDTH))
    print_columns(console, header, list(map(_summary, compiled.rules.tables)))
    count = len(compiled.rules.tables)
    found = counted(compiled.warnings) or "no problems"
    console.print(f"[green]ok[/]: {count} objective{'' if count == 1 else 's'}, {found}")


def _summary(table: ObjectiveTable) -> tuple[str, ...]:
    return (
        table.objective,
        table.models[table.default_model].name,
        ", ".join(rule.test_id for rule in table.ab_rules) or "-",
        str(len(table.context_rules)),
        ", ".join(
            f"{shift.basis_points / 100:g}% to {table.models[shift.model].name}" for shift in table.shifts
        )
        or "-",
        str(sum(len(rule.models) for rule in table.overrides)),
    )
