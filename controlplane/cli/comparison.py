"""A comparison as the terminal and programs are told of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from controlplane.cli.problems import printable
from controlplane.comparison.bootstrap import Interval
from controlplane.comparison.report import Line, Report, Reports, Worst
from controlplane.comparison.verdict import Word
from controlplane.comparison.words import (
    COMPARED,
    became,
    columns,
    headline,
    interval,
    intervals,
    items,
    missing,
    period,
    remarks,
)
from lightbulb.comparison.record import Record

SHOWN = 3
"""Of the pairs that agree least."""

_COLOURS = {Word.AGREES: "green", Word.DIFFERS: "red", Word.TOO_FEW: "yellow"}


def shown(reports: Reports) -> Group:
    """Return reports for a terminal."""
    parts: list[RenderableType] = []
    for report in reports.each:
        parts += _report(report)
    return Group(*parts, *(Text(printable(each)) for each in remarks(reports)))


def _report(report: Report) -> list[RenderableType]:
    verdict = report.verdict
    floor = f", noise floor {report.floor}" if report.floor else ""
    facts = f"shadow {report.shadow}{floor}: {report.counted.pairs:,} pairs of {report.users:,} users"
    said = Text.assemble((verdict.word.value, f"bold {_COLOURS[verdict.word]}"), f": {verdict.why}")
    parts: list[RenderableType] = [
        Text(printable(headline(report)), "bold"),
        Text(printable(f"{facts}, {period(report)}")),
        said,
    ]
    if verdict.missing:
        parts.append(Text(missing(report)))
    parts.append(Text(f"compared as {COMPARED[report.kind]}"))
    if report.lines:
        parts += [Text(), _figures(report)]
    parts += [Text(), _counted(report)]
    if report.worst:
        parts += [Text(), Text("the pairs that agree least", "bold"), *map(_worst, report.worst[:SHOWN])]
    return [*parts, Text()]


def _figures(report: Report) -> Table:
    table = Table(*columns(report), box=None, pad_edge=False)
    for line in report.lines:
        cells = (interval(each, line.unit) if each else "" for each in intervals(report, line))
        table.add_row(line.name, *cells, f"{line.pairs:,}")
    return table


def _counted(report: Report) -> Table:
    table = Table("requests", "", box=None, pad_edge=False)
    for text, count in became(report.counted):
        if count:
            table.add_row(text, f"{count:,}")
    return table


def _worst(worst: Worst) -> Text:
    pair = worst.pair
    head = printable(f"{worst.agreement:.3f}  request {pair.primary.request}")
    return Text(f"{head}\n  primary {_answered(pair.primary)}\n  shadow  {_answered(pair.shadow)}")


def _answered(record: Record) -> str:
    """Return what a side answered, in short, on one line."""
    return printable(" ".join(items(record)))


def document(reports: Reports) -> Mapping[str, Any]:
    """Return reports as JSON says them."""
    return {
        "shadows": [_document(report) for report in reports.each],
        "dropped": reports.dropped,
        "unreadable": reports.unreadable,
    }


def _document(report: Report) -> Mapping[str, Any]:
    return {
        "shadow": report.shadow,
        "objective": report.objective,
        "primary": report.primary,
        "candidate": report.candidate,
        "noise_floor": report.floor,
        "compared_as": report.kind.value,
        "since": report.since,
        "until": report.until,
        "users": report.users,
        "requests": asdict(report.counted),
        "verdict": report.verdict.word.value,
        "why": report.verdict.why,
        "pairs_missing": report.verdict.missing,
        "figures": [_figure(line) for line in report.lines],
        "worst": [_pair(each) for each in report.worst],
    }


def _figure(line: Line) -> Mapping[str, Any]:
    return {
        "name": line.name,
        "unit": line.unit.value,
        "pairs": line.pairs,
        **asdict(line.candidate),
        "noise_floor": _some(line.floor),
        "difference": _some(line.difference),
    }


def _some(each: Interval | None) -> list[Mapping[str, Any]]:
    return [] if each is None else [asdict(each)]


def _pair(worst: Worst) -> Mapping[str, Any]:
    pair = worst.pair
    return {
        "agreement": worst.agreement,
        "request": pair.primary.request,
        "user": pair.primary.user,
        "primary": _answered(pair.primary),
        "shadow": _answered(pair.shadow),
    }
