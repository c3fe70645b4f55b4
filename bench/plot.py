"""A picture of each benchmark: every round's ratio, their median and quartiles, the baseline and the goal."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl

mpl.use("agg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from bench.result import Comparison, Report, Verdict
from bench.show import ratio_text

COLORS = {
    Verdict.MET: "#1a7f37",
    Verdict.MISSED: "#cf222e",
    Verdict.UNCLEAR: "#bf8700",
    Verdict.NONE: "#57606a",
}
WIDE = 5.0
"""A range of ratios beyond this many times is drawn on a logarithmic axis."""


def save(report: Report, folder: Path) -> Path:
    """Draw a report to NAME.png in `folder`, and return where that is."""
    comparisons = list(reversed(report.comparisons))
    figure, axes = plt.subplots(figsize=(9, 1.3 + 0.36 * len(comparisons)), layout="constrained")
    for row, each in enumerate(comparisons):
        _draw(axes, row, each)
    _label(axes, comparisons)
    figure.suptitle(report.title, fontsize=10, x=0.01, ha="left")
    path = folder / f"{report.name}.png"
    figure.savefig(path, dpi=110)
    plt.close(figure)
    return path


def _draw(axes: Axes, row: int, each: Comparison) -> None:
    """Draw one row; ratios that are all 0, which have no place on a logarithmic axis, are an arrow."""
    color = COLORS[each.verdict]
    first, third = each.quartiles
    if not any(each.ratios):
        axes.plot([0], [row], "<", color=color, transform=axes.get_yaxis_transform(), clip_on=False)
        _annotate(axes, row, each, color)
        return
    axes.plot(each.ratios, [row] * len(each.ratios), "o", color=color, alpha=0.25, markersize=4, zorder=2)
    axes.plot(
        [first, third], [row, row], color=color, linewidth=5, alpha=0.5, solid_capstyle="butt", zorder=3
    )
    axes.plot([each.ratio], [row], "|", color=color, markersize=14, markeredgewidth=2.5, zorder=4)
    if each.goal is not None:
        axes.plot([each.goal, each.goal], [row - 0.35, row + 0.35], color="black", linewidth=1, zorder=1)
    _annotate(axes, row, each, color)


def _annotate(axes: Axes, row: int, each: Comparison, color: str) -> None:
    axes.annotate(
        ratio_text(each.ratio),
        (1.01, row),
        xycoords=("axes fraction", "data"),
        va="center",
        fontsize=9,
        color=color,
    )


def _label(axes: Axes, comparisons: list[Comparison]) -> None:
    names = [f"{each.contestant} / {each.baseline}: {each.metric}" for each in comparisons]
    axes.set_yticks(range(len(names)), names, fontsize=9)
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.axvline(1.0, color="#57606a", linewidth=1, linestyle=":", zorder=0)
    shown = [1.0, *(ratio for each in comparisons for ratio in (*each.ratios, each.goal or 1.0) if ratio)]
    if max(shown) > WIDE * min(shown):
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        axes.set_xlim(left=min(0.9, *shown) - 0.05)
    axes.set_xlabel(
        "ratio (dots: rounds; bar: half of them; dotted: as the baseline; line: goal)", fontsize=8
    )
    axes.grid(axis="x", alpha=0.3)
    axes.tick_params(axis="x", labelsize=8)
    axes.tick_params(axis="y", length=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
