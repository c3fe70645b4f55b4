"""Reads what was added to a place of records since it was last read: to files, here."""

from __future__ import annotations

import heapq
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import BinaryIO

from controlplane.comparison.sources import find_files
from lightbulb.comparison.lines import MAX_LINE, Unreadable, read_line
from lightbulb.comparison.record import Record


class Tail(ABC):
    """A place of records, which is read on from where it was read to."""

    def __init__(self) -> None:
        """Begin with the oldest record that there is."""
        self.unreadable = 0
        """Lines that were no records."""

    @abstractmethod
    def skip(self) -> None:
        """Pass over what is there by now. Raises Failed, OSError."""

    @abstractmethod
    def records(self) -> Iterator[Record]:
        """Yield new records, about in their order. Raises Failed, OSError."""

    def _record(self, line: bytes) -> Record | None:
        """Return the record that a line is; None for another line, and for one that can't be read."""
        try:
            found = read_line(line)
        except Unreadable:
            self.unreadable += 1
            return None
        return found if isinstance(found, Record) else None


class Tails(Tail):
    """Of files and folders, in which new files may appear, and old ones go."""

    def __init__(self, paths: Sequence[Path]) -> None:
        """Begin with the oldest record that there is."""
        super().__init__()
        self._paths = tuple(paths)
        self._offsets: dict[Path, int] = {}

    def skip(self) -> None:
        """Pass over what is there by now. Raises OSError."""
        self._offsets = {path: _end_of_lines(path) for path in find_files(self._paths)}

    def records(self) -> Iterator[Record]:
        """Yield new records of all processes in the order in which they were made. Raises OSError."""
        files = find_files(self._paths)
        self._offsets = {path: self._offsets.get(path, 0) for path in files}
        # One process writes one file after the other, and names them by number.
        written = [tuple(of_one) for _, of_one in groupby(files, key=_process)]
        yield from heapq.merge(*map(self._of_process, written), key=lambda record: record.at)

    def _of_process(self, files: Sequence[Path]) -> Iterator[Record]:
        for path in files:
            try:
                with path.open("rb") as file:
                    yield from self._of_file(path, file.seek(self._offsets[path]), file)
            except FileNotFoundError:
                continue  # its host made room

    def _of_file(self, path: Path, offset: int, file: BinaryIO) -> Iterator[Record]:
        for line in iter(lambda: file.readline(MAX_LINE), b""):
            if not line.endswith(b"\n") and len(line) < MAX_LINE:
                return  # a host is writing there
            offset += len(line)
            self._offsets[path] = offset
            record = self._record(line)
            if record is not None:
                yield record


def _end_of_lines(path: Path) -> int:
    """Return where the last whole line ends."""
    try:
        with path.open("rb") as file:
            begin = file.seek(max(0, path.stat().st_size - MAX_LINE))
            return begin + file.read(MAX_LINE).rfind(b"\n") + 1
    except FileNotFoundError:
        return 0  # its host made room


def _process(path: Path) -> tuple[Path, str]:
    """Return what files of one process share: `host-instance-000001.jsonl` without the number."""
    return path.parent, path.stem.rpartition("-")[0]
