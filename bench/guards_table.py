"""What the benchmark of guards has found, as the page about guards shows it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import mean

from bench.parts.guards import ALPHA
from bench.parts.shift_figures import EQUALS, WORSE
from bench.result import Comparison, Report


def markdown(report: Report) -> str:
    """Return a table of false alarms, and one of the seconds until a true one: a column a judge."""
    found = {(each.metric, each.contestant): each for each in report.comparisons}
    judges = list(dict.fromkeys(each.contestant for each in report.comparisons))
    return "\n".join([*_false_alarms(found, judges), "", *_delays(found, judges)])


Found = dict[tuple[str, str], Comparison]


def _false_alarms(found: Found, judges: list[str]) -> Iterator[str]:
    yield from _head(f"false alarms; {ALPHA:.0%} are allowed", judges)
    for scenario in EQUALS:
        shares = [mean(found[scenario, judge].ratios) * ALPHA for judge in judges]
        cells = [f"**{share:.1%}**" if share > ALPHA else f"{share:.1%}" for share in shares]
        yield f"| {scenario} | {' | '.join(cells)} |"


def _delays(found: Found, judges: list[str]) -> Iterator[str]:
    yield from _head("seconds until an alarm: median · 90 %", judges)
    for scenario, worse in WORSE.items():
        cells = [
            " · ".join(
                _seconds(found[f"{scenario}: {what}", judge].cost, worse.seconds)
                for what in ("median", "90 %")
            )
            for judge in judges
        ]
        yield f"| {scenario} | {' | '.join(cells)} |"


def _seconds(seconds: float, most: int) -> str:
    return f"over {most}" if seconds >= most else f"{seconds:.0f}"


def _head(title: str, judges: list[str]) -> Iterator[str]:
    yield f"| {title} | {' | '.join(judges)} |"
    yield f"| --- |{' ---: |' * len(judges)}"
