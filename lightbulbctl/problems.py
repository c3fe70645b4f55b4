"""How problems of a workspace look on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from controlplane.problems import Problem


def print_problems(problems: Sequence[Problem]) -> None:
    """Print every problem to stderr: place, code and message on one line, the remedy on the next."""
    console = Console(stderr=True, soft_wrap=True)
    for problem in problems:
        place = f"{problem.file}:{problem.line}" if problem.line else problem.file
        line = Text()
        line.append(place, style="bold")
        if problem.rule:
            line.append(f" {problem.rule}")
        line.append(f" {problem.code}", style="red")
        line.append(f": {problem.message}")
        console.print(line)
        console.print(Text(f"    {problem.remedy}", style="dim"))
    plural = "" if len(problems) == 1 else "s"
    console.print(Text(f"{len(problems)} problem{plural}; nothing was published", style="bold red"))
