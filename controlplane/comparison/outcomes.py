"""What came true: a file of CSV, a request's id and then its outcomes, one for each score. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable

from controlplane.comparison.pairs import Outcomes


class BadOutcomes(ValueError):
    """Lines that are no outcomes; `problems` are the first few."""

    def __init__(self, problems: tuple[str, ...], more: int) -> None:
        self.problems = problems
        super().__init__("\n".join((*problems, *([f"and {more:,} more"] if more else ()))))


MAX_PROBLEMS = 5


def read_outcomes(name: str, lines: Iterable[str]) -> Outcomes:
    """Return outcomes by request; a first line of words is a header. Raises BadOutcomes, naming lines."""
    outcomes: dict[str, tuple[float, ...]] = {}
    problems: list[str] = []
    for number, line in enumerate(lines, 1):
        request, *told = (each.strip().strip('"') for each in line.strip().split(","))
        if not request and not told:
            continue
        values = tuple(map(_share, told))
        if values and not any(map(math.isnan, values)):
            outcomes[request] = values
        elif number > 1 or not told:
            problems.append(
                f"{name}:{number} '{line.strip()[:60]}' is no request id with outcomes from 0 to 1"
            )
    if problems:
        raise BadOutcomes(tuple(problems[:MAX_PROBLEMS]), max(0, len(problems) - MAX_PROBLEMS))
    return outcomes


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return math.nan
    return value if 0.0 <= value <= 1.0 else math.nan
