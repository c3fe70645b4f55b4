"""What happened to the demo's requests, by objective and group. Pure, but for rich's Table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median, quantiles

from rich.table import Table
from rich.text import Text

from controlplane.cli.expectation import Expected


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One request: what was expected, how long it took, and what was wrong (empty: nothing)."""

    objective: str
    expected: Expected
    seconds: float
    wrong: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the report; latencies in seconds, `share` of its objective's users."""

    objective: str
    group: str
    model: str
    vip: str
    users: int
    share: float
    median: float
    p99: float
    errors: int


def rows(outcomes: Iterable[Outcome]) -> tuple[Row, ...]:
    """Return a row for every objective, group and model that occurred, sorted."""
    groups: dict[tuple[str, str, str, str], list[Outcome]] = {}
    totals: dict[str, int] = {}
    for outcome in outcomes:
        expected = outcome.expected
        key = (outcome.objective, expected.group, expected.model, expected.vip)
        groups.setdefault(key, []).append(outcome)
        totals[outcome.objective] = totals.get(outcome.objective, 0) + 1
    return tuple(_row(key, members, len(members) / totals[key[0]]) for key, members in sorted(groups.items()))


def _row(key: tuple[str, str, str, str], members: list[Outcome], share: float) -> Row:
    objective, group, model, vip = key
    seconds = [outcome.seconds for outcome in members]
    return Row(
        objective=objective,
        group=group,
        model=model,
        vip=vip,
        users=len(members),
        share=share,
        median=median(seconds),
        p99=quantiles(seconds, n=100, method="inclusive")[98] if len(seconds) > 1 else seconds[0],
        errors=sum(bool(outcome.wrong) for outcome in members),
    )


def render(lines: Iterable[Row]) -> Table:
    """Return the report as a table for a terminal."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("objective", "cell", "model", "VIP"):
        table.add_column(column, no_wrap=True)
    for column in ("users", "share", "median", "p99", "errors"):
        table.add_column(column, justify="right", no_wrap=True)
    for line in lines:
        table.add_row(
            line.objective,
            line.group,
            line.model,
            line.vip,
            str(line.users),
            f"{line.share:.1%}",
            f"{line.median * 1000:.1f} ms",
            f"{line.p99 * 1000:.1f} ms",
            Text(str(line.errors), style="bold red" if line.errors else "green"),
        )
    return table
