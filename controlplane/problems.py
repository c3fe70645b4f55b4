"""What can be wrong with a workspace, told so that its author can mend it.

Here is the one place that bounds what is told: a workspace may have any number of problems, and say names of
any length.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from controlplane.model import Location
from lightbulb.model import Source

MAX_PROBLEMS = 200
"""Problems of a workspace that are told; of the others, how many there are."""

MAX_NAME = 160
"""Characters of a file's or a rule's name; more than a good one has."""

MAX_TEXT = 600
"""Characters of a message or a remedy."""

_MOST = (("file", MAX_NAME), ("rule", MAX_NAME), ("message", MAX_TEXT), ("remedy", MAX_TEXT))

TOO_MANY = "TOO_MANY_PROBLEMS"
"""The code of the last problem, when others aren't told."""


class Severity(StrEnum):
    """What a problem means: an ERROR stops a publish; a WARNING is told, and stops nothing."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Problem:
    """One thing that is wrong: where, what, and what to do. `line` is 0 when there is none.

    Texts that are too long are cut in their middle.
    """

    file: str
    line: int = 0
    rule: str = ""
    code: str
    message: str
    remedy: str
    severity: Severity = Severity.ERROR

    def __post_init__(self) -> None:
        """Cut the texts that an author's words are in."""
        for name, most in _MOST:
            text = getattr(self, name)
            if len(text) > most:
                object.__setattr__(self, name, shortened(text, most))

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        rule = f" {self.rule}" if self.rule else ""
        kind = "" if self.severity is Severity.ERROR else f" {self.severity.value}"
        return f"{place}{rule}{kind} {self.code}: {self.message}; {self.remedy}"


def problem_at(
    place: Location | Source, code: str, message: str, remedy: str, severity: Severity = Severity.ERROR
) -> Problem:
    """Return a problem with what a YAML file defines, or with a rule."""
    return Problem(
        file=place.file,
        line=place.line,
        rule=place.rule if isinstance(place, Source) else "",
        code=code,
        message=message,
        remedy=remedy,
        severity=severity,
    )


def warning_at(place: Location | Source, code: str, message: str, remedy: str) -> Problem:
    """Return a warning about what a YAML file defines, or about a rule."""
    return problem_at(place, code, message, remedy, Severity.WARNING)


class WorkspaceError(Exception):
    """A workspace that can't be published, with the problems found in it, its warnings among them."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = told(problems)
        super().__init__("\n".join(map(str, self.problems)))


def has_errors(problems: Iterable[Problem]) -> bool:
    """Say whether one of the problems stops a publish."""
    return any(each.severity is Severity.ERROR for each in problems)


def told(problems: Iterable[Problem], most: int = MAX_PROBLEMS) -> tuple[Problem, ...]:
    """Return what is told of these problems: each once, in file order.

    There are at most `most`, rather errors than warnings; then comes one more, which says how many others
    there are.
    """
    found = sorted(set(problems))
    if len(found) <= most:
        return tuple(found)
    chosen = sorted(found, key=lambda each: each.severity is Severity.WARNING)[:most]
    others = _too_many(len(found) - most)
    return (*sorted(chosen), others if has_errors(found) else replace(others, severity=Severity.WARNING))


def shortened(text: str, most: int) -> str:
    """Return a text of at most `most` characters: both its ends, and how long it was."""
    if len(text) <= most:
        return text
    gap = f" ...({len(text)} characters)... "
    end = (most - len(gap)) // 3
    return text[: most - len(gap) - end] + gap + text[-end:]


def _too_many(others: int) -> Problem:
    return Problem(
        file="workspace",
        code=TOO_MANY,
        message=f"{others} more problems aren't shown",
        remedy="mend these first; some of the others may go with them",
    )
