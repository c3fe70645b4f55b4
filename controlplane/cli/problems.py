"""How problems of a workspace look on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from controlplane.problems import Problem


def print_problems(problems: Sequence[Problem], consequence: str = "") -> None:
    """Print every problem to stderr: place, code and message on one line, the remedy on the next."""
    console = Console(stderr=True, soft_wrap=True)
    for problem in problems:
        place = f"{problem.file}:{problem.line}" if problem.line else problem.file
        line = Text()
        line.append(printable(place), style="bold")
        if problem.rule:
            line.append(f" {printable(problem.rule)}")
        line.append(f" {problem.code}", style="red")
        line.append(f": {printable(problem.message)}")
        console.print(line)
        console.print(Text(f"    {printable(problem.remedy)}", style="dim"))
    count = f"{len(problems)} problem{'' if len(problems) == 1 else 's'}"
    console.print(Text(f"{count}; {consequence}" if consequence else count, style="bold red"))


def printable(text: str) -> str:
    """Return a text that others wrote as one line that can't do anything to a terminal."""
    return "".join(each if each.isprintable() else "?" for each in text)
