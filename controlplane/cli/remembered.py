"""What `rules check` found in a folder's files, kept in the user's cache folder for the next time.

Only what the user alone can have written is read, and it is data. Where there is no such folder, or it can't
be written, the command does without, and says nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from controlplane.problems import WorkspaceError
from controlplane.rules.memory import MAX_BYTES, Memory

MAX_FOLDERS = 20
"""Folders of rules that are remembered, those that were checked last."""

_HEADING = 1024
"""Bytes that a memory may take beside its content."""
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


@contextlib.contextmanager
def remembered(folder: Path) -> Iterator[Memory]:
    """Give the memory of a folder of rules, and keep what it comes to; problems are let through."""
    cache = _cache()
    if cache is None:
        yield Memory()
        return
    file = cache / hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()
    memory = Memory(_read(file))
    try:
        yield memory
    except WorkspaceError:
        _keep(file, memory.to_bytes(everything=True))
        raise
    if memory.changed:
        _keep(file, memory.to_bytes())


def _cache() -> Path | None:
    """Return the user's own folder for this, made if it wasn't there; None when there can be none."""
    try:
        given = Path(os.environ.get("XDG_CACHE_HOME", ""))
        base = given if given.is_absolute() else Path.home() / ".cache"
        cache = base / "lightbulb" / "rules"
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        return cache if _is_own(cache.lstat()) else None
    except (OSError, RuntimeError):  # a user without a home
        return None


def _is_own(status: os.stat_result) -> bool:
    """Say whether nobody else can have written it."""
    return status.st_uid == os.geteuid() and not status.st_mode & _OTHERS_WRITE


def _read(file: Path) -> bytes:
    with contextlib.suppress(OSError), os.fdopen(os.open(file, os.O_RDONLY | os.O_NOFOLLOW), "rb") as opened:
        status = os.fstat(opened.fileno())
        small = status.st_size <= MAX_BYTES + _HEADING
        if stat.S_ISREG(status.st_mode) and _is_own(status) and small:
            return opened.read()
    return b""


def _keep(file: Path, content: bytes) -> None:
    """Write a file as a whole, or leave it as it was."""
    with contextlib.suppress(OSError):
        descriptor, written = tempfile.mkstemp(dir=file.parent)
        try:
            with os.fdopen(descriptor, "wb") as opened:
                opened.write(content)
            Path(written).replace(file)
        except BaseException:
            Path(written).unlink(missing_ok=True)
            raise
        _forget_others(file.parent)


def _forget_others(cache: Path) -> None:
    files = sorted(cache.iterdir(), key=lambda each: each.lstat().st_mtime)
    for each in files[:-MAX_FOLDERS]:
        each.unlink(missing_ok=True)
