"""Rolls back and pins, and shows the history, differences and the audit trail."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from controlplane.cli.actions.publish import MIN_WIDTH, see_it_active
from controlplane.cli.consumers import lightbulbs
from controlplane.cli.control_plane import CALL_SECONDS, Addresses, call, request_id, user_name
from controlplane.cli.documents import document_of
from controlplane.cli.everywhere import not_everywhere, when_at_lightbulbs
from controlplane.cli.output import print_json
from controlplane.cli.problems import printable
from controlplane.cli.shares import moved_users
from lightbulb.v1 import control_plane_pb2 as pb

EVERYWHERE_SECONDS = 5.0
"""How long a rollback looks for acknowledgements; one takes milliseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A rollback as it was typed; `generation` 0: undo the newest; `expect` 0: whichever that is.

    An empty `tenant` is the default one.
    """

    generation: int
    tenant: str
    message: str
    author: str
    reload: bool
    expect: int
    objective: str = ""


def preview(control_planes: Addresses, wanted: Wanted) -> None:
    """Print what a rollback would do. Raises CallFailed."""
    response = _previewed(control_planes, wanted)
    if wanted.objective:
        click.echo(f"{wanted.objective} would be answered from generation {response.answered_from}")
    elif response.unchanged:
        click.echo(f"generation {response.generation} is active already: nothing would change")
    elif response.on_its_way:
        click.echo(
            f"the content of generation {wanted.generation} would be loaded, as generation "
            f"{response.generation}, in place of {response.left}"
        )
    else:
        click.echo(f"generation {response.generation} would be active, in place of {response.left}")


def rollback(control_planes: Addresses, wanted: Wanted) -> None:
    """Make a generation active again, and say which it left, and where it is. Raises CallFailed."""
    seen = _previewed(control_planes, wanted)
    request = _request(wanted)
    # What was said is what is done: should somebody else be first, this is refused.
    request.expected_newest = wanted.expect or seen.left
    request.request_id = request_id()
    began = time.monotonic()
    response = call(control_planes, lambda stub: stub.Rollback(request, timeout=CALL_SECONDS))
    if response.on_its_way:
        click.echo(f"generation {wanted.generation} is loaded, as generation {response.generation}")
        see_it_active(control_planes, response, 180.0, tenant=wanted.tenant)
        return
    status = when_at_lightbulbs(control_planes, response, EVERYWHERE_SECONDS, wanted.tenant)
    problem = not_everywhere(status, response.generation)
    if problem:
        click.echo(f"warning: {problem}", err=True)
        sys.exit(1)
    if wanted.objective:
        everywhere = (
            f" at every Lightbulb, after {time.monotonic() - began:.2f} s" if lightbulbs(status) else ""
        )
        click.echo(f"{wanted.objective} is answered from generation {response.answered_from}{everywhere}")
        return
    active = f"generation {response.generation} {'was active already' if response.unchanged else 'is active'}"
    left = f", in place of {response.left}" if response.left else ""
    if not lightbulbs(status):
        click.echo(f"{active}{left}; no Lightbulb is connected")
    elif response.unchanged:
        click.echo(f"{active}, at every Lightbulb")
    else:
        click.echo(f"{active} at every Lightbulb, after {time.monotonic() - began:.2f} s{left}")


def _previewed(control_planes: Addresses, wanted: Wanted) -> pb.RollbackResponse:
    request = _request(wanted)
    request.dry_run = True
    response: pb.RollbackResponse = call(
        control_planes, lambda stub: stub.Rollback(request, timeout=CALL_SECONDS)
    )
    return response


def _request(wanted: Wanted) -> pb.RollbackRequest:
    return pb.RollbackRequest(
        generation=wanted.generation,
        tenant=wanted.tenant,
        author=wanted.author or user_name(),
        message=wanted.message,
        reload=wanted.reload,
        expected_newest=wanted.expect,
        objective=wanted.objective,
    )


def history(control_planes: Addresses, tenant: str, limit: int, *, as_json: bool) -> None:
    """Print the published generations, the newest first. Raises CallFailed."""
    request = pb.GetHistoryRequest(limit=limit, tenant=tenant)
    response = call(control_planes, lambda stub: stub.GetHistory(request, timeout=CALL_SECONDS))
    if as_json:
        print_json(document_of(response))
        return
    several = len({each.tenant for each in response.entries}) > 1
    rows = [
        (
            str(each.generation),
            *_tenants(several, each.tenant),
            _state(each),
            _when(each.published_at),
            each.author,
            each.source_revision,
            each.message,
        )
        for each in response.entries
    ]
    _print_table(
        ("generation", *_tenants(several, "tenant"), "state", "published", "by", "revision", "message"), rows
    )


def diff(control_planes: Addresses, one: int, other: int, *, as_json: bool) -> None:
    """Print what differs between two generations. Raises CallFailed."""
    request = pb.DiffRequest(to=other)
    setattr(request, "from", one)
    response = call(control_planes, lambda stub: stub.Diff(request, timeout=CALL_SECONDS))
    if as_json:
        print_json(document_of(response))
        return
    console = Console(highlight=False, soft_wrap=True)
    if not response.differences:
        console.print(f"generations {one} and {other} are the same")
    for each in response.differences:
        console.print(Text(printable(f"{each.kind} {each.name}"), style="bold"))
        for sign, style, lines in (("-", "red", each.removed), ("+", "green", each.added)):
            for line in lines:
                console.print(Text(f"  {sign} {printable(line)}", style=style))
        for move in each.moves:
            console.print(Text(f"  > {printable(moved_users(move))}", style="yellow"))
        if each.operator:
            console.print(Text(f"  operator: {printable(each.operator)}", style="cyan"))


def pin(control_planes: Addresses, generation: int, *, tenant: str, author: str, release: bool) -> None:
    """Keep a generation loaded, or let it go, and print which are kept. Raises CallFailed."""
    request = pb.PinRequest(
        generation=generation,
        tenant=tenant,
        release=release,
        author=author or user_name(),
        request_id=request_id(),
    )
    response = call(control_planes, lambda stub: stub.Pin(request, timeout=CALL_SECONDS))
    click.echo(f"pinned: {', '.join(map(str, response.pinned)) or 'none'}")


def events(control_planes: Addresses, tenant: str, limit: int, *, as_json: bool) -> None:
    """Print who did what, and what the system did. Raises CallFailed."""
    request = pb.GetEventsRequest(limit=limit, tenant=tenant)
    response = call(control_planes, lambda stub: stub.GetEvents(request, timeout=CALL_SECONDS))
    if as_json:
        print_json(document_of(response))
        return
    several = len({each.tenant for each in response.events}) > 1
    rows = [
        (
            _when(each.at),
            str(each.generation or ""),
            *_tenants(several, each.tenant),
            each.action,
            each.author or "-",
            each.detail,
        )
        for each in response.events
    ]
    columns = ("when", "generation", *_tenants(several, "tenant"), "what", "by", "detail")
    _print_table(columns, rows)


def _tenants(several: bool, cell: str) -> tuple[str, ...]:  # noqa: FBT001 - one use, in a row
    """Return a cell of the tenants' column, which is only there where there are several."""
    return (cell,) if several else ()


def _state(entry: pb.HistoryEntry) -> str:
    return ", ".join(part for part in (entry.state, "rolled back" if entry.rolled_back else "") if part)


def _when(seconds: float) -> str:
    """Return a moment in this machine's time zone, which it names."""
    return datetime.fromtimestamp(seconds, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")


def _print_table(columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column)
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    Console(width=max(Console().width, MIN_WIDTH), highlight=False).print(table)
