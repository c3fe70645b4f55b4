"""What a run has found: ratios with their spread, and what they were compared with. Pure values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import Enum
from statistics import median, quantiles
from typing import Any


class Verdict(Enum):
    """What a ratio's spread says about its goal."""

    MET = "met"
    MISSED = "missed"
    UNCLEAR = "unclear"
    """The quartiles lie on both sides of the goal."""
    NONE = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A contestant's cost over its baseline's, once a round; the costs themselves are only context.

    `unit` is "s", "B" or "" (a count), of one operation. `goal` is the most that the ratio should be.
    """

    contestant: str
    baseline: str
    metric: str
    unit: str
    ratios: tuple[float, ...]
    cost: float
    baseline_cost: float
    goal: float | None = None

    @property
    def ratio(self) -> float:
        """The median."""
        return median(self.ratios)

    @property
    def quartiles(self) -> tuple[float, float]:
        """The first and the third; with them half of the rounds lie inside."""
        if len(self.ratios) < 2:
            return self.ratio, self.ratio
        first, _, third = quantiles(self.ratios, n=4, method="inclusive")
        return first, third

    @property
    def verdict(self) -> Verdict:
        """Whether the goal is met."""
        if self.goal is None:
            return Verdict.NONE
        first, third = self.quartiles
        if first <= self.goal < third:
            return Verdict.UNCLEAR
        return Verdict.MET if third <= self.goal else Verdict.MISSED


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One benchmark's comparisons. `title` says in a line what was compared."""

    name: str
    title: str
    comparisons: tuple[Comparison, ...]
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """A whole run."""

    machine: Mapping[str, str]
    quick: bool
    reports: tuple[Report, ...]

    def to_json(self) -> dict[str, Any]:
        """Return what results.json holds."""
        return {
            "machine": dict(self.machine),
            "quick": self.quick,
            "benchmarks": {report.name: _report(report) for report in self.reports},
        }


def _report(report: Report) -> dict[str, Any]:
    comparisons = [
        asdict(each) | {"ratio": each.ratio, "quartiles": each.quartiles, "verdict": each.verdict.value}
        for each in report.comparisons
    ]
    return {"title": report.title, "seconds": round(report.seconds, 1), "comparisons": comparisons}
