"""Writes lightbulb.d.ts, and says whether the one that is there is up to date."""

from __future__ import annotations

from pathlib import Path

import click

from controlplane.cli.failed import Failed
from controlplane.cli.output import print_json
from controlplane.cli.problems import problems_told
from controlplane.cli.whole_file import write_whole
from controlplane.model import Workspace
from controlplane.problems import Problem, WorkspaceError, has_errors
from controlplane.rules.declarations import DECLARATIONS, RUN, doubt_of, is_as_wanted, read_types
from controlplane.rules.memory import Memory
from controlplane.rules.workspace import read_workspace

_SETTINGS = ("jsconfig.json", "tsconfig.json")


def write_types(folder: Path, *, check: bool, as_json: bool) -> None:
    """Bring the types of a workspace up to date, or fail if they aren't and `check` is asked for.

    Raises BadWorkspace when the YAML files can't be read, and Failed.
    """
    with problems_told("nothing was written"):
        problems: list[Problem] = []
        wanted = read_types(read_workspace(folder).files, problems)
        if has_errors(problems):
            raise WorkspaceError(problems)
    there = _there(folder)
    stale = there is None or not is_as_wanted(there, wanted)
    if stale and not check:
        write_whole(folder / DECLARATIONS, wanted.encode())
    if as_json:
        print_json({"changed": stale})
    else:
        click.echo(
            f"{DECLARATIONS} {'is up to date' if not stale else 'is stale' if check else 'is written'}"
        )
    if stale and check:
        raise Failed("STALE_TYPES", f"{folder / DECLARATIONS} isn't what the YAML files say", RUN)


def types_doubt(folder: Path, workspace: Workspace, memory: Memory) -> tuple[Problem, ...]:
    """Return a warning if the types of a good workspace are stale, or missing where they are used."""
    there = _there(folder)
    used = any((folder / name).exists() for name in _SETTINGS) or any(
        DECLARATIONS.encode() in content for file, content in workspace.files.items() if file.endswith(".js")
    )
    if there is None and not used:
        return ()
    doubt = doubt_of(there, read_types(workspace.files, [], memory))
    return () if doubt is None else (doubt,)


def _there(folder: Path) -> bytes | None:
    try:
        return (folder / DECLARATIONS).read_bytes()
    except FileNotFoundError:
        return None
