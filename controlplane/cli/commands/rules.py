"""`lightbulb rules check`: what is wrong with a workspace, all of it at once."""

from __future__ import annotations

from pathlib import Path

import click

from controlplane.cli.extras import needs, require
from controlplane.cli.options import rules_argument
from controlplane.cli.output import output_option
from controlplane.cli.variables import option


@click.group()
def rules() -> None:
    """Check a workspace of rules: `rules check`."""


@rules.command()
@rules_argument
@option("--strict", is_flag=True, help="Take warnings for errors.")
@output_option
def check(*, folder: Path, strict: bool, output: bool) -> None:
    """Say all that is wrong with a workspace; publish nothing.

    Evaluates, compiles and plans the workspace in FOLDER (default: rules).
    """
    with needs("cli"):
        from controlplane.cli.actions import rules as action
    require("cli", "quickjs")

    action.check(folder, strict=strict, as_json=output)
