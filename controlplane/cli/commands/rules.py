"""`lightbulb rules`: what is wrong with a workspace, which users its tests' cells keep, and its types."""

from __future__ import annotations

from pathlib import Path

import click

from controlplane.cli.extras import needs, require
from controlplane.cli.options import rules_argument
from controlplane.cli.output import output_option
from controlplane.cli.variables import option


@click.group()
def rules() -> None:
    """Check a workspace of rules, and bring up to date what is written from it."""


@rules.command()
@rules_argument
@option("--strict", is_flag=True, help="Take warnings for errors.")
@option(
    "--fleet",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The platform's fleet.yaml, for a tenant's workspace, which has none.",
)
@output_option
def check(*, folder: Path, strict: bool, fleet: Path | None, output: bool) -> None:
    """Say all that is wrong with a workspace; publish nothing.

    Evaluates, compiles and plans the workspace in FOLDER (default: rules).
    """
    with needs("cli"):
        from controlplane.cli.actions import rules as action
    require("cli", "quickjs")

    action.check(folder, strict=strict, as_json=output, fleet=fleet)


@rules.command()
@rules_argument
@option("--check", is_flag=True, help="Write nothing; fail if anything would be written.")
@output_option
def lock(*, folder: Path, check: bool, output: bool) -> None:
    """Write down which users each cell of a test has, so that they stay.

    Run it before you change the weights of a running test, and after: it moves only who must move. Writes
    experiments.lock.yaml in FOLDER (default: rules), for you to commit.
    """
    with needs("cli"):
        from controlplane.cli.actions import lock as action

    action.lock_tests(folder, check=check, as_json=output)


@rules.command()
@rules_argument
@option("--check", is_flag=True, help="Write nothing; fail if anything would be written.")
@output_option
def types(*, folder: Path, check: bool, output: bool) -> None:
    """Write what editors and TypeScript know of a workspace.

    Run it when you have changed the YAML files. Writes lightbulb.d.ts in FOLDER (default: rules): its
    objectives, models and their versions, tests and their cells, segments. Commit it with them.
    """
    with needs("cli"):
        from controlplane.cli.actions import types as action

    action.write_types(folder, check=check, as_json=output)
