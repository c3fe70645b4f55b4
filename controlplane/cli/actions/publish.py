"""Publishes a workspace, and shows where the rollout stands."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

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
    phase_name,
    problems_of,
    warnings_of,
)
from controlplane.cli.documents import document_of
from controlplane.cli.failures import how_far, why_failed
from controlplane.cli.follow import follow
from controlplane.cli.handovers import handover_lines
from controlplane.cli.output import print_json
from controlplane.cli.problems import BadWorkspace, print_warnings, printable
from controlplane.cli.shadows import shadow_lines
from controlplane.cli.shifts import held_back_lines, new_default_lines, shift_lines, waiting_lines
from controlplane.model import PLATFORM
from controlplane.rollout.failure import MAX_NAME
from lightbulb.v1 import control_plane_pb2 as pb

UNPUBLISHED = "nothing was published, what was serving serves on"
MIN_WIDTH = 140
"""A narrower terminal wraps the table's lines; better than cutting names short."""


def publish(request: pb.PublishRequest, control_planes: Addresses, *, wait: float | None) -> None:
    """Publish, and see it become active within `wait` seconds; None doesn't wait. Raises Failed."""
    response = call(control_planes, lambda stub: stub.Publish(request, timeout=PUBLISH_SECONDS))
    if response.problems:
        raise BadWorkspace(problems_of(response), UNPUBLISHED)
    print_warnings(warnings_of(response))
    if request.tenant == PLATFORM:
        _say_what_moves(response, dry_run=request.dry_run)
        return
    generation = f"generation {response.generation} ({response.content_hash[:12]})"
    if response.unchanged:
        click.echo(f"{generation} has these files already; it is active or on its way")
    else:
        click.echo(f"{generation} is on its way")
    if wait is not None:
        see_it_active(control_planes, response, wait, tenant=request.tenant)


def _say_what_moves(response: pb.PublishResponse, *, dry_run: bool) -> None:
    """Print what came, or would come, of a publish of the platform's own workspace."""
    if response.unchanged:
        click.echo(f"generation {response.generation} of the platform has these files already")
    elif not dry_run:
        click.echo(f"generation {response.generation} of the platform holds")
    for move in response.moves:
        click.echo(f"  {move.tenant}: {move.model} goes from {getattr(move, 'from')} to {move.to}")
    if response.replanned:
        what = "would be planned anew" if dry_run else "are planned anew, and on their way"
        click.echo(f"{', '.join(response.replanned)} {what}; see `lightbulb status`")
    elif dry_run and not response.unchanged:
        click.echo("nothing would move")


def see_it_active(
    control_planes: Addresses,
    response: pb.PublishResponse | pb.RollbackResponse | pb.TakeResponse,
    seconds: float,
    *,
    tenant: str = "",
) -> None:
    """Wait until a generation of `tenant` is active, and say so. Raises Withdrawn and CallFailed."""
    status = follow(control_planes, response, seconds, Console(highlight=False), tenant=tenant)
    click.echo(f"generation {response.generation} is active{loaded_beside(status)}")


def loaded_beside(status: pb.GetStatusResponse) -> str:
    """Return what to say of the generations that a rollback could go to."""
    others = [str(number) for number in status.live_generations if number != status.active_generation]
    return f"; loaded for a rollback: {', '.join(others)}" if others else ""


def show_status(control_planes: Addresses, tenant: str, *, as_json: bool) -> None:
    """Print what is active, and who has acknowledged it; of `tenant`, or else of each. Raises CallFailed."""
    request = pb.GetStatusRequest(tenant=tenant)
    response = call(control_planes, lambda stub: stub.GetStatus(request, timeout=CALL_SECONDS))
    if as_json:
        print_json(document_of(response))
        return
    console = Console(width=max(Console().width, MIN_WIDTH), highlight=False)
    several = not tenant and len(response.lanes) > 1
    lines = [*_lanes(response), *_of_the_store(response)] if several else _headlines(response)
    lines += handover_lines(each for each in response.handovers if tenant in {"", each.owner, each.taker})
    lines += held_back_lines(each for each in response.held_back if tenant in {"", each.tenant})
    lines += shift_lines(each for each in response.shifts if tenant in {"", each.tenant})
    lines += shadow_lines(each for each in response.shadows if tenant in {"", each.tenant})
    lines += new_default_lines(each for each in response.new_defaults if tenant in {"", each.tenant})
    lines += waiting_lines(each for each in response.waiting_shifts if tenant in {"", each.tenant})
    for line in lines:
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
        doing = f"{phase_name(response.phase)}{_until(response.loading_until)}"
        lines.append(f"generation {response.target_generation} {doing}{detail}")
    if response.failed_generation:
        lines.append(f"generation {response.failed_generation} was withdrawn: {why_failed(response)}")
    if response.pinned_generations:
        lines.append(f"pinned: {', '.join(map(str, sorted(response.pinned_generations)))}")
    return [*lines, *_of_the_store(response)]


def _lanes(response: pb.GetStatusResponse) -> Iterator[str]:
    """Yield a line for each tenant."""
    for lane in response.lanes:
        active = f"generation {lane.active_generation} active" if lane.active_generation else "nothing active"
        parts = [active]
        if lane.target_generation:
            doing = f"{phase_name(lane.phase)}{_until(lane.loading_until)}"
            parts.append(f"generation {lane.target_generation} {doing}")
        if lane.detail:
            parts.append(lane.detail)
        if lane.failed_generation:
            parts.append(f"generation {lane.failed_generation} was withdrawn: {lane.failure}")
        yield f"{lane.tenant}: {'; '.join(parts)}"


def _until(seconds: float) -> str:
    """Return until when a generation may load; the day too, where it isn't today."""
    if not seconds:
        return ""
    until, today = datetime.fromtimestamp(seconds, UTC), datetime.now(UTC).date()
    day = "" if until.date() == today else f"{until:%Y-%m-%d} "
    return f" until {day}{until:%H:%M:%S} UTC"


def _of_the_store(response: pb.GetStatusResponse) -> list[str]:
    lines = []
    if response.store_problem:
        lines.append(f"nothing can be changed, for want of the store: {response.store_problem}")
    if response.store_warning:
        lines.append(f"warning: {response.store_warning}")
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
    now = time.time()
    for consumer in sorted(response.consumers, key=lambda consumer: (consumer.kind, consumer.node_id)):
        # Text, not markup: what others wrote may look like it.
        table.add_row(
            *(
                Text(printable(each))
                for each in (consumer.kind, consumer.node_id[:MAX_NAME], state_of(consumer, now))
            )
        )
    return table
