"""Results for people: a table on the terminal, and Markdown. Pure but for rich's own types."""

from __future__ import annotations

from collections.abc import Iterator

from rich.table import Table

from bench.result import Comparison, Report, Results, Verdict

BEGIN, END = "<!-- figures -->", "<!-- /figures -->"
COLORS = {Verdict.MET: "green", Verdict.MISSED: "red", Verdict.UNCLEAR: "yellow", Verdict.NONE: "dim"}
SCALES = {
    "s": ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")),
    "B": ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"), (1, "B")),
    "": ((1, ""),),
}


def ratio_text(ratio: float) -> str:
    """Return a ratio to two or three figures; nothing of something is 0."""
    if ratio == 0:
        return "0"
    return f"{ratio:.2f}" if ratio >= 0.1 else f"{ratio:#.2g}"


def cost_text(cost: float, unit: str) -> str:
    """Return a cost in the largest unit that it is at least one of."""
    size, name = next((scale for scale in SCALES[unit] if cost >= scale[0]), SCALES[unit][-1])
    return f"{cost / size:,.3g} {name}" if name else f"{cost:,.0f}"


def _cells(each: Comparison) -> tuple[str, ...]:
    first, third = each.quartiles
    costs = f"{cost_text(each.cost, each.unit)} / {cost_text(each.baseline_cost, each.unit)}"
    goal = "" if each.goal is None else f"≤ {each.goal:g}"
    spread = f"{ratio_text(first)} to {ratio_text(third)}"
    return (
        each.contestant,
        each.baseline,
        each.metric,
        ratio_text(each.ratio),
        spread,
        goal,
        each.verdict.value,
        costs,
    )


COLUMNS = (
    "contestant",
    "against",
    "of",
    "ratio",
    "half of the rounds",
    "goal",
    "",
    "context: costs in this run",
)


def table(report: Report) -> Table:
    """Return a benchmark's table for the terminal."""
    shown = Table(title=report.title, title_justify="left", title_style="bold", expand=False)
    for column in COLUMNS:
        shown.add_column(column, justify="right" if column in {"ratio", "goal"} else "left")
    for each in report.comparisons:
        *cells, verdict, costs = _cells(each)
        shown.add_row(*cells, f"[{COLORS[each.verdict]}]{verdict}[/]", costs)
    return shown


def markdown(results: Results, plots: str) -> str:
    """Return everything as Markdown; `plots` is the folder of the plots, as the document names it."""
    return "\n".join(
        [*_machine(results), *(line for report in results.reports for line in _section(report, plots))]
    )


def _machine(results: Results) -> Iterator[str]:
    named = ", ".join(f"{name} {value}" for name, value in results.machine.items())
    yield f"Measured on: {named}.{' A quick run: expect noise.' if results.quick else ''}"
    yield ""


def _section(report: Report, plots: str) -> Iterator[str]:
    yield f"### {report.name}"
    yield ""
    yield f"{report.title}."
    yield ""
    yield f"| {' | '.join(COLUMNS)} |"
    yield "| --- | --- | --- | ---: | --- | --- | --- | --- |"
    for each in report.comparisons:
        yield f"| {' | '.join(_cells(each))} |"
    yield ""
    yield f"![{report.title}]({plots}/{report.name}.png)"
    yield ""


def quote(document: str, figures: str) -> str:
    """Return the document with what stands between its markers replaced; raise ValueError without them."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the document lacks {BEGIN} or {END}")
    return f"{before}{BEGIN}\n{figures.rstrip()}\n{END}{after}"
