"""Offers an objective to another tenant, and takes one."""

from __future__ import annotations

from dataclasses import dataclass

import click

from controlplane.admin.problem_codec import problem_from_message
from controlplane.cli.actions.publish import see_it_active
from controlplane.cli.control_plane import (
    CALL_SECONDS,
    PUBLISH_SECONDS,
    Addresses,
    call,
    request_id,
    user_name,
)
from controlplane.cli.handovers import moment
from controlplane.cli.problems import BadWorkspace
from lightbulb.model import DEFAULT_TENANT
from lightbulb.v1 import control_plane_pb2 as pb

NOT_TAKEN = "nothing was taken, what was serving serves on"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was typed: `tenant` offers or takes; empty: the default one."""

    objective: str
    tenant: str
    message: str
    author: str

    @property
    def whose(self) -> str:
        """The tenant's name."""
        return self.tenant or DEFAULT_TENANT


def offer(control_planes: Addresses, wanted: Wanted, to: str, *, back: bool) -> None:
    """Offer an objective to another tenant, or take that back. Raises CallFailed."""
    request = pb.OfferRequest(
        objective=wanted.objective,
        tenant=wanted.tenant,
        to=to,
        back=back,
        author=wanted.author or user_name(),
        message=wanted.message,
        request_id=request_id(),
    )
    response = call(control_planes, lambda stub: stub.Offer(request, timeout=CALL_SECONDS))
    if response.unchanged:
        click.echo(f"{wanted.objective} wasn't on offer")
    elif back:
        click.echo(f"{wanted.objective} stays {wanted.whose}'s")
    else:
        click.echo(
            f"{wanted.objective} is on offer to {to} until {moment(response.until)}: "
            f"lightbulb tenants take {wanted.objective} --tenant {to}"
        )


def take(control_planes: Addresses, wanted: Wanted, seconds: float) -> None:
    """Take an objective, and see it become the tenant's. Raises Failed."""
    request = pb.TakeRequest(
        objective=wanted.objective,
        tenant=wanted.tenant,
        author=wanted.author or user_name(),
        message=wanted.message,
        request_id=request_id(),
    )
    response = call(control_planes, lambda stub: stub.Take(request, timeout=PUBLISH_SECONDS))
    if response.problems:
        raise BadWorkspace(tuple(map(problem_from_message, response.problems)), NOT_TAKEN)
    if response.unchanged:
        click.echo(
            f"{wanted.objective} is {wanted.whose}'s, or on its way, with generation {response.generation}"
        )
    else:
        click.echo(f"generation {response.generation} is on its way, with {wanted.objective}")
        see_it_active(control_planes, response, seconds, tenant=wanted.tenant)
        click.echo(f"{wanted.objective} is {wanted.whose}'s")
