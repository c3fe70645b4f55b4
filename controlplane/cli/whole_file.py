"""A file that a command writes into a workspace: the whole of it, or nothing."""

from __future__ import annotations

from pathlib import Path

from controlplane.cli.failed import Failed
from lightbulb.whole_file import replace_file


def write_whole(path: Path, data: bytes) -> None:
    """Put `data` in the place of a file. Raises Failed."""
    path = path.resolve()
    try:
        replace_file(path, data)
    except OSError as error:
        message = f"can't write {path} ({error.strerror})"
        raise Failed("CANNOT_WRITE", message, "let yourself write there") from error
