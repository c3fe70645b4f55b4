"""A workspace folder, read from disk; what a workspace may be; and its content's name."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

from controlplane.model import Workspace
from controlplane.problems import Problem, WorkspaceError
from controlplane.rules.folder import MAX_DEPTH, SUFFIXES, find_files

MAX_FILES = 2_000
MAX_FILE_BYTES = 4 * 1024 * 1024
MAX_FILE_LINES = 50_000
MAX_BYTES = 32 * 1024 * 1024
"""Of all files together: a publish is one message."""

MAX_PATH = 160
"""Characters of a file's name with its folders."""

_FILE = re.compile(
    rf"(?:[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}}+/){{0,{MAX_DEPTH}}}[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}}"
)


def read_workspace(folder: Path) -> Workspace:
    """Return the *.yaml and *.js files of `folder`, and of the folders in it.

    Raises WorkspaceError when there are none, when one can't be read or would be lost, or when they are
    too large.
    """
    if not folder.is_dir():
        what = "it is a file" if folder.exists() else "there is no such folder"
        raise _refuse(folder, "MISSING_FILE", what, "name the folder of the rules")
    try:
        paths = find_files(folder)
        if not paths:
            remedy = "name the folder of the rules"
            raise _refuse(folder, "MISSING_FILE", "no *.yaml and no *.js in it", remedy)
        if len(paths) > MAX_FILES:
            raise _refuse(folder, "TOO_LARGE", f"{len(paths)} files", f"split it; {MAX_FILES} are allowed")
        large = list(_too_large((name, path.stat().st_size) for name, path in paths.items()))
        if large:
            raise WorkspaceError(large)
        return Workspace(files={name: path.read_bytes() for name, path in paths.items()})
    except OSError as error:
        path = Path(error.filename or folder)
        name = path if path == folder else path.relative_to(folder).as_posix()
        raise _refuse(name, "UNREADABLE", f"{error.strerror}", "let yourself read it") from error


def check_workspace(workspace: Workspace) -> tuple[Problem, ...]:
    """Return what keeps the files of a workspace from being looked at, whoever sent them."""
    files = workspace.files
    if len(files) > MAX_FILES:
        remedy = f"split it; {MAX_FILES} are allowed"
        return (Problem(file="workspace", code="TOO_LARGE", message=f"{len(files)} files", remedy=remedy),)
    large = _too_large((name, len(content)) for name, content in files.items())
    return (*map(_bad_name, filter(_is_bad_name, files)), *large, *_too_long(files.items()))


def content_hash(workspace: Workspace) -> str:
    """Return the name of this content, the same wherever it is computed; only files that count do."""
    digest = hashlib.sha256()
    for path in sorted(name for name in workspace.files if name.endswith(SUFFIXES)):
        content = workspace.files[path]
        digest.update(f"{len(path)}:{path}{len(content)}:".encode())
        digest.update(content)
    return digest.hexdigest()


def _too_large(sizes: Iterable[tuple[str, int]]) -> Iterable[Problem]:
    total = 0
    for name, size in sizes:
        total += size
        if size > MAX_FILE_BYTES:
            remedy = f"split it; {MAX_FILE_BYTES} are allowed"
            yield Problem(file=_shown(name), code="TOO_LARGE", message=f"{size} bytes", remedy=remedy)
    if total > MAX_BYTES:
        message, remedy = f"{total} bytes in all files", f"split it; {MAX_BYTES} are allowed"
        yield Problem(file="workspace", code="TOO_LARGE", message=message, remedy=remedy)


def _too_long(files: Iterable[tuple[str, bytes]]) -> Iterable[Problem]:
    for name, content in files:
        lines = content.count(b"\n")
        if lines > MAX_FILE_LINES:
            remedy = f"split it; {MAX_FILE_LINES} are allowed"
            yield Problem(file=_shown(name), code="TOO_LARGE", message=f"{lines} lines", remedy=remedy)


def _is_bad_name(name: str) -> bool:
    return len(name) > MAX_PATH or not _FILE.fullmatch(name)


def _bad_name(name: str) -> Problem:
    remedy = "use letters, digits, '.', '_' and '-', and '/' between folders"
    return Problem(file=_shown(name), code="FILE_NAME", message="no name for a file here", remedy=remedy)


def _shown(name: str) -> str:
    """Return a name as it is, or so that it can't pass for something else."""
    return repr(name[:128]) if _is_bad_name(name) else name


def _refuse(what: Path | str, code: str, message: str, remedy: str) -> WorkspaceError:
    return WorkspaceError([Problem(file=str(what), code=code, message=message, remedy=remedy)])
