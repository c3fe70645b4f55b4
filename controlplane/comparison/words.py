"""Reports in words and numbers, as the terminal and the page show them. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime

from controlplane.comparison.bootstrap import Interval
from controlplane.comparison.figures import Unit
from controlplane.comparison.pairs import Kind
from controlplane.comparison.report import Counted, Line, Report, Reports
from lightbulb.comparison.answers import RankingAnswer, ScoreAnswer
from lightbulb.comparison.record import Record

MOST_ITEMS = 10

COMPARED = {
    Kind.RANKING: "rankings: agreement is rank-biased overlap (p = 0.9)",
    Kind.SCORE: "scores: agreement is the share within the declared tolerance",
    Kind.BYTES: (
        "bytes, since the models don't declare what their answers mean (`comparable`): agreement is the "
        "share of answers that are the same"
    ),
    Kind.MIXED: "answers of different kinds, which agree in nothing",
    Kind.NOTHING: "nothing: there is no pair of answers",
}


def headline(report: Report) -> str:
    """Return what was compared with what."""
    return f"{report.objective or '?'}: {report.candidate or '?'} against {report.primary or '?'}"


def missing(report: Report) -> str:
    """Return what the verdict still wants."""
    more = report.verdict.missing
    return f"about {more:,} more pairs would tell" if more else ""


def period(report: Report) -> str:
    """Return of when the pairs are."""
    return f"{_day(report.since)} to {_day(report.until)}" if report.counted.pairs else "never"


def _day(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"


def became(counted: Counted) -> Iterator[tuple[str, int]]:
    """Yield what became of the requests."""
    yield "sent (the primary recorded them)", counted.sent
    yield "arrived (the shadow recorded them)", counted.arrived
    yield "pairs", counted.pairs
    yield "without the shadow's side (shed, late or lost)", counted.alone_primary
    yield "without the primary's side (given up, or dropped)", counted.alone_shadow
    yield "nothing to compare (the primary failed)", counted.nothing
    yield "repeated, left out", counted.repeated
    yield "tests and replays, left out", counted.not_live


def remarks(reports: Reports) -> Iterator[str]:
    """Yield what else is to be known of the records."""
    if reports.dropped:
        yield f"hosts dropped {reports.dropped:,} records, since a queue or a disk was full: those pairs lack"
    if reports.unreadable:
        yield f"{reports.unreadable:,} lines couldn't be read, for example {reports.faults[0]}"


def columns(report: Report) -> tuple[str, ...]:
    """Return what a table of figures has in its columns."""
    return ("figure", "shadow", *(("noise floor", "difference") if report.floor else ()), "pairs")


def intervals(report: Report, line: Line) -> tuple[Interval | None, ...]:
    """Return those of a line, as the columns have them."""
    return (line.candidate, line.floor, line.difference) if report.floor else (line.candidate,)


def interval(each: Interval, unit: Unit) -> str:
    """Return a figure and its interval."""
    return f"{number(each.value, unit)} ({number(each.low, unit)} to {number(each.high, unit)})"


def number(value: float, unit: Unit) -> str:
    """Return a number of a unit."""
    if math.isnan(value):
        return "-"
    match unit:
        case Unit.SHARE | Unit.CORRELATION:
            return f"{value:.4f}"
        case Unit.MILLISECONDS:
            return f"{value:.1f} ms"
        case Unit.SCORE:
            return f"{value:.4g}"


def items(record: Record) -> tuple[str, ...]:
    """Return the parts of what a side answered, the first few; its status if there is no answer."""
    answer = record.answer
    if answer is None:
        return (record.status,)
    if isinstance(answer, RankingAnswer):
        shown, length = tuple(map(str, answer.ids[:MOST_ITEMS])), answer.length
    elif isinstance(answer, ScoreAnswer):
        shown, length = tuple(f"{each:.4g}" for each in answer.scores[:MOST_ITEMS]), answer.length
    else:
        return (answer.excerpt or answer.digest,)
    return shown if length <= len(shown) else (*shown, "…")
