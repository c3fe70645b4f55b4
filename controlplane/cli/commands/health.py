"""`lightbulb health`: whether one process serves, for those who watch over it."""

from __future__ import annotations

import click

from controlplane.cli.extras import needs
from controlplane.cli.failed import Failed
from controlplane.cli.options import ADDRESS, Address
from controlplane.cli.variables import argument, option


@click.command()
@argument("address", type=ADDRESS)
@option("--service", default="", help="One gRPC service, by its full name.  [default: all]")
@option("--envoy", is_flag=True, help="ADDRESS is the admin interface of an Envoy: ask its /ready.")
def health(*, address: Address, service: str, envoy: bool) -> None:
    """Say whether a process serves: the exit code is 0 if so, and 1 if not.

    ADDRESS is that of a control plane, a Lightbulb or a serving host, which answer gRPC's health check.
    """
    problem = _why_envoy_not_ready(address) if envoy else _why_not_serving(address, service)
    if problem:
        raise Failed("NOT_SERVING", problem)
    click.echo(f"{address} serves")


def _why_envoy_not_ready(admin: Address) -> str | None:
    from lightbulb.sidecar.process import is_ready

    if is_ready((admin.host, admin.port)):
        return None
    return f"no Envoy at {admin} that is ready; one is ready once it has its configuration"


def _why_not_serving(address: Address, service: str) -> str | None:
    with needs("cli"):
        from controlplane.cli.health import why_not_serving

    return why_not_serving(address, service)
