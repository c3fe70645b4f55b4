"""`lightbulb replay`: what a candidate would have answered to requests that were recorded."""

from __future__ import annotations

from pathlib import Path

import click

from controlplane.cli.control_options import MODEL, Model
from controlplane.cli.extras import needs
from controlplane.cli.options import FOLDER, RECORDS, SIDECAR, Address, address_option
from controlplane.cli.output import output_option
from controlplane.cli.variables import argument, bad_value, option


@click.command()
@argument("records", nargs=-1, required=True, type=RECORDS)
@option("--model", type=MODEL, required=True, help="The candidate, NAME@VERSION, which a rule has loaded.")
@option(
    "--keep",
    type=FOLDER,
    required=True,
    help="Folder for the records of both sides, for another `shadow report`.",
)
@address_option("--sidecar-address", SIDECAR, "Send them through this sidecar.", shared=True)
@option(
    "--rate",
    type=click.FloatRange(0.1, 10_000.0),
    default=10.0,
    show_default=True,
    help="Requests a second at most; 16 are under way at most.",
)
@option("--limit", type=click.IntRange(1), default=10_000, show_default=True, help="At most so many.")
@option(
    "--timeout",
    type=click.FloatRange(0.1, 600.0),
    default=10.0,
    show_default=True,
    help="Seconds for each.",
)
@option(
    "--least",
    type=click.FloatRange(0.0, 1.0),
    default=0.9,
    show_default=True,
    help="Mean agreement that is wanted.",
)
@option("--page", type=click.Path(path_type=Path, dir_okay=False), help="Write a page of HTML, too.")
@output_option
def replay(  # noqa: PLR0913 - one argument a flag
    *,
    records: tuple[Path | str, ...],
    model: Model,
    keep: Path,
    sidecar_address: Address,
    rate: float,
    limit: int,
    timeout: float,
    least: float,
    page: Path | None,
    output: bool,
) -> None:
    """Ask a candidate again what users asked, and say how far it agrees with what they got.

    RECORDS are folders of records, files of them, or URLs of Redis, of hosts that keep requests too:
    --records-requests.
    """
    if not model.version:
        raise bad_value("--model", f"{model.name} needs a version: {model.name}@1")
    with needs("report"):
        from controlplane.cli.actions import comparison
        from controlplane.cli.actions import replay as action

    wanted = action.Wanted(
        name=model.name,
        version=model.version,
        sidecar=sidecar_address,
        rate=rate,
        limit=limit,
        seconds=timeout,
    )
    asked = comparison.Asked(paths=records, least=least)
    action.replay(wanted, asked, keep, page=page, as_json=output)
