"""How problems of a workspace look on a terminal."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any

from controlplane.cli.extras import needs
from controlplane.cli.failed import Failed
from controlplane.problems import Problem, Severity, WorkspaceError, has_errors


class BadWorkspace(Failed):
    """A workspace that can't be published: every problem of it, and what that means."""

    def __init__(self, problems: Sequence[Problem], consequence: str = "") -> None:
        """`consequence` follows their number."""
        count = counted(problems)
        message = f"{count}; {consequence}" if consequence else count
        super().__init__("BAD_WORKSPACE", message, "`lightbulb rules check` tells them all")
        self.problems = tuple(problems)

    def show(self, file: IO[Any] | None = None) -> None:
        """Print every problem to stderr."""
        del file
        print_problems(self.problems, self.message)

    def document(self) -> Mapping[str, Any]:
        """Return it with its problems, as what JSON can say."""
        return {**super().document(), "problems": [problem_document(each) for each in self.problems]}


def counted(problems: Sequence[Problem]) -> str:
    """Return how many problems there are, and how many warnings: "2 problems, 1 warning"."""
    warnings = sum(each.severity is Severity.WARNING for each in problems)
    numbers = ((len(problems) - warnings, "problem"), (warnings, "warning"))
    return ", ".join(f"{count} {name}{'' if count == 1 else 's'}" for count, name in numbers if count)


@contextlib.contextmanager
def problems_told(consequence: str = "") -> Iterator[None]:
    """Tell of a WorkspaceError as a command does. Raises BadWorkspace."""
    try:
        yield
    except WorkspaceError as error:
        raise BadWorkspace(error.problems, consequence) from error


def problem_document(problem: Problem) -> Mapping[str, Any]:
    """Return a problem as what JSON can say."""
    return {
        "file": problem.file,
        "line": problem.line,
        "rule": problem.rule,
        "code": problem.code,
        "message": problem.message,
        "remedy": problem.remedy,
        "severity": problem.severity.value,
    }


def print_warnings(warnings: Sequence[Problem]) -> None:
    """Print each warning to stderr, and how many there are; nothing when there is none."""
    if warnings:
        print_problems(warnings, counted(warnings))


def print_problems(problems: Sequence[Problem], last: str) -> None:
    """Print each problem to stderr: place, code and message, the remedy on the next line; then `last`."""
    with needs("cli"):
        from rich.console import Console  # noqa: PLC0415 - `lightbulb sidecar` and the like go without
        from rich.text import Text  # noqa: PLC0415

    console = Console(stderr=True, soft_wrap=True)
    for problem in problems:
        place = f"{problem.file}:{problem.line}" if problem.line else problem.file
        line = Text()
        line.append(printable(place), style="bold")
        if problem.rule:
            line.append(f" {printable(problem.rule)}")
        warning = problem.severity is Severity.WARNING
        line.append(f" {'warning ' if warning else ''}{problem.code}", style="yellow" if warning else "red")
        line.append(f": {printable(problem.message)}")
        console.print(line)
        console.print(Text(f"    {printable(problem.remedy)}", style="dim"))
    console.print(Text(last, style="bold red" if has_errors(problems) else "bold yellow"))


def printable(text: str) -> str:
    """Return a text that others wrote as one line that can't do anything to a terminal."""
    return "".join(each if each.isprintable() else "?" for each in text)
