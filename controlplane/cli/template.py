"""The workspace to start from: where it is, and how a copy of it is made."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path

from controlplane.cli.failed import Failed
from controlplane.cli.options import RULES

TEMPLATE = Path(__file__).with_name("template")


def workspace_here() -> Path:
    """Return the workspace of the working folder: rules/, or the folder itself, or else the template."""
    if RULES.exists():
        return RULES
    return Path() if Path("objectives.yaml").exists() else TEMPLATE


def make_workspace(folder: Path) -> tuple[str, ...]:
    """Copy the template into a folder that isn't there or is empty; return the names of its files, sorted.

    What begins with a dot may be there already. Either all files are made, or none. Raises Failed.
    """
    names = tuple(sorted(path.name for path in TEMPLATE.iterdir() if path.is_file()))
    new = not folder.exists()
    try:
        there = [] if new else sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
        if there:
            shown = ", ".join(there[:8]) + (", …" if len(there) > 8 else "")
            raise Failed("EXISTS", f"{folder} isn't empty: {shown}", "name a new folder")
        folder.mkdir(parents=True, exist_ok=True)
        try:
            _fill(folder, names)
        except BaseException:
            if new:
                folder.rmdir()
            raise
    except OSError as error:
        raise Failed(
            "CANNOT_WRITE", f"can't make a workspace in {folder} ({error.strerror})", "name another folder"
        ) from error
    return names


def _fill(folder: Path, names: tuple[str, ...]) -> None:
    """Write all beside their places first, since a full disk shows then; take back what was moved."""
    with contextlib.ExitStack() as undo, tempfile.TemporaryDirectory(prefix=".init-", dir=folder) as beside:
        for name in names:
            shutil.copyfile(TEMPLATE / name, Path(beside) / name)
        for name in names:
            undo.callback((folder / name).unlink, missing_ok=True)
            (Path(beside) / name).rename(folder / name)
        undo.pop_all()
