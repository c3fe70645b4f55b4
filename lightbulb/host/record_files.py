"""Keeps records in files: one after the other, bounded together. A file has whole lines alone."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Sequence
from pathlib import Path

from lightbulb.comparison.lines import SUFFIX

log = logging.getLogger(__name__)

FILE_BYTES = 16 * 1024 * 1024
TOTAL_BYTES = 256 * 1024 * 1024
"""Of one host's files together; the oldest goes first."""


class RecordFiles:
    """Files in a folder, `<host>-<instance>-000001.jsonl` and so on, for their owner alone.

    What doesn't fit on the disk is taken back, so that no line is half there.
    """

    def __init__(
        self,
        folder: Path,
        *,
        host: str,
        instance: str,
        file_bytes: int = FILE_BYTES,
        total_bytes: int = TOTAL_BYTES,
    ) -> None:
        """Make the folder. Raises OSError."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        self._host = _plain(host)
        self._instance = instance
        self._file_bytes = file_bytes
        self._total_bytes = total_bytes
        self._number = 0
        self._file = -1
        self._size = 0
        self._fails = False

    def write(self, lines: Sequence[bytes]) -> bool:
        """Keep lines, all or none; say which."""
        data = b"".join(lines)
        try:
            if self._file < 0 or self._size + len(data) > self._file_bytes:
                self._next_file()
            self._append(data)
        except OSError as error:
            if not self._fails:
                log.warning("records can't be kept in %s: %s", self._folder, error.strerror)
            self._fails = True
            self.close()
            return False
        self._fails = False
        return True

    def close(self) -> None:
        """Close the file."""
        if self._file >= 0:
            with contextlib.suppress(OSError):
                os.close(self._file)
            self._file = -1

    def _append(self, data: bytes) -> None:
        written = 0
        try:
            written = os.write(self._file, data)
            if written < len(data):
                written += os.write(self._file, data[written:])
        except OSError:
            if written:
                os.ftruncate(self._file, self._size)
            raise
        self._size += written

    def _next_file(self) -> None:
        """Go on with the file that this process wrote last, if there is room, or else with a new one."""
        self.close()
        if not self._fails or self._size >= self._file_bytes:
            self._number += 1
        path = self._folder / f"{self._host}-{self._instance}-{self._number:06d}{SUFFIX}"
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._size = os.fstat(self._file).st_size
        self._make_room()

    def _make_room(self) -> None:
        """Remove this host's oldest files, its earlier processes' among them."""
        kept = [(each.stat().st_mtime, each.stat().st_size, each) for each in self._own()]
        total = sum(size for _, size, _ in kept)
        for _, size, path in sorted(kept)[:-1]:
            if total + self._file_bytes <= self._total_bytes:
                break
            path.unlink(missing_ok=True)
            total -= size

    def _own(self) -> list[Path]:
        return [each for each in self._folder.glob(f"{self._host}-*{SUFFIX}") if each.is_file()]


def _plain(name: str) -> str:
    """Return a name that is one of a file, wherever it comes from."""
    return "".join(each if each.isalnum() or each in "._" else "_" for each in name)[:64] or "host"
