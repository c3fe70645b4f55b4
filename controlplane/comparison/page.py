"""A report as one page of HTML, which needs nothing else: neither script, font nor picture. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape

from controlplane.comparison import drawing
from controlplane.comparison.bootstrap import Interval
from controlplane.comparison.figures import Unit
from controlplane.comparison.report import Line, Report, Reports, Worst
from controlplane.comparison.verdict import Word
from controlplane.comparison.words import (
    COMPARED,
    became,
    columns,
    headline,
    intervals,
    items,
    missing,
    number,
    period,
    remarks,
)

_STYLE = """
:root{color-scheme:light dark;--page:#f6f7f9;--card:#fff;--ink:#1c2430;--soft:#5b6675;--line:#dfe3e9;
--one:#7a8797;--other:#1f6fd6;--agrees:#1d7f4e;--differs:#b3372c;--few:#8a6100}
@media(prefers-color-scheme:dark){:root{--page:#12161c;--card:#1a2029;--ink:#e6eaf0;--soft:#9aa6b5;
--line:#2d3642;--one:#8f9cac;--other:#5aa2ff;--agrees:#4cc38a;--differs:#ff7d70;--few:#e0b040}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
main{max-width:1080px;margin:0 auto;padding:24px 16px 48px}
h1{font-size:1.45rem;line-height:1.25;margin:0 0 4px;overflow-wrap:anywhere}
h2{font-size:1.02rem;margin:0 0 8px}
@media(max-width:480px){h1{font-size:1.15rem}svg text{font-size:13px!important}}
p{margin:0 0 8px}.soft{color:var(--soft)}
.card{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:16px;margin:0 0 16px}
.verdict{border-left:6px solid var(--mark)}.verdict b{color:var(--mark);font-size:1.3rem}
.grid{display:grid;gap:16px;margin:0 0 16px}
.grid{grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr))}
.grid .card{margin:0}
.key span{margin-right:14px;white-space:nowrap}
.key i{display:inline-block;width:11px;height:11px;border-radius:50%;margin-right:5px}
svg{width:100%;max-width:560px;height:auto;display:block;margin:auto}
svg text{fill:var(--ink);font-size:11.5px}svg line,svg polyline{fill:none;stroke-width:2}
svg .grid{stroke:var(--line);stroke-width:1}svg .right{stroke:var(--soft);stroke-dasharray:4 4;stroke-width:1}
svg .one{stroke:var(--one)}svg .other{stroke:var(--other)}
svg .one.fill{fill:var(--one);stroke:none}svg .other.fill{fill:var(--other);stroke:none}
svg rect.other.fill{fill-opacity:.75}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:5px 12px 5px 0;border-bottom:1px solid var(--line);vertical-align:top}
th{font-weight:600;color:var(--soft);font-size:.85rem}td.n,th.n{text-align:right}
tr:last-child td{border-bottom:0}
.pair{border-top:1px solid var(--line);padding:10px 0}.pair:first-of-type{border-top:0}
.items{display:flex;flex-wrap:wrap;gap:4px;margin:2px 0}
.items span{border:1px solid var(--line);border-radius:5px;padding:0 6px;overflow-wrap:anywhere}
.items{font-size:.85rem}.items b{font-weight:400;color:var(--soft);min-width:4.2em}
td small{display:block;color:var(--soft);white-space:nowrap}
.items .only{border-color:var(--other);color:var(--other)}
code{overflow-wrap:anywhere;font-size:.85rem}
"""

_MARKS = {Word.AGREES: "agrees", Word.DIFFERS: "differs", Word.TOO_FEW: "few"}


def make_page(reports: Reports) -> str:
    """Return the page."""
    title = headline(reports.each[0]) if len(reports.each) == 1 else "Shadows compared"
    parts = [part for report in reports.each for part in _report(report)]
    notes = "".join(f"<p>{escape(each)}</p>" for each in remarks(reports))
    if notes:
        parts.append(_card("About the records", notes))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><main>"
        f"{''.join(parts)}</main></body></html>\n"
    )


def _report(report: Report) -> Iterator[str]:
    yield _head(report)
    became_card = _card("What became of the requests", _became(report))
    if not report.counted.pairs:
        yield became_card
        return
    yield f'<div class="grid">{"".join((*_pictures(report), became_card))}</div>'
    yield _card("Figures", _figures(report))
    if report.worst:
        yield _card("The pairs that agree least", "".join(_worst(report)))


def _head(report: Report) -> str:
    verdict = report.verdict
    more = f'<p class="soft">{escape(missing(report))}</p>' if verdict.missing else ""
    floor = f" · noise floor: shadow {report.floor}" if report.floor else ""
    facts = f"{report.counted.pairs:,} pairs of {report.users:,} users · {period(report)}"
    return (
        f'<section class="card verdict" style="--mark:var(--{_MARKS[verdict.word]})">'
        f"<h1>{escape(headline(report))}</h1>"
        f'<p class="soft">shadow {escape(report.shadow + floor)} · {escape(facts)}</p>'
        f"<p><b>{escape(verdict.word.value.capitalize())}</b></p><p>{escape(_sentence(verdict.why))}</p>{more}"
        f'<p class="soft">{escape(_sentence("compared as " + COMPARED[report.kind]))}</p></section>'
    )


def _pictures(report: Report) -> Iterator[str]:
    under = report.floor != ""
    told = [line for line in report.lines if _is_agreement(line)]
    if told:
        key = _key(("one", "noise floor"), ("other", "shadow")) if under else _key(("other", "shadow"))
        yield _card("How far they agree", f"{drawing.forest(told)}{key}")
    key = _key(("one", "noise floor"), ("other", "shadow")) if under else ""
    picture = drawing.bars(report.plots.agreement, "agreement of a pair")
    yield _card("Pairs by their agreement", picture + key)
    key = _key(("one", "primary"), ("other", "shadow"))
    yield _card("Latency", drawing.curves(report.plots.latency, "milliseconds, at most") + key)
    if report.plots.curve:
        sides = [("other", report.plots.curve)]
        picture = drawing.calibration(sides, "primary's score", "shadow's mean score")
        yield _card("Scores against scores", picture)
    if any(report.plots.calibration):
        sides = list(zip(("one", "other"), report.plots.calibration, strict=True))
        yield _card("Scores against outcomes", drawing.calibration(sides, "score", "mean outcome") + key)


def _is_agreement(line: Line) -> bool:
    return line.unit in {Unit.SHARE, Unit.CORRELATION} and not line.name.startswith(_NO_AGREEMENT)


_NO_AGREEMENT = ("errors", "Brier", "calibration", "other length")


def _figures(report: Report) -> str:
    rows = []
    for line in report.lines:
        cells = [_interval(each, line.unit) if each else "" for each in intervals(report, line)]
        rows.append([escape(line.name), *cells, f"{line.pairs:,}"])
    note = '<p class="soft">Below a figure, where it lies with 95 %: by bootstrap over users.</p>'
    return _table(columns(report), rows) + note


def _became(report: Report) -> str:
    rows = [[escape(text), f"{count:,}"] for text, count in became(report.counted) if count]
    return _table(("", "requests"), rows)


def _worst(report: Report) -> Iterator[str]:
    for each in report.worst:
        yield f'<div class="pair">{_one_of_the_worst(each)}</div>'


def _one_of_the_worst(worst: Worst) -> str:
    pair = worst.pair
    user = f" · user {pair.primary.user}" if pair.primary.user else ""
    sides = {"primary": items(pair.primary), "shadow": items(pair.shadow)}
    both = frozenset(sides["primary"]) & frozenset(sides["shadow"])
    shown = "".join(
        f'<div class="items"><b>{escape(name)}</b>{_spans(each, both)}</div>' for name, each in sides.items()
    )
    head = f"agreement {worst.agreement:.3f} · request {pair.primary.request}{user}"
    return f"<code>{escape(head)}</code>{shown}"


def _spans(each: Iterable[str], both: frozenset[str]) -> str:
    return "".join(f"<span{'' if item in both else ' class=only'}>{escape(item)}</span>" for item in each)


def _key(*sides: tuple[str, str]) -> str:
    parts = (f'<span><i style="background:var(--{side})"></i>{escape(name)}</span>' for side, name in sides)
    return f'<p class="key soft">{"".join(parts)}</p>'


def _card(title: str, inside: str) -> str:
    return f'<section class="card"><h2>{escape(title)}</h2>{inside}</section>'


def _interval(each: Interval, unit: Unit) -> str:
    ends = f"{number(each.low, unit)} to {number(each.high, unit)}"
    return f"{escape(number(each.value, unit))}<small>{escape(ends)}</small>"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table; cells are HTML."""

    def row(tag: str, cells: Sequence[str]) -> str:
        last = len(cells) - 1
        return "".join(
            f"<{tag}{' class=n' if at == last else ''}>{cell}</{tag}>" for at, cell in enumerate(cells)
        )

    body = "".join(f"<tr>{row('td', cells)}</tr>" for cells in rows)
    return f'<div class="wide"><table><tr>{row("th", head)}</tr>{body}</table></div>'


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."
