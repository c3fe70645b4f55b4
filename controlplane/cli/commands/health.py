"""`lightbulb health`: whether one process serves, for those who watch over it."""

from __future__ import annotations

import click

from controlplane.cli.extras import needs
from controlplane.cli.failed import Failed
from controlplane.cli.options import ADDRESS, Address
from controlplane.cli.output import output_option, print_json
from controlplane.cli.variables import argument, option
from lightbulb.model import Freshness


@click.command()
@argument("address", type=ADDRESS)
@option("--service", default="", help="One gRPC service, by its full name.  [default: all]")
@option("--envoy", is_flag=True, help="ADDRESS is the admin interface of an Envoy: ask its /ready.")
@output_option
def health(*, address: Address, service: str, envoy: bool, output: bool) -> None:
    """Say whether a process serves: the exit code is 0 if so, and 1 if not.

    ADDRESS is that of a control plane, a Lightbulb or a serving host, which answer gRPC's health check. Of a
    Lightbulb it says also from which generation it answers, and for how long no control plane was connected.
    """
    if envoy:
        _ask_envoy(address)
    freshness = None if envoy else _ask(address, service)
    if output:
        print_json({"serves": True, "lightbulb": _document(freshness)})
    else:
        click.echo(f"{address} serves{_told(freshness)}")


def _ask_envoy(admin: Address) -> None:
    from lightbulb.sidecar.process import is_ready

    if not is_ready((admin.host, admin.port)):
        reason = f"no Envoy at {admin} that is ready; one is ready once it has its configuration"
        raise Failed("NOT_SERVING", reason)


def _ask(address: Address, service: str) -> Freshness | None:
    with needs("cli"):
        from controlplane.cli.health import ask_health

    return ask_health(address, service)


def _told(freshness: Freshness | None) -> str:
    if freshness is None:
        return ""
    text = f" from generation {freshness.generation}"
    return text if freshness.connected else f"{text}; no control plane for {freshness.age:.0f} s"


def _document(freshness: Freshness | None) -> dict[str, float] | None:
    if freshness is None:
        return None
    return {
        "generation": freshness.generation,
        "connected": freshness.connected,
        "age_seconds": freshness.age,
    }
