"""`lightbulb tenants offer` and `tenants take`."""

from __future__ import annotations

import click

from controlplane.cli.extras import needs
from controlplane.cli.options import (
    OBJECTIVE,
    Address,
    NameType,
    author_option,
    control_plane_option,
    tenant_option,
    wait_option,
)
from controlplane.cli.variables import argument, option

TENANT = NameType("a tenant")


@click.group()
def tenants() -> None:
    """Hand an objective from one tenant to another."""


@tenants.command()
@argument("objective", type=OBJECTIVE)
@tenant_option
@option("--to", type=TENANT, required=True, help="Who may take it.")
@option("--back", is_flag=True, help="Take the offer back; what is on its way is withdrawn.")
@control_plane_option
@option("--message", "-m", default="", help="What for.")
@author_option
def offer(  # noqa: PLR0913 - one argument an option
    *,
    objective: str,
    tenant: str,
    to: str,
    back: bool,
    control_plane: tuple[Address, ...],
    message: str,
    author: str,
) -> None:
    """Offer OBJECTIVE to another tenant, for a week.

    Nothing changes until that one takes it: lightbulb tenants take OBJECTIVE --tenant TO. Until then its
    owner can't publish without it.
    """
    with needs("cli"):
        from controlplane.cli.actions import tenants as action

    action.offer(control_plane, action.Wanted(objective, tenant, message, author), to, back=back)


@tenants.command()
@argument("objective", type=OBJECTIVE)
@tenant_option
@control_plane_option
@option("--message", "-m", default="", help="What for.")
@author_option
@wait_option("it is the tenant's")
def take(  # noqa: PLR0913 - one argument an option
    *,
    objective: str,
    tenant: str,
    control_plane: tuple[Address, ...],
    message: str,
    author: str,
    wait: float,
) -> None:
    """Take OBJECTIVE, which another tenant offers, as that one has it.

    It becomes the tenant's in one step, once all is ready: no request is lost, and no answer changes. From
    then on the tenant's workspace has to have it, and the other's mustn't.

    Exits 0 once it is the tenant's.
    """
    with needs("cli"):
        from controlplane.cli.actions import tenants as action

    action.take(control_plane, action.Wanted(objective, tenant, message, author), wait)
