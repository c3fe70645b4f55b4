"""`lightbulb figures`: what sidecars counted of a shift's two arms."""

from __future__ import annotations

import click

from controlplane.cli.extras import needs
from controlplane.cli.options import OBJECTIVE, Address, control_plane_option
from controlplane.cli.output import output_option
from controlplane.cli.variables import argument, option


@click.command()
@argument("objective", type=OBJECTIVE)
@option("--watch", is_flag=True, help="Show what each interval brings, until Ctrl-C.")
@control_plane_option
@output_option
def figures(*, objective: str, watch: bool, control_plane: tuple[Address, ...], output: bool) -> None:
    """Show what sidecars counted of OBJECTIVE's shift, the candidate's arm beside the control's.

    That is requests, how many failed, and how long they took; without those that a limit refused. Sidecars
    tell every few seconds, so what is shown is that old.
    """
    with needs("cli"):
        from controlplane.cli.actions import figures as action

    if watch:
        action.watch(control_plane, objective, as_json=output)
    else:
        action.show(control_plane, objective, as_json=output)
