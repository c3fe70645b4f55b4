"""What can be wrong with a workspace, told so that its author can mend it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Problem:
    """One thing that is wrong: where, what, and what to do. `line` is 0 when there is none."""

    file: str
    line: int = 0
    rule: str = ""
    code: str
    message: str
    remedy: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        rule = f" {self.rule}" if self.rule else ""
        return f"{place}{rule} {self.code}: {self.message}; {self.remedy}"


class WorkspaceError(Exception):
    """A workspace that can't be published, with every problem found in it, in file order."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__("\n".join(map(str, self.problems)))
