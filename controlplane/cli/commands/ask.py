"""`lightbulb resolve` and `lightbulb explain`: which model one user gets, and why."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from controlplane.cli.options import (
    LIGHTBULB,
    WORKSPACE,
    Address,
    address_option,
    context_options,
    make_context,
)
from controlplane.cli.problems import print_problems, printable
from controlplane.cli.reach import SOMETHING_ELSE, no_connection, nobody_there
from controlplane.problems import WorkspaceError
from controlplane.rules.compile import compile_workspace
from controlplane.rules.workspace import read_workspace
from lightbulb.client.client import BlockingLightbulbClient
from lightbulb.errors import LightbulbError, TimedOut
from lightbulb.model import RequestContext
from lightbulb.resolution.resolve import OverrideNotPermitted, Resolver, Step
from lightbulb.rpc.answer import Answer, make_answer


def _question(command: Any) -> Any:
    """Add what `resolve` and `explain` share."""
    for option in reversed(
        [
            click.argument("objective"),
            address_option("--lightbulb", LIGHTBULB, "Ask this Lightbulb."),
            click.option(
                "--rules",
                "folder",
                type=WORKSPACE,
                help="Ask this workspace instead, without any server.",
            ),
            click.option("--override", default="", help="Model to ask for in place of the rules' choice."),
            click.option("--client", default="", help="Name of the calling service."),
            click.option(
                "--sidecar",
                default="",
                metavar="NODE_ID",
                help="Answer as this sidecar's clients are: from what it routes.",
            ),
        ]
    ):
        command = option(command)
    return context_options(command)


@click.command()
@_question
def resolve(objective: str, lightbulb: Address, folder: Path | None, **question: Any) -> None:
    """Print one user's routing key and ObjectiveConfig, as JSON."""
    answer = _ask(objective, lightbulb, folder, explain=False, **question)
    config = answer.objective_config
    click.echo(
        json.dumps(
            {
                "routing_key": answer.routing_key,
                "model": config.model,
                "model_version": config.model_version,
                "model_type": config.model_type,
                "input_type": config.input_type,
                "parameters": dict(config.parameters),
                "allocations": {each.test_id: each.cell for each in config.allocations},
                "reason": answer.reason.value,
                "generation": answer.generation,
                "cache_lifetime_seconds": answer.cache_lifetime,
            },
            indent=2,
        )
    )


@click.command()
@_question
def explain(objective: str, lightbulb: Address, folder: Path | None, **question: Any) -> None:
    """Say step by step why one user gets that model."""
    answer = _ask(objective, lightbulb, folder, explain=True, **question)
    for warning in _unknown_tests(question["cells"], answer):
        click.echo(f"warning: {printable(warning)}", err=True)
    console = Console(soft_wrap=True)
    for number, step in enumerate(answer.steps, start=1):
        console.print(_line(number, step))
    config = answer.objective_config
    generation = f" in generation {answer.generation}" if answer.generation else ""
    console.print(f"[bold]{config.model}[/] version {config.model_version}{generation}")
    console.print(f"routing key {answer.routing_key}")


def _unknown_tests(cells: Iterable[str], answer: Answer) -> Iterator[str]:
    """Yield what to say of each --cell that is of no test of the objective's: it changes nothing."""
    there = f"the tests are {', '.join(answer.tests)}" if answer.tests else "it has no tests"
    for test in dict.fromkeys(cell.partition("=")[0] for cell in cells):
        if test not in answer.tests:
            yield f"--cell: no rule of {answer.objective_config.objective} knows test {test}; {there}"


def _line(number: int, step: Step) -> Text:
    line = Text(f"{number}. ")
    line.append("yes " if step.decided else "no  ", style="bold green" if step.decided else "dim")
    line.append(f"{step.stage.value:<10} {step.source}: {step.detail}")
    return line


def _ask(  # noqa: PLR0913 - the options of a command
    objective: str,
    lightbulb: Address,
    folder: Path | None,
    *,
    explain: bool,
    override: str,
    client: str,
    sidecar: str,
    **who: Any,
) -> Answer:
    """Return the answer; print what is wrong and exit 1 when there is none."""
    context = make_context(**who)
    if sidecar and folder is not None:
        raise click.UsageError("no sidecar routes a workspace: leave out --sidecar, or --rules")
    try:
        if folder is not None:
            return _ask_workspace(folder, objective, context, override, client)
        with BlockingLightbulbClient(str(lightbulb), client_name=client, sidecar=sidecar) as asked:
            return asked.resolve(objective, context, override_model=override, explain=explain)
    except WorkspaceError as error:
        print_problems(error.problems)
    except (LightbulbError, OverrideNotPermitted) as error:
        click.echo(f"error: {_failure(error, lightbulb)}", err=True)
    sys.exit(1)


def _failure(error: Exception, lightbulb: Address) -> str:
    text = printable(str(error))
    reason = "it doesn't answer in time" if isinstance(error, TimedOut) else no_connection(text)
    if text.startswith("UNIMPLEMENTED"):
        reason = SOMETHING_ELSE
    return nobody_there("Lightbulb", lightbulb, reason, "--lightbulb") if reason else text


def _ask_workspace(
    folder: Path, objective: str, context: RequestContext, override: str, client: str
) -> Answer:
    tables = {table.objective: table for table in compile_workspace(read_workspace(folder)).tables}
    table = tables.get(objective)
    if table is None:
        raise click.BadParameter(f"no rule targets {objective!r}; known: {', '.join(sorted(tables))}")
    steps: list[Step] = []
    resolution = Resolver(table).resolve(context, override=override, client=client, steps=steps)
    return make_answer(table, resolution, 0, steps)
