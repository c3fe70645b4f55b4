"""`lightbulb publish` and `lightbulb status`."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from controlplane.cli.consumers import state_of
from controlplane.cli.control_plane import (
    CALL_SECONDS,
    PUBLISH_SECONDS,
    Addresses,
    call,
    failures_told,
    phase_name,
    problems_of,
    publish_request,
)
from controlplane.cli.failures import how_far, why_failed
from controlplane.cli.follow import Withdrawn, follow
from controlplane.cli.options import control_planes_option, rules_argument
from controlplane.cli.problems import print_problems, printable
from controlplane.problems import WorkspaceError
from controlplane.rollout.failure import MAX_NAME
from lightbulb.v1 import control_plane_pb2 as pb

UNPUBLISHED = "nothing was published, what was serving serves on"
MIN_WIDTH = 140
"""A narrower terminal wraps the table's lines; better than cutting names short."""


@click.command(short_help="Publish a workspace, and see it become active.")
@rules_argument
@control_planes_option
@click.option("-m", "--message", default="", help="What this publish is for.")
@click.option("--revision", default="", help="Your name for these files.  [default: the git commit]")
@click.option("--detach", is_flag=True, help="Don't wait until it is active.")
@click.option(
    "--wait",
    "seconds",
    type=click.FloatRange(1.0, 3600.0),
    default=180.0,
    show_default=True,
    help="Seconds to wait until it is active.",
)
def publish(  # noqa: PLR0913 - one argument a flag
    *, folder: Path, control_planes: Addresses, message: str, revision: str, detach: bool, seconds: float
) -> None:
    """Publish the workspace in FOLDER (default: rules), and see it become active."""
    with failures_told():
        try:
            request = publish_request(folder, message, revision)
        except WorkspaceError as error:
            print_problems(error.problems, UNPUBLISHED)
            sys.exit(1)
        response = call(control_planes, lambda stub: stub.Publish(request, timeout=PUBLISH_SECONDS))
        if response.problems:
            print_problems(problems_of(response), UNPUBLISHED)
            sys.exit(1)
        generation = f"generation {response.generation} ({response.content_hash[:12]})"
        if response.unchanged:
            click.echo(f"{generation} has these files already; it is active or on its way")
        else:
            click.echo(f"{generation} is on its way")
        if not detach:
            see_it_active(control_planes, response, seconds)


def see_it_active(
    control_planes: Addresses, response: pb.PublishResponse | pb.RollbackResponse, seconds: float
) -> None:
    """Wait until a generation is active, and say so; exit with 1 when it won't be. Raises CallFailed."""
    try:
        status = follow(control_planes, response, seconds, Console(highlight=False))
    except Withdrawn as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(1)
    click.echo(f"generation {response.generation} is active{loaded_beside(status)}")


def loaded_beside(status: pb.GetStatusResponse) -> str:
    """Return what to say of the generations that a rollback could go to."""
    others = [str(number) for number in status.live_generations if number != status.active_generation]
    return f"; loaded for a rollback: {', '.join(others)}" if others else ""


@click.command()
@control_planes_option
def status(control_planes: Addresses) -> None:
    """Show what is active, and who has acknowledged it."""
    with failures_told():
        response = call(
            control_planes, lambda stub: stub.GetStatus(pb.GetStatusRequest(), timeout=CALL_SECONDS)
        )
    console = Console(width=max(Console().width, MIN_WIDTH), highlight=False)
    for line in _headlines(response):
        console.print(Text(printable(line)), soft_wrap=True)
    console.print(_consumers(response))


def _headlines(response: pb.GetStatusResponse) -> list[str]:
    lines = []
    if response.active_generation:
        detail = f": {how_far(response)}" if response.detail and not response.target_generation else ""
        phase = "active" if response.target_generation else phase_name(response.phase)
        active = f"generation {response.active_generation} ({response.content_hash[:12]})"
        lines.append(f"{active} {phase}{detail}{loaded_beside(response)}")
    elif not response.target_generation:
        lines.append(response.detail or "no generation is active")
    if response.target_generation:
        detail = f": {how_far(response)}" if response.detail else ""
        lines.append(f"generation {response.target_generation} {phase_name(response.phase)}{detail}")
    if response.failed_generation:
        lines.append(f"generation {response.failed_generation} failed: {why_failed(response)}")
    if response.pinned_generations:
        lines.append(f"pinned: {', '.join(map(str, sorted(response.pinned_generations)))}")
    if response.store_problem:
        lines.append(f"the store can't be reached, nothing can be changed: {response.store_problem}")
    if len(response.replicas) > 1:
        lines.append(f"replicas: {', '.join(map(_replica, response.replicas))}")
    return lines


def _replica(replica: pb.Replica) -> str:
    remark = " (silent)" if replica.silent else " (leads)" if replica.leading else ""
    return f"{replica.name}{remark}"


def _consumers(response: pb.GetStatusResponse) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("kind", "node", "state"):
        table.add_column(column)
    for consumer in sorted(response.consumers, key=lambda consumer: (consumer.kind, consumer.node_id)):
        # Text, not markup: what others wrote may look like it.
        table.add_row(
            *(
                Text(printable(each))
                for each in (consumer.kind, consumer.node_id[:MAX_NAME], state_of(consumer))
            )
        )
    return table
