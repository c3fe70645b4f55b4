"""What is done to a control, be it a shift or a shadow: asked for, and waited for until it is in force."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NoReturn, TypeVar

import click

from controlplane.cli.consumers import first_of
from controlplane.cli.control_plane import CALL_SECONDS, Addresses, call, request_id, user_name
from controlplane.cli.everywhere import when
from controlplane.cli.problems import printable
from lightbulb.model import DEFAULT_TENANT
from lightbulb.v1 import control_plane_pb2 as pb

Request = TypeVar("Request", pb.ShiftRequest, pb.ShadowRequest)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was typed; an empty `tenant` is the default one, and `wait` is in seconds."""

    objective: str
    tenant: str
    message: str
    author: str
    wait: float


def make_request(kind: type[Request], wanted: Wanted) -> Request:
    """Return a request that says of which objective, by whom, and what for."""
    return kind(
        objective=wanted.objective,
        tenant=wanted.tenant,
        author=wanted.author or user_name(),
        message=wanted.message,
        request_id=request_id(),
    )


def when_decided(
    control_planes: Addresses,
    wanted: Wanted,
    version: int,
    is_decided: Callable[[pb.GetStatusResponse], bool],
) -> pb.GetStatusResponse:
    """Return the first decided status since `version`, or the last one in time. Raises CallFailed."""
    request = pb.GetStatusRequest(tenant=wanted.tenant or DEFAULT_TENANT)
    return when(
        lambda: call(control_planes, lambda stub: stub.GetStatus(request, timeout=CALL_SECONDS)),
        is_decided,
        version=version,
        seconds=wanted.wait,
        behind=lambda status: f"the control plane {status.replica} hasn't heard of it yet",
    )


def exit_behind(waiting_for: Iterable[str]) -> NoReturn:
    """Say who doesn't have it in time, and exit with 1."""
    missing = first_of(waiting_for) or "the control plane, which has yet to take it up"
    click.echo(printable(f"warning: not in force yet: waiting for {missing}"), err=True)
    sys.exit(1)
