"""Options that several commands share, and the types of their values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from lightbulb.model import RequestContext, Value

Command = TypeVar("Command", bound=Callable[..., Any])

CONTROL_PLANE = "127.0.0.1:7700"
LIGHTBULB = "127.0.0.1:7701"
SIDECAR = "127.0.0.1:7710"
SIDECAR_ADMIN = "127.0.0.1:7711"
FIRST_HOST = "127.0.0.1:7720"
RULES = Path("rules")


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen or connect."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class AddressType(click.ParamType[Address]):
    """HOST:PORT."""

    name = "host:port"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Address:
        """Return an Address."""
        if isinstance(value, Address):
            return value
        host, separator, port = str(value).rpartition(":")
        if not separator or not host or not port.isdigit() or int(port) > 65535:
            self.fail(f"{value!r} is not HOST:PORT, for example 127.0.0.1:7700", param, ctx)
        return Address(host.strip("[]"), int(port))


ADDRESS = AddressType()
FOLDER = click.Path(path_type=Path, file_okay=False)


def address_option(flag: str, default: str, text: str) -> Callable[[Command], Command]:
    """Return an option that takes HOST:PORT."""
    return click.option(flag, type=ADDRESS, default=default, show_default=True, help=text)


def control_plane_option(command: Command) -> Command:
    """Add --control-plane."""
    return address_option("--control-plane", CONTROL_PLANE, "Where the control plane listens.")(command)


def rules_argument(command: Command) -> Command:
    """Add the workspace folder as an argument."""
    return click.argument("folder", type=click.Path(path_type=Path), default=RULES, metavar="[FOLDER]")(
        command
    )


def context_options(command: Command) -> Command:
    """Add the options that say who is asking; `make_context` takes what they give."""
    options = [
        click.option("--user", "user_id", required=True, help="User id, the unit of every allocation."),
        click.option("--country", default="", help="For example US."),
        click.option("--device", default="", help="For example tv-roku."),
        click.option("--locale", default="", help="For example en-US."),
        click.option("--surface", default="", help="For example home."),
        click.option(
            "--attribute",
            "attributes",
            multiple=True,
            metavar="NAME=VALUE",
            help="A free attribute; true, false and numbers are taken as such. Repeatable.",
        ),
        click.option(
            "--cell",
            "cells",
            multiple=True,
            metavar="TEST=CELL",
            help="A cell that the experimentation platform has given the user. Repeatable.",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def make_context(  # noqa: PLR0913 - one argument an option
    *,
    user_id: str,
    country: str,
    device: str,
    locale: str,
    surface: str,
    attributes: tuple[str, ...],
    cells: tuple[str, ...],
) -> RequestContext:
    """Return the context that the options describe; raise click.BadParameter for what isn't NAME=VALUE."""
    return RequestContext(
        user_id=user_id,
        country=country,
        device=device,
        locale=locale,
        surface=surface,
        attributes={name: _value(text) for name, text in map(_pair, attributes)},
        allocations={test: _cell(test, cell) for test, cell in map(_pair, cells)},
    )


def _pair(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise click.BadParameter(f"{text!r} is not NAME=VALUE")
    return name, value


def _cell(test: str, text: str) -> int:
    if not text.isdigit():
        raise click.BadParameter(f"cell {text!r} of test {test} is not a number")
    return int(text)


def _value(text: str) -> Value:
    if text in {"true", "false"}:
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
