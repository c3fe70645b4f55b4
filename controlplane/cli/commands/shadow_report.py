"""`lightbulb shadow report`: how far a shadow's answers agree with the primary's."""

from __future__ import annotations

from pathlib import Path

import click

from controlplane.cli.extras import needs
from controlplane.cli.options import RECORDS
from controlplane.cli.output import output_option
from controlplane.cli.variables import argument, option


@click.command()
@argument("records", nargs=-1, required=True, type=RECORDS)
@option("--shadow", multiple=True, metavar="ID", help="Only that shadow. Repeatable.  [default: all]")
@option(
    "--least",
    type=click.FloatRange(0.0, 1.0),
    default=0.9,
    show_default=True,
    help="Mean agreement that is wanted; a noise floor stands in its place.",
)
@option(
    "--outcomes",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="CSV of what came true: a request's id, then 0, 1 or a share for each of its scores.",
)
@option("--page", type=click.Path(path_type=Path, dir_okay=False), help="Write it as a page of HTML, too.")
@output_option
def report(  # noqa: PLR0913 - one argument a flag
    *,
    records: tuple[Path | str, ...],
    shadow: tuple[str, ...],
    least: float,
    outcomes: Path | None,
    page: Path | None,
    output: bool,
) -> None:
    """Say how far a shadow's answers agree with the primary's, and how sure that is.

    RECORDS are folders in which hosts of both models keep their records, files of them, or URLs of a Redis
    that they share.
    """
    with needs("report"):
        from controlplane.cli.actions import comparison as action

    asked = action.Asked(paths=records, shadows=shadow, least=least, outcomes=outcomes)
    action.report(asked, page=page, as_json=output)
