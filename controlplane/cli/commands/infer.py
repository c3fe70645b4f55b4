"""`lightbulb infer`: one real request, and who answers it."""

from __future__ import annotations

from typing import Any

import click

from controlplane.cli.options import (
    SIDECAR,
    Address,
    address_option,
    context_options,
    lightbulb_option,
)
from controlplane.cli.output import output_option
from controlplane.cli.variables import argument, option


@click.command()
@argument("objective")
@context_options
@lightbulb_option
@address_option("--sidecar-address", SIDECAR, "Send it through this sidecar.", shared=True)
@option(
    "--input",
    multiple=True,
    metavar="NAME=JSON",
    help="An input tensor, for example amounts=[[1.5,2]]. Repeatable.  [default: what the model accepts]",
)
@option("--override", default="", help="Model to ask for in place of the rules' choice.")
@option("--client", default="", help="Name of the calling service.")
@option(
    "--sidecar",
    default="",
    metavar="NODE_ID",
    help="That sidecar's name: to be answered from what it routes.",
)
@option(
    "--timeout",
    type=click.FloatRange(0.1, 600.0),
    default=10.0,
    show_default=True,
    help="Seconds for it all.",
)
@output_option
def infer(  # noqa: PLR0913 - one argument a flag
    *,
    objective: str,
    lightbulb: Address,
    sidecar_address: Address,
    input: tuple[str, ...],  # noqa: A002 - the option's name
    timeout: float,
    output: bool,
    **question: Any,
) -> None:
    """Send one user's request through resolve and the sidecar, and say who answered it.

    Without --input, it sends none first; a model that refuses that is asked what it takes.
    """
    from controlplane.cli.actions import infer as action
    from controlplane.cli.actions.ask import make_question

    asked = make_question(objective, rules=None, **question)
    action.infer(asked, lightbulb, sidecar_address, inputs=input, seconds=timeout, as_json=output)
