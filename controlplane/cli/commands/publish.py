"""`lightbulb publish` and `lightbulb status`."""

from __future__ import annotations

from pathlib import Path

import click

from controlplane.cli.extras import needs
from controlplane.cli.options import (
    Address,
    author_option,
    control_plane_option,
    rules_argument,
    tenant_option,
    wait_option,
)
from controlplane.cli.output import output_option
from controlplane.cli.variables import option
from controlplane.model import PLATFORM


@click.command()
@rules_argument
@control_plane_option
@tenant_option
@option("--message", "-m", default="", help="What this publish is for.")
@option("--revision", default="", help="Your name for these files.  [default: the git commit]")
@author_option
@option("--dry-run", is_flag=True, help="Of the platform's: say what would move, and change nothing.")
@option("--detach", is_flag=True, help="Don't wait until it is active.")
@wait_option("it is active")
def publish(  # noqa: PLR0913 - one argument a flag
    *,
    folder: Path,
    control_plane: tuple[Address, ...],
    tenant: str,
    message: str,
    revision: str,
    author: str,
    dry_run: bool,
    detach: bool,
    wait: float,
) -> None:
    """Publish the workspace in FOLDER (default: rules), and see it become active.

    With --tenant platform FOLDER has fleet.yaml and tenants.yaml, which all tenants stand on.
    """
    if dry_run and tenant != PLATFORM:
        raise click.UsageError("--dry-run is of --tenant platform; for rules see `lightbulb diff`")
    with needs("cli"):
        from controlplane.cli.actions import publish as action
        from controlplane.cli.control_plane import publish_request
        from controlplane.cli.problems import problems_told

    with problems_told(action.UNPUBLISHED):
        request = publish_request(folder, message, revision, author)
        request.tenant, request.dry_run = tenant, dry_run
    action.publish(request, control_plane, wait=None if detach else wait)


@click.command()
@control_plane_option
@tenant_option
@output_option
def status(*, control_plane: tuple[Address, ...], tenant: str, output: bool) -> None:
    """Show what is active, and who has acknowledged it; where there are several tenants, a line for each."""
    with needs("cli"):
        from controlplane.cli.actions.publish import show_status

    show_status(control_plane, tenant, as_json=output)
