"""`--output json`: one JSON document on stdout, whatever comes of a command.

That is what it found, or `{"error": {"code", "message", "remedy"}}`. The exit code is the same as without.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import click

from controlplane.cli.failed import Failed
from controlplane.cli.streams import takes_everything
from controlplane.cli.variables import Command, option

_ASKED = "controlplane.cli.output.json"


def output_option(command: Command) -> Command:
    """Add --output; the command gets True for JSON."""
    return option(
        "--output",
        shared=True,
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        is_eager=True,  # so that what is wrong with other options is told as JSON too
        callback=_remember,
        help="For people, or for programs; see docs/cli.md.",
    )(command)


def _remember(ctx: click.Context, _param: click.Parameter, value: str) -> bool:
    ctx.meta[_ASKED] = value == "json"
    return value == "json"


def print_json(document: Mapping[str, Any]) -> None:
    """Print a document, which can't do anything to a terminal: what isn't printable is escaped."""
    click.echo("".join(map(_printable, json.dumps(document, indent=2, ensure_ascii=not takes_everything()))))


def _printable(character: str) -> str:
    """Return a character of a JSON document as JSON says it in print; only texts have others."""
    return character if character.isprintable() or character == "\n" else json.dumps(character)[1:-1]


def wants_json(ctx: click.Context, arguments: Sequence[str]) -> bool:
    """Say whether a failure of the command with these arguments is to be told as JSON.

    The arguments count where they couldn't be parsed.
    """
    words = " ".join(arguments)
    return bool(ctx.meta.get(_ASKED, "--output json" in words or "--output=json" in words))


def print_error(error: click.ClickException) -> None:
    """Print an error as JSON."""
    print_json({"error": _described(error)})


def _described(error: click.ClickException) -> Mapping[str, Any]:
    if isinstance(error, Failed):
        return error.document()
    path = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "lightbulb"
    return {"code": "USAGE", "message": error.format_message(), "remedy": f"see `{path} --help`"}
