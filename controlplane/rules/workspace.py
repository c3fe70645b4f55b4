"""A workspace folder, read from disk; and its content's name."""

from __future__ import annotations

import hashlib
from pathlib import Path

from controlplane.model import Workspace
from controlplane.problems import Problem, WorkspaceError

MAX_FILES = 2_000
MAX_FILE_BYTES = 4 * 1024 * 1024
SUFFIXES = (".yaml", ".js")


def read_workspace(folder: Path) -> Workspace:
    """Return the *.yaml and *.js files of `folder` itself; raises WorkspaceError when there are none."""
    if not folder.is_dir():
        raise _refuse(folder, "MISSING_FILE", "there is no such folder", "name the folder of the rules")
    paths = sorted(path for path in folder.iterdir() if path.suffix in SUFFIXES and path.is_file())
    if not paths:
        raise _refuse(folder, "MISSING_FILE", "no *.yaml and no *.js in it", "name the folder of the rules")
    if len(paths) > MAX_FILES:
        raise _refuse(folder, "TOO_LARGE", f"{len(paths)} files", f"split it; {MAX_FILES} are allowed")
    large = [path for path in paths if path.stat().st_size > MAX_FILE_BYTES]
    if large:
        raise WorkspaceError(
            Problem(
                file=path.name,
                code="TOO_LARGE",
                message=f"{path.stat().st_size} bytes",
                remedy=f"split it; {MAX_FILE_BYTES} are allowed",
            )
            for path in large
        )
    return Workspace(files={path.name: path.read_bytes() for path in paths})


def content_hash(workspace: Workspace) -> str:
    """Return the name of this content, the same wherever it is computed."""
    digest = hashlib.sha256()
    for path in sorted(workspace.files):
        content = workspace.files[path]
        digest.update(f"{len(path)}:{path}{len(content)}:".encode())
        digest.update(content)
    return digest.hexdigest()


def _refuse(folder: Path, code: str, message: str, remedy: str) -> WorkspaceError:
    return WorkspaceError([Problem(file=str(folder), code=code, message=message, remedy=remedy)])
