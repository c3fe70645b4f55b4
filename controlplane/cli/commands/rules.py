"""`lightbulb rules check`: what is wrong with a workspace, all of it at once."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from controlplane.cli.options import rules_argument
from controlplane.cli.problems import print_problems
from controlplane.model import RuleSet
from controlplane.planning.plan import make_plan
from controlplane.problems import WorkspaceError
from controlplane.rules.compile import compile_workspace
from controlplane.rules.workspace import read_workspace
from lightbulb.model import ObjectiveTable

MIN_WIDTH = 140
"""A narrower terminal wraps the table's lines; better than cutting names short."""


@click.group()
def rules() -> None:
    """Check a workspace of rules: `rules check`."""


@rules.command()
@rules_argument
def check(folder: Path) -> None:
    """Say all that is wrong with a workspace; publish nothing.

    Evaluates, compiles and plans the workspace in FOLDER (default: rules).
    """
    try:
        compiled = compile_workspace(read_workspace(folder))
        make_plan(compiled)
    except WorkspaceError as error:
        print_problems(error.problems)
        sys.exit(1)
    _print_summary(compiled)


def _print_summary(compiled: RuleSet) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("objective", "default", "A/B tests", "conditions", "shift", "overrides"):
        table.add_column(column)
    for objective in compiled.tables:
        table.add_row(*_summary(objective))
    console = Console(width=max(Console().width, MIN_WIDTH))
    console.print(table)
    console.print(f"[green]ok[/]: {len(compiled.tables)} objectives, no problems")


def _summary(table: ObjectiveTable) -> tuple[str, ...]:
    shift = table.shift
    return (
        table.objective,
        table.models[table.default_model].name,
        ", ".join(rule.test_id for rule in table.ab_rules) or "-",
        str(len(table.context_rules)),
        "-" if shift is None else f"{shift.basis_points / 100:g}% to {table.models[shift.model].name}",
        str(sum(len(rule.models) for rule in table.overrides)),
    )
