"""A workspace to a RuleSet: read, evaluate, look up, check, and order by precedence.

Pure but for the sandbox. Whatever is wrong with the whole workspace is reported at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from controlplane.model import RuleSet, Workspace
from controlplane.problems import Problem, WorkspaceError
from controlplane.rules.definitions import FILES, Definitions, read_definitions
from controlplane.rules.sandbox import RawRule, evaluate
from controlplane.rules.shapes import read_rules
from controlplane.rules.tables import make_tables

T = TypeVar("T")

CONSTANTS: Mapping[str, str] = {
    name: name
    for name in ("TITLE_INPUT_TYPE", "TRANSACTION_INPUT_TYPE", "QUERY_INPUT_TYPE", "USER_INPUT_TYPE")
}
"""What rules find under `constants`; lightbulb.d.ts declares the same."""


def compile_workspace(workspace: Workspace) -> RuleSet:
    """Return the compiled rules of a workspace; raises WorkspaceError with every problem in it."""
    problems: list[Problem] = []
    definitions = read_definitions(workspace.files, problems)
    problems += [
        Problem(
            file=file,
            code="UNKNOWN_FILE",
            message="no file of a workspace",
            remedy=f"rename it to one of {FILES}",
        )
        for file in workspace.files
        if file.endswith(".yaml") and file not in FILES
    ]
    raw = _evaluate(workspace, definitions, problems)
    rules = read_rules(raw, problems)
    tables = make_tables(rules, definitions, problems)
    if problems:
        raise WorkspaceError(problems)
    return RuleSet(
        objectives=_sorted(definitions.objectives),
        models=_sorted(definitions.models),
        shards=_sorted(definitions.shards),
        tables=tables,
    )


def _evaluate(workspace: Workspace, definitions: Definitions, problems: list[Problem]) -> tuple[RawRule, ...]:
    sources = {}
    for file, content in workspace.files.items():
        if file.endswith(".js"):
            try:
                sources[file] = content.decode()
            except UnicodeDecodeError as error:
                problems.append(
                    Problem(
                        file=file,
                        code="SYNTAX",
                        message=f"not UTF-8 at byte {error.start}",
                        remedy="save it as UTF-8",
                    )
                )
    try:
        return evaluate(sources, tuple(definitions.objectives), CONSTANTS)
    except WorkspaceError as error:
        problems += error.problems
        return ()


def _sorted(values: Mapping[str, T]) -> tuple[T, ...]:
    return tuple(values[name] for name in sorted(values))
