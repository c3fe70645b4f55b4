"""A file that a command writes into a workspace: the whole of it, or nothing."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from controlplane.cli.failed import Failed


def write_whole(path: Path, data: bytes) -> None:
    """Put `data` in the place of a file. Raises Failed."""
    path = path.resolve()
    beside = path.with_name(f"{path.name}.new")
    try:
        with beside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            beside.unlink()
        message = f"can't write {path} ({error.strerror})"
        raise Failed("CANNOT_WRITE", message, "let yourself write there") from error
