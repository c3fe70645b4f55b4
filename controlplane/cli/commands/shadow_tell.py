"""`lightbulb shadow tell`: has guards of agreement judge what hosts record."""

from __future__ import annotations

from pathlib import Path

import click

from controlplane.cli.extras import needs
from controlplane.cli.options import DURATION, RECORDS, TEXT, Address, control_plane_option
from controlplane.cli.variables import argument, option

EVERY_SECONDS = 5.0


@click.command()
@control_plane_option
@argument("records", nargs=-1, required=True, type=RECORDS)
@option("--follow", is_flag=True, help="Go on with what is added, from now on, until Ctrl-C.")
@option("--every", type=DURATION, help="How often to look for more, with --follow.  [default: 5s]")
@option(
    "--teller",
    type=TEXT,
    default="records",
    show_default=True,
    help="Name of these records: another for each place of records that is told of.",
)
def tell(
    *,
    records: tuple[Path | str, ...],
    follow: bool,
    every: float | None,
    teller: str,
    control_plane: tuple[Address, ...],
) -> None:
    """Compare what hosts record, and tell the control plane how far models agree.

    A guard of agreement, as in `lightbulb shift OBJECTIVE --to MODEL --percent 5 --guard agreement:0.9`,
    judges by it. RECORDS are as of `shadow report`.
    """
    if every is not None and not follow:
        raise click.UsageError("--every needs --follow")
    with needs("report"):
        from controlplane.cli.actions import telling as action

    seconds = (every or EVERY_SECONDS) if follow else None
    action.tell(control_plane, action.Asked(places=records, teller=teller, every=seconds))
