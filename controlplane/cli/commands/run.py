"""`lightbulb demo` and `lightbulb up`: the whole system on this machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from controlplane.cli.extras import needs
from controlplane.cli.options import (
    CONTROL_PLANE,
    FIRST_HOST,
    LIGHTBULB,
    MAX_PORT,
    REDIS,
    SIDECAR,
    SIDECAR_ADMIN,
    STEP,
    WORKSPACE,
    Address,
    address_option,
    envoy_option,
    models_option,
    state_dir_option,
)
from controlplane.cli.variables import bad_value, option

HOSTS = 3
STATE = Path(".lightbulb")


def _system_options(command: Any) -> Any:
    for each in (
        envoy_option,
        models_option,
        option(
            "--hosts", type=click.IntRange(1, 64), default=HOSTS, show_default=True, help="Serving hosts."
        ),
        state_dir_option(
            "What the processes keep (the store, Redis' data, last known good) and their logs.", STATE
        ),
        option(
            "--rules",
            type=WORKSPACE,
            help="Workspace to publish.  [default: rules; where there is none, the template of `init`]",
        ),
    ):
        command = each(command)
    return command


_TOLD_TO_ENVOY = frozenset({"sidecar", "sidecar_admin", "first_host"})


def _address_options(**defaults: str | None) -> Callable[[Any], Any]:
    """Add where everything listens; None stands for a port that is free."""
    texts = {
        "control_plane": "Where the control plane will listen.",
        "lightbulb": "Where the Lightbulb will listen.",
        "sidecar": "Where the sidecar will take requests.",
        "sidecar_admin": "Where the sidecar's admin interface will be.",
        "first_host": "Where the first host will listen; the others on the next ports.",
    }

    def add(command: Any) -> Any:
        for name, text in reversed(texts.items()):
            flag = f"--{name.replace('_', '-')}"
            command = address_option(flag, defaults.get(name), text, ip=name in _TOLD_TO_ENVOY)(command)
        return command

    return add


@click.command()
@_system_options
@_address_options()
@option("--users", type=click.IntRange(1, 1_000_000), default=1_000, show_default=True, help="Users.")
def demo(  # noqa: PLR0913 - one argument a flag
    *,
    rules: Path | None,
    state_dir: Path,
    hosts: int,
    models: str,
    envoy: Path | None,
    users: int,
    **addresses: Address | None,
) -> None:
    """Run everything on free ports, send the requests of many users, and check every answer.

    Exits 0 only if no request failed and every answer came from the model that the rules call for.
    """
    _check_ports(hosts, addresses)
    with needs("all"):
        from controlplane.cli.actions import local as action
        from controlplane.cli.layout import make_layout

    layout = make_layout(**addresses, hosts=hosts, replicas=1, redis=None)
    setup = action.Setup(layout=layout, rules=rules, state_dir=state_dir, models=models, envoy=envoy)
    action.demo(setup, users)


@click.command()
@_system_options
@_address_options(
    control_plane=CONTROL_PLANE,
    lightbulb=LIGHTBULB,
    sidecar=SIDECAR,
    sidecar_admin=SIDECAR_ADMIN,
    first_host=FIRST_HOST,
)
@address_option("--redis", REDIS, "Where Redis will listen, when there are replicas.")
@option(
    "--replicas",
    type=click.IntRange(1, 5),
    default=1,
    show_default=True,
    help="Control planes, Lightbulbs and sidecars; with more than one, the store is a Redis, and the ports "
    f"of the second are those given + {STEP}, and so on.",
)
def up(  # noqa: PLR0913 - one argument a flag
    *,
    rules: Path | None,
    state_dir: Path,
    hosts: int,
    models: str,
    envoy: Path | None,
    replicas: int,
    redis: Address,
    **addresses: Address | None,
) -> None:
    """Run everything until Ctrl-C, and say what to try.

    Ends when one of its processes does; with --replicas, it tells how to start that one again, and goes on.
    """
    _check_ports(hosts, addresses)
    with needs("all"):
        from controlplane.cli.actions import local as action
        from controlplane.cli.layout import make_layout

    layout = make_layout(**addresses, hosts=hosts, replicas=replicas, redis=redis)
    setup = action.Setup(layout=layout, rules=rules, state_dir=state_dir, models=models, envoy=envoy)
    action.up(setup)


def _check_ports(hosts: int, addresses: Mapping[str, Address | None]) -> None:
    first = addresses["first_host"]
    if first is not None and first.port + hosts - 1 > MAX_PORT:
        raise bad_value("--first-host", f"there is no port for {hosts} hosts from {first.port} on")
