"""`lightbulb rollback`, `history`, `diff`, `pin` and `events`."""

from __future__ import annotations

import getpass
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from controlplane.cli.commands.publish import MIN_WIDTH, see_it_active
from controlplane.cli.consumers import lightbulbs
from controlplane.cli.control_plane import CALL_SECONDS, Addresses, call, failures_told, request_id
from controlplane.cli.everywhere import not_everywhere, when_at_lightbulbs
from controlplane.cli.options import control_planes_option
from controlplane.cli.problems import printable
from lightbulb.v1 import control_plane_pb2 as pb

EVERYWHERE_SECONDS = 5.0
"""How long a rollback looks for acknowledgements; one takes milliseconds."""

LIMIT = click.IntRange(1, 1000)


@click.command(short_help="Make a loaded generation active again, at once.")
@click.argument("generation", type=click.IntRange(1), required=False)
@control_planes_option
@click.option("-m", "--message", default="", help="Why.")
@click.option("--reload", is_flag=True, help="Load it, if it isn't loaded; as slow as a publish.")
def rollback(*, generation: int | None, control_planes: Addresses, message: str, reload: bool) -> None:
    """Make GENERATION active again; without it, undo the newest publish.

    One that is on its way is withdrawn then; else what was active before it is active again.

    At once: generations are kept loaded for this. `lightbulb status` says which. Exits 0 once every
    Lightbulb answers from it, and 1, naming the others, when that isn't so after 5 s.
    """
    request = pb.RollbackRequest(
        generation=generation or 0,
        author=getpass.getuser(),
        message=message,
        reload=reload,
        request_id=request_id(),
    )
    began = time.monotonic()
    with failures_told():
        response = call(control_planes, lambda stub: stub.Rollback(request, timeout=CALL_SECONDS))
        if response.on_its_way:
            click.echo(f"generation {generation} is loaded, as generation {response.generation}")
            see_it_active(control_planes, response, 180.0)
            return
        status = when_at_lightbulbs(control_planes, response, EVERYWHERE_SECONDS)
    problem = not_everywhere(status, response.generation)
    if problem:
        click.echo(f"warning: {problem}", err=True)
        sys.exit(1)
    active = f"generation {response.generation} {'was active already' if response.unchanged else 'is active'}"
    if not lightbulbs(status):
        click.echo(f"{active}; no Lightbulb is connected")
    elif response.unchanged:
        click.echo(f"{active}, at every Lightbulb")
    else:
        click.echo(f"{active} at every Lightbulb, after {time.monotonic() - began:.2f} s")


@click.command()
@control_planes_option
@click.option("-n", "--limit", type=LIMIT, default=20, show_default=True, help="At most so many.")
def history(control_planes: Addresses, limit: int) -> None:
    """List the published generations, the newest first."""
    request = pb.GetHistoryRequest(limit=limit)
    with failures_told():
        response = call(control_planes, lambda stub: stub.GetHistory(request, timeout=CALL_SECONDS))
    rows = [
        (
            str(each.generation),
            each.state,
            _when(each.published_at),
            each.author,
            each.source_revision,
            each.message,
        )
        for each in response.entries
    ]
    _print_table(("generation", "state", "published", "by", "revision", "message"), rows)


@click.command()
@click.argument("one", type=click.IntRange(1), metavar="FROM")
@click.argument("other", type=click.IntRange(1), metavar="TO")
@control_planes_option
def diff(one: int, other: int, control_planes: Addresses) -> None:
    """Show what differs between generations FROM and TO.

    Exit code 0, also when something does.
    """
    request = pb.DiffRequest(to=other)
    setattr(request, "from", one)
    with failures_told():
        response = call(control_planes, lambda stub: stub.Diff(request, timeout=CALL_SECONDS))
    console = Console(highlight=False, soft_wrap=True)
    if not response.differences:
        console.print(f"generations {one} and {other} are the same")
    for each in response.differences:
        console.print(Text(printable(f"{each.kind} {each.name}"), style="bold"))
        for sign, style, lines in (("-", "red", each.removed), ("+", "green", each.added)):
            for line in lines:
                console.print(Text(f"  {sign} {printable(line)}", style=style))


@click.command(short_help="Keep a generation loaded, whatever is published.")
@click.argument("generation", type=click.IntRange(1))
@control_planes_option
@click.option("--release", is_flag=True, help="Let it go instead.")
def pin(*, generation: int, control_planes: Addresses, release: bool) -> None:
    """Keep GENERATION loaded for a rollback, whatever is published."""
    request = pb.PinRequest(
        generation=generation, release=release, author=getpass.getuser(), request_id=request_id()
    )
    with failures_told():
        response = call(control_planes, lambda stub: stub.Pin(request, timeout=CALL_SECONDS))
    click.echo(f"pinned: {', '.join(map(str, response.pinned)) or 'none'}")


@click.command()
@control_planes_option
@click.option("-n", "--limit", type=LIMIT, default=20, show_default=True, help="At most so many.")
def events(control_planes: Addresses, limit: int) -> None:
    """List who did what, and what the system did."""
    request = pb.GetEventsRequest(limit=limit)
    with failures_told():
        response = call(control_planes, lambda stub: stub.GetEvents(request, timeout=CALL_SECONDS))
    rows = [
        (_when(each.at), str(each.generation or ""), each.action, each.author or "-", each.detail)
        for each in response.events
    ]
    _print_table(("when", "generation", "what", "by", "detail"), rows)


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _print_table(columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column)
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    Console(width=max(Console().width, MIN_WIDTH), highlight=False).print(table)
