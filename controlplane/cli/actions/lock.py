"""Writes experiments.lock.yaml, and says whose cell changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from controlplane.cli.failed import Failed
from controlplane.cli.output import print_json
from controlplane.cli.problems import printable, problems_told
from controlplane.cli.whole_file import write_whole
from controlplane.problems import Problem, WorkspaceError
from controlplane.rules.definitions import read_experiments
from controlplane.rules.lock_file import LOCK, RUN, read_lock, write_lock
from controlplane.rules.locked import LockChange, lock
from controlplane.rules.workspace import read_workspace


def lock_tests(folder: Path, *, check: bool, as_json: bool) -> None:
    """Bring the lock file of a workspace up to date, or fail if it isn't and `check` is asked for.

    Raises BadWorkspace when experiments.yaml or the lock file can't be read, and Failed.
    """
    with problems_told("nothing was written"):
        files = read_workspace(folder).files
        text, changes = _locked(files)
    data = text.encode()
    stale = files.get(LOCK) != data
    if stale and not check:
        write_whole(folder / LOCK, data)
    if as_json:
        print_json({"changed": stale, "tests": [_document(each) for each in changes]})
    else:
        for change in changes:
            click.echo(printable(_line(change)))
        click.echo(f"{LOCK} {'is up to date' if not stale else 'is stale' if check else 'is written'}")
    if stale and check:
        raise Failed("LOCK_STALE", f"{folder / LOCK} isn't what experiments.yaml asks for", RUN)


def _locked(files: Mapping[str, bytes]) -> tuple[str, Sequence[LockChange]]:
    """Return the text that the lock file is to have, and what that changes. Raises WorkspaceError."""
    problems: list[Problem] = []
    experiments = read_experiments(files, problems)
    before = read_lock(files[LOCK], problems) if LOCK in files else {}
    if problems:
        raise WorkspaceError(problems)
    tests, changes = lock(experiments.values(), before)
    return write_lock(tests), changes


def _line(change: LockChange) -> str:
    line = f"test {change.test_id} {change.cause.value}"
    if not change.moves:
        return line
    moves = ", ".join(f"{move.count / 100:g}% from {move.source} to {move.target}" for move in change.moves)
    return f"{line}; {sum(move.count for move in change.moves) / 100:g}% change their cell: {moves}"


def _document(change: LockChange) -> Mapping[str, Any]:
    return {
        "test": change.test_id,
        "cause": change.cause.name.lower(),
        "moves": [
            {"from": move.source, "to": move.target, "percent": move.count / 100} for move in change.moves
        ],
    }
