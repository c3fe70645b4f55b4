"""`lightbulb shadow start`, `set`, `stop`, `list`, `report` and `tell`."""

from __future__ import annotations

import click

from controlplane.cli.commands.shadow_report import report
from controlplane.cli.commands.shadow_tell import tell
from controlplane.cli.control_options import MODEL, SHARE, Model, control_options
from controlplane.cli.extras import needs
from controlplane.cli.options import OBJECTIVE, Address, control_plane_option, tenant_option
from controlplane.cli.output import output_option
from controlplane.cli.shadow_options import SIZE, UNTIL
from controlplane.cli.variables import argument, option
from controlplane.lifecycle.shadow import Ends
from controlplane.lifecycle.shadow_words import together

EVERYWHERE = "every sidecar has it"
UNTIL_HELP = "End by itself: after so many answered copies (2000pairs), or a time (24h). Repeatable."


@click.group()
def shadow() -> None:
    """Have copies of an objective's requests answered by another model, whose answers nobody gets.

    A shadow is laid over whichever generation is active; it is no publish, and needs none.
    """


@shadow.command()
@control_options(EVERYWHERE)
@argument("model", type=MODEL)
@option("--percent", type=SHARE, required=True, help="The share of the requests; two decimals at most.")
@option(
    "--noise-floor",
    is_flag=True,
    help="Copy the same requests to the users' own model too: how much do two equals differ?",
)
@option("--until", type=UNTIL, multiple=True, help=UNTIL_HELP)
@option(
    "--max-body",
    type=SIZE,
    help="Larger requests aren't copied; 1KiB to 16MiB. The larger, the fewer at once.  [default: 1MiB]",
)
def start(  # noqa: PLR0913 - one argument an option
    *,
    objective: str,
    model: Model,
    percent: int,
    noise_floor: bool,
    until: tuple[Ends, ...],
    max_body: int | None,
    tenant: str,
    control_plane: tuple[Address, ...],
    wait: float,
    message: str,
    author: str,
) -> None:
    """Copy a share of OBJECTIVE's requests to MODEL, which a rule of it names.

    The requests are those to the model of whoever no rule is meant for; the answers to both can be compared.
    Users wait for nothing, and get nothing of it. Up to four models at once get copies of the same requests.

    Exits 0 once every sidecar has it, and 1, naming the others, when that isn't so in time.
    """
    with needs("cli"):
        from controlplane.cli.actions import shadow as action
        from controlplane.cli.actions.control import Wanted

    asked = action.Asked(
        model=model,
        basis_points=percent,
        noise_floor=noise_floor,
        max_body=max_body or 0,
        end=together(until),
    )
    wanted = Wanted(objective, tenant, message, author, wait)
    action.start(control_plane, wanted, asked)


@shadow.command("set")
@control_options(EVERYWHERE)
@argument("model", type=MODEL, required=False)
@option("--percent", type=SHARE, help="Another share of the requests.")
@option("--until", type=UNTIL, multiple=True, help=UNTIL_HELP)
def change(  # noqa: PLR0913 - one argument an option
    *,
    objective: str,
    model: Model | None,
    percent: int | None,
    until: tuple[Ends, ...],
    tenant: str,
    control_plane: tuple[Address, ...],
    wait: float,
    message: str,
    author: str,
) -> None:
    """Change OBJECTIVE's shadow of MODEL, or all that it has."""
    if percent is None and not until:
        raise click.UsageError("say --percent, or --until")
    with needs("cli"):
        from controlplane.cli.actions import shadow as action
        from controlplane.cli.actions.control import Wanted

    wanted = Wanted(objective, tenant, message, author, wait)
    action.change(control_plane, wanted, model, percent, together(until) if until else None)


@shadow.command()
@control_options(EVERYWHERE)
@argument("model", type=MODEL, required=False)
def stop(  # noqa: PLR0913 - one argument an option
    *,
    objective: str,
    model: Model | None,
    tenant: str,
    control_plane: tuple[Address, ...],
    wait: float,
    message: str,
    author: str,
) -> None:
    """Stop OBJECTIVE's shadow of MODEL, or all that it has.

    Exits 0 once no sidecar sends another copy, and 1, naming those that may, when that isn't so in time.
    """
    with needs("cli"):
        from controlplane.cli.actions import shadow as action
        from controlplane.cli.actions.control import Wanted

    action.stop(control_plane, Wanted(objective, tenant, message, author, wait), model)


@shadow.command("list")
@control_plane_option
@tenant_option
@argument("objective", type=OBJECTIVE, required=False)
@output_option
def show(*, objective: str | None, tenant: str, control_plane: tuple[Address, ...], output: bool) -> None:
    """List the shadows of OBJECTIVE, or of all, and what became of their copies."""
    with needs("cli"):
        from controlplane.cli.actions import shadow as action

    action.show(control_plane, objective or "", tenant, as_json=output)


shadow.add_command(report)
shadow.add_command(tell)
