"""`lightbulb init`: a workspace of one's own."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from controlplane.cli.options import rules_argument
from controlplane.cli.template import make_workspace


@click.command()
@rules_argument
def init(folder: Path) -> None:
    """Make a workspace to start from in FOLDER (default: rules).

    One objective, one A/B test, and what an editor needs. FOLDER must be empty, or not there.
    """
    names = make_workspace(folder)
    name = shlex.quote(str(folder))
    click.echo(f"made {folder}: {', '.join(names)}")
    click.echo(f"try: lightbulb rules check {name}; lightbulb up --rules {name}")
