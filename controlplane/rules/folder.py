"""The files of a workspace on disk: which are read, and which would be lost without a word.

Folders inside are read too. What is there for people, editors and tools is let be.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from controlplane.problems import Problem, WorkspaceError

SUFFIXES = (".yaml", ".js")
MAX_DEPTH = 8
"""Folders inside of each other."""

MAX_ENTRIES = 20_000
"""Files and folders that are looked at."""

_OTHERS = frozenset({"cases.yaml", "traffic.yaml"})
"""Files of a workspace that say nothing about its rules."""

_SKIPPED = frozenset({"node_modules", "__pycache__"})
_MEANT = {
    **dict.fromkeys((".ts", ".mts", ".cts", ".tsx", ".jsx", ".mjs", ".cjs"), ".js"),
    ".yml": ".yaml",
}
"""Suffix that isn't read -> the one that probably was meant."""


@dataclass(slots=True)
class _Found:
    files: dict[str, Path] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    entries: int = 0


def find_files(folder: Path) -> dict[str, Path]:
    """Return the files that a workspace's folder has, by their names in it: paths with slashes.

    Raises WorkspaceError when something in it would be lost, and OSError when it can't be looked at.
    """
    found = _Found()
    _look_into(folder, "", 0, found)
    if found.problems:
        raise WorkspaceError(found.problems)
    return dict(sorted(found.files.items()))


def _look_into(folder: Path, prefix: str, depth: int, found: _Found) -> None:
    """Add what a folder has; at most MAX_DEPTH of these are inside of each other."""
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda each: each.name):
            found.entries += 1
            if found.entries > MAX_ENTRIES:
                message = f"more than {MAX_ENTRIES} files and folders"
                problem = _problem(str(folder), "TOO_LARGE", message, "name the folder of the rules alone")
                raise WorkspaceError([problem])
            name = prefix + entry.name
            if not entry.is_dir():
                _take_file(entry, name, found)
            elif not entry.name.startswith(".") and entry.name not in _SKIPPED:
                _take_folder(entry, name, depth, found)


def _take_folder(entry: os.DirEntry[str], name: str, depth: int, found: _Found) -> None:
    if entry.is_symlink():
        message, remedy = "a link to a folder is not followed", "put the folder itself here"
        found.problems.append(_problem(name, "UNREAD_FILE", message, remedy))
    elif depth == MAX_DEPTH:
        message, remedy = f"folders are read {MAX_DEPTH} deep", "move it up"
        found.problems.append(_problem(name, "UNREAD_FILE", message, remedy))
    else:
        _look_into(Path(entry.path), f"{name}/", depth + 1, found)


def _take_file(entry: os.DirEntry[str], name: str, found: _Found) -> None:
    suffix = Path(entry.name).suffix
    if entry.is_file():
        if suffix in SUFFIXES and name not in _OTHERS:
            found.files[name] = Path(entry.path)
        else:
            found.problems += _unread(entry.name, suffix, name)
    elif suffix in SUFFIXES and not entry.name.startswith(".") and entry.is_symlink():
        message, remedy = "a link to nothing", "put the file itself here, or remove the link"
        found.problems.append(_problem(name, "UNREAD_FILE", message, remedy))


def _unread(file: str, suffix: str, name: str) -> Iterator[Problem]:
    """Yield that a file isn't read, when it looks as if its author thinks that it is."""
    lower = suffix.lower()
    meant = _MEANT.get(lower, lower if lower in SUFFIXES else "")
    if not meant or suffix in SUFFIXES or file.startswith(".") or file.lower().endswith(".d.ts"):
        return
    remedy = f"rename it to {file.removesuffix(suffix)}{meant}"
    if lower in {".ts", ".mts", ".cts", ".tsx"}:
        remedy += ", and write JavaScript; types go into comments"
    yield _problem(name, "UNREAD_FILE", f"{suffix} files are not read", remedy)


def _problem(name: str, code: str, message: str, remedy: str) -> Problem:
    shown = name if name.isprintable() else ascii(name)
    return Problem(file=shown, code=code, message=message, remedy=remedy)
