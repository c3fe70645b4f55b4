"""`lightbulb resolve` and `lightbulb explain`: which model one user gets, and why."""

from __future__ import annotations

from typing import Any

import click

from controlplane.cli.options import WORKSPACE, Address, context_options, lightbulb_option
from controlplane.cli.output import output_option
from controlplane.cli.variables import argument, option


def _question(command: Any) -> Any:
    """Add what `resolve` and `explain` share."""
    for each in reversed(
        [
            argument("objective"),
            lightbulb_option,
            option("--rules", type=WORKSPACE, help="Ask this workspace instead, without any server."),
            option("--override", default="", help="Model to ask for in place of the rules' choice."),
            option("--client", default="", help="Name of the calling service."),
            option(
                "--sidecar",
                default="",
                metavar="NODE_ID",
                help="Answer as this sidecar's clients are: from what it routes.",
            ),
        ]
    ):
        command = each(command)
    return context_options(command)


@click.command()
@_question
@output_option
def resolve(objective: str, lightbulb: Address, output: bool, **question: Any) -> None:  # noqa: FBT001 - an option
    """Print one user's routing key and ObjectiveConfig, as JSON."""
    from controlplane.cli.actions import ask as action

    del output  # what it prints is JSON in any case; how it fails, it is asked
    action.resolve(action.make_question(objective, **question), lightbulb)


@click.command()
@_question
@output_option
def explain(objective: str, lightbulb: Address, output: bool, **question: Any) -> None:  # noqa: FBT001 - an option
    """Say step by step why one user gets that model."""
    from controlplane.cli.actions import ask as action

    action.explain(action.make_question(objective, explain=True, **question), lightbulb, as_json=output)
