"""Asks for the figures of a shift, once or again and again."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Mapping

import click
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from controlplane.cli.control_plane import CALL_SECONDS, Addresses, call_on
from controlplane.cli.documents import document_of
from controlplane.cli.figures import COLUMNS, counts_of, lines, plots, since
from controlplane.cli.output import print_json
from controlplane.lifecycle.figures import Counts
from controlplane.lifecycle.state import clock
from lightbulb.v1 import telemetry_pb2 as pb
from lightbulb.v1.telemetry_pb2_grpc import TelemetryServiceStub

KEPT = 60
"""Intervals that a plot shows."""

LEAST_SECONDS = 0.2

NOTHING_YET = (
    "nothing was counted yet; calls are, by the header x-lightbulb-arm that the client library sends, "
    "and `lightbulb infer` doesn't"
)


def ask(control_planes: Addresses, objective: str) -> pb.GetFiguresResponse:
    """Return the figures of an objective's shift. Raises CallFailed."""
    request = pb.GetFiguresRequest(objective=objective)
    answer: pb.GetFiguresResponse = call_on(
        control_planes,
        lambda channel: TelemetryServiceStub(channel).GetFigures(request, timeout=CALL_SECONDS),
    )
    return answer


def show(control_planes: Addresses, objective: str, *, as_json: bool) -> None:
    """Print what was counted since the shift began. Raises CallFailed."""
    answer = ask(control_planes, objective)
    if as_json:
        print_json(document_of(answer))
        return
    counts = counts_of(answer)
    click.echo(_head(answer, objective))
    Console(highlight=False).print(_table(counts))
    if not any(each.requests for each in counts.values()):
        click.echo(NOTHING_YET)


def watch(control_planes: Addresses, objective: str, *, as_json: bool) -> None:
    """Print what each interval brings, until Ctrl-C. Raises CallFailed."""
    told = _intervals(control_planes, objective)
    if as_json:
        for answer, _, _ in told:
            print_json(document_of(answer))
        return
    console, history = Console(highlight=False), deque[Mapping[str, Counts]](maxlen=KEPT)
    if not console.is_terminal:
        for _, counts, seconds in told:
            for each in lines(counts, seconds):
                click.echo("  ".join((clock(time.time()), *each.cells)))
        return
    with Live(console=console, auto_refresh=False) as live:
        for answer, counts, seconds in told:
            history.append(counts)
            head = Text(_head(answer, objective))
            live.update(Group(head, _table(counts, seconds), *_plots(history)), refresh=True)


def _intervals(
    control_planes: Addresses, objective: str
) -> Iterator[tuple[pb.GetFiguresResponse, Mapping[str, Counts], float]]:
    """Yield an answer, what was counted since the one before, and in how many seconds."""
    before, at = ask(control_planes, objective), time.monotonic()
    while True:
        time.sleep(max(LEAST_SECONDS, before.interval.ToTimedelta().total_seconds()))
        answer, now = ask(control_planes, objective), time.monotonic()
        if answer.shift == before.shift:
            yield answer, since(counts_of(before), counts_of(answer)), now - at
        before, at = answer, now


def _head(answer: pb.GetFiguresResponse, objective: str) -> str:
    what = f"shift {answer.shift}" if len(answer.arms) > 1 else "new default"
    sidecars = "1 sidecar tells" if answer.reporting == 1 else f"{answer.reporting:,} sidecars tell"
    seconds = answer.interval.ToTimedelta().total_seconds()
    return f"{what} of {objective}, as {sidecars} it every {seconds:g} s"


def _table(counts: Mapping[str, Counts], seconds: float = 0.0) -> Table:
    table = Table(*COLUMNS, box=None, pad_edge=False)
    for each in lines(counts, seconds):
        table.add_row(*each.cells)
    return table


def _plots(history: deque[Mapping[str, Counts]]) -> Iterator[Text]:
    for name, arms in plots(history).items():
        for arm, bars, most in arms:
            yield Text(f"{name:>6} {arm:<9} {bars}  (a whole bar: {most})")
