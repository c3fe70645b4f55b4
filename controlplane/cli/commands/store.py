"""`lightbulb store`: what is done to a store that others can't mend by themselves."""

from __future__ import annotations

import click

from controlplane.cli.extras import needs
from controlplane.cli.options import Address, author_option, control_plane_option
from controlplane.cli.output import output_option
from controlplane.cli.variables import option


@click.group()
def store() -> None:
    """Go on with a store that lost commits."""


@store.command()
@control_plane_option
@option("--message", "-m", default="", help="Why.")
@author_option
@option("--dry-run", is_flag=True, help="Say what would be done, and change nothing.")
@option("--yes", is_flag=True, help="Don't ask.")
@output_option
def resume(  # noqa: PLR0913 - one argument a flag
    *,
    control_plane: tuple[Address, ...],
    message: str,
    author: str,
    dry_run: bool,
    yes: bool,
    output: bool,
) -> None:
    """Go on with a store that lost commits: after a failover, or with a backup.

    `lightbulb status` says when that is so. Until then what serves goes on, and nothing is changed: if the
    server or file that has the commits can come back, let it. Name all control planes: the one that knows
    most is asked. What one of them still knows is put back; what nobody knows is lost, and is said before.

    Exits 0 when the store goes on, or had lost nothing.
    """
    with needs("cli"):
        from controlplane.cli.actions import store as action

    action.resume(
        control_plane,
        action.Wanted(message=message, author=author, dry_run=dry_run, yes=yes, as_json=output),
    )
