"""`lightbulb rules check`: what is wrong with a workspace, all of it at once."""

from __future__ import annotations

from pathlib import Path

import click

from controlplane.cli.extras import needs, require
from controlplane.cli.options import rules_argument
from controlplane.cli.output import output_option


@click.group()
def rules() -> None:
    """Check a workspace of rules: `rules check`."""


@rules.command()
@rules_argument
@output_option
def check(*, folder: Path, output: bool) -> None:
    """Say all that is wrong with a workspace; publish nothing.

    Evaluates, compiles and plans the workspace in FOLDER (default: rules).
    """
    with needs("cli"):
        from controlplane.cli.actions import rules as action
    require("cli", "quickjs")

    action.check(folder, as_json=output)
