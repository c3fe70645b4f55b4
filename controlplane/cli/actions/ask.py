"""Asks which model one user gets, and why: a Lightbulb, or a workspace."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from controlplane.cli.context import make_context
from controlplane.cli.extras import needs, require
from controlplane.cli.failed import Failed
from controlplane.cli.options import Address
from controlplane.cli.output import print_json
from controlplane.cli.problems import printable, problems_told
from controlplane.cli.reach import SOMETHING_ELSE, UNREACHABLE, no_connection, nobody_there
from lightbulb.client.client import BlockingLightbulbClient
from lightbulb.errors import LightbulbError, TimedOut
from lightbulb.model import HeldBack, RequestContext
from lightbulb.resolution.resolve import OverrideNotPermitted, Resolver, Step
from lightbulb.rpc.answer import Answer, make_answer
from lightbulb.rpc.status import code_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Whom to ask, and what; `rules` asks this workspace in place of a Lightbulb."""

    objective: str
    context: RequestContext
    rules: Path | None
    override: str
    client: str
    sidecar: str
    explain: bool
    cells: tuple[str, ...]


def make_question(  # noqa: PLR0913 - the options of a command
    objective: str,
    *,
    rules: Path | None,
    override: str,
    client: str,
    sidecar: str,
    explain: bool = False,
    **who: Any,
) -> Question:
    """Return what the options of a command ask. Raises click.UsageError."""
    context = make_context(**who)
    if sidecar and rules is not None:
        raise click.UsageError("no sidecar routes a workspace: leave out --sidecar, or --rules")
    return Question(
        objective=objective,
        context=context,
        rules=rules,
        override=override,
        client=client,
        sidecar=sidecar,
        explain=explain,
        cells=who["cell"],
    )


def resolve(question: Question, lightbulb: Address) -> None:
    """Print the answer, as JSON. Raises Failed."""
    print_json(answer_document(ask(question, lightbulb)))


def explain(question: Question, lightbulb: Address, *, as_json: bool) -> None:
    """Print the answer, and each step to it. Raises Failed."""
    answer = ask(question, lightbulb)
    for warning in _unknown_tests(question.cells, answer):
        click.echo(f"warning: {printable(warning)}", err=True)
    if as_json:
        steps = [step_document(step) for step in answer.steps]
        answered_from = 0 if answer.held_back is None else answer.held_back.answer_from
        print_json({**answer_document(answer), "steps": steps, "answered_from": answered_from})
        return
    if answer.held_back is not None:
        click.echo(_held_back(answer.held_back))
    for number, step in enumerate(answer.steps, start=1):
        click.echo(_line(number, step))
    config = answer.objective_config
    generation = f" in generation {answer.generation}" if answer.generation else ""
    model, version = printable(config.model), printable(config.model_version)
    click.echo(f"{click.style(model, bold=True)} version {version}{generation}")
    click.echo(f"routing key {printable(answer.routing_key)}")


def answer_document(answer: Answer) -> Mapping[str, Any]:
    """Return an answer as what JSON can say."""
    config = answer.objective_config
    return {
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
    }


def step_document(step: Step) -> Mapping[str, Any]:
    """Return a step of an explanation as what JSON can say."""
    return {
        "decided": step.decided,
        "stage": step.stage.value,
        "file": step.source.file,
        "line": step.source.line,
        "rule": step.source.rule,
        "detail": step.detail,
    }


def ask(question: Question, lightbulb: Address) -> Answer:
    """Return the answer. Raises Failed."""
    try:
        if question.rules is not None:
            return _ask_workspace(question.rules, question)
        with BlockingLightbulbClient(
            str(lightbulb), client_name=question.client, sidecar=question.sidecar
        ) as asked:
            return asked.resolve(
                question.objective,
                question.context,
                override_model=question.override,
                explain=question.explain,
            )
    except OverrideNotPermitted as error:
        raise Failed("PERMISSION_DENIED", printable(str(error))) from error
    except LightbulbError as error:
        raise resolve_failure(error, lightbulb) from error


def resolve_failure(error: LightbulbError, lightbulb: Address) -> Failed:
    """Return what to say when a Lightbulb gave no answer."""
    text = printable(str(error))
    reason = "it doesn't answer in time" if isinstance(error, TimedOut) else no_connection(text)
    if text.startswith("UNIMPLEMENTED"):
        reason = SOMETHING_ELSE
    if not reason:
        return Failed(code_of(error).name, text)
    message, remedy = nobody_there("Lightbulb", lightbulb, reason, "--lightbulb")
    return Failed(UNREACHABLE, message, remedy)


def _ask_workspace(folder: Path, question: Question) -> Answer:
    with needs("cli"):
        from controlplane.rules.compile import compile_workspace  # noqa: PLC0415 - a Lightbulb needs none
        from controlplane.rules.workspace import read_workspace  # noqa: PLC0415
    require("cli", "quickjs")
    with problems_told():
        tables = {table.objective: table for table in compile_workspace(read_workspace(folder)).tables}
    table = tables.get(question.objective)
    if table is None:
        known = ", ".join(sorted(tables))
        raise click.BadParameter(f"no rule targets {question.objective!r}; known: {known}")
    steps: list[Step] = []
    resolution = Resolver(table).resolve(
        question.context, override=question.override, client=question.client, steps=steps
    )
    return make_answer(table, resolution, 0, steps)


def _unknown_tests(cells: Iterable[str], answer: Answer) -> Iterator[str]:
    """Yield what to say of each --cell that is of no test of the objective's: it changes nothing."""
    there = f"the tests are {', '.join(answer.tests)}" if answer.tests else "it has no tests"
    for test in dict.fromkeys(cell.partition("=")[0] for cell in cells):
        if test not in answer.tests:
            yield f"--cell: no rule of {answer.objective_config.objective} knows test {test}; {there}"


def _held_back(held_back: HeldBack) -> str:
    rejected, answer_from = held_back.rejected, held_back.answer_from
    return (
        f"operator: held back: the table of generation {rejected} is rejected, that of {answer_from} answers"
    )


def _line(number: int, step: Step) -> str:
    yes, no = click.style("yes", fg="green", bold=True), click.style("no", dim=True)
    stage = f"{number}. {f'{yes} ' if step.decided else f'{no}  '}{step.stage.value:<10}"
    return f"{stage} {printable(f'{step.source}: {step.detail}')}"
