"""Records as they lie in files: what belongs together is found first, and read then.

What is kept of a record is where it lies, 24 bytes; so a million pairs fit in little memory, in whatever
order and however far apart their sides were written.
"""

from __future__ import annotations

import os
from array import array
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np

from lightbulb.comparison.lines import MAX_LINE, SUFFIX, OtherVersion, Unreadable, read_line, request_of
from lightbulb.comparison.record import Record, Recorded

OPEN_FILES = 64
MAX_FAULTS = 5
LOOKING = "looking through records"
EVERY = 10_000
"""Records after which progress is told."""

Progress = Callable[[float, str], None]
"""Is told how far something is, from 0 to 1, and what it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A line that couldn't be read: where it stands, and why."""

    file: Path
    line: int
    why: str
    other_version: bool = False

    def __str__(self) -> str:
        return f"{self.file}:{self.line} {self.why}"


@dataclass(slots=True, kw_only=True, eq=False)
class Index:
    """Where records lie. `faults` are the first few lines that couldn't be read, of `unreadable`."""

    files: tuple[Path, ...]
    keys: array[int] = field(default_factory=lambda: array("q"))
    sources: array[int] = field(default_factory=lambda: array("I"))
    offsets: array[int] = field(default_factory=lambda: array("q"))
    lengths: array[int] = field(default_factory=lambda: array("I"))
    recorded: dict[tuple[str, str], Recorded] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    unreadable: int = 0

    @property
    def dropped(self) -> int:
        """How many records hosts had to drop."""
        return sum(each.dropped for each in self.recorded.values())


def find_files(paths: Sequence[Path]) -> tuple[Path, ...]:
    """Return files that are named, and those of records in folders that are. Raises FileNotFoundError."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(path.rglob(f"*{SUFFIX}"))
        elif path.is_file():
            found.append(path)
        else:
            raise FileNotFoundError(path)
    return tuple(dict.fromkeys(each.resolve() for each in found))


def make_index(files: Sequence[Path], progress: Progress) -> Index:
    """Look through files once. Raises OSError."""
    index = Index(files=tuple(files))
    sizes = [each.stat().st_size for each in files]
    total, done = max(sum(sizes), 1), 0
    for number, path in enumerate(files):
        with path.open("rb") as file:
            for at in _index_file(index, number, file):
                progress((done + at) / total, LOOKING)
        done += sizes[number]
    progress(1.0, LOOKING)
    return index


def _index_file(index: Index, number: int, file: BinaryIO) -> Iterator[int]:
    """Look through a file; yield now and then how far that is."""
    offset = 0
    for count, line in enumerate(iter(lambda: file.readline(MAX_LINE), b""), 1):
        if line.endswith(b"\n"):
            _index_line(index, number, offset, line, count)
        elif len(line) == MAX_LINE:
            _add_fault(index, number, count, Unreadable(f"it is longer than {MAX_LINE:,} bytes"))
            offset += _skip(file)
        # else it is the last one and isn't whole: a host writes there, or was killed
        offset += len(line)
        if not count % EVERY:
            yield offset


def _skip(file: BinaryIO) -> int:
    """Read to the end of a line; return how much that was."""
    read = 0
    while line := file.readline(MAX_LINE):
        read += len(line)
        if line.endswith(b"\n"):
            break
    return read


def _index_line(index: Index, number: int, offset: int, line: bytes, count: int) -> None:
    try:
        request = request_of(line)
        if request is None:
            told = read_line(line)
            assert isinstance(told, Recorded)
            who = told.host, told.instance
            index.recorded[who] = _latest(index.recorded.get(who), told)
            return
    except Unreadable as error:
        _add_fault(index, number, count, error)
        return
    index.keys.append(hash(request))
    index.sources.append(number)
    index.offsets.append(offset)
    index.lengths.append(len(line))


def _latest(one: Recorded | None, other: Recorded) -> Recorded:
    return other if one is None or other.records + other.dropped >= one.records + one.dropped else one


def _add_fault(index: Index, number: int, line: int, error: Unreadable) -> None:
    index.unreadable += 1
    if len(index.faults) < MAX_FAULTS:
        version = isinstance(error, OtherVersion)
        index.faults.append(Fault(file=index.files[number], line=line, why=str(error), other_version=version))


class Together:
    """Records in groups of one request each, in the order of each request's first."""

    def __init__(self, index: Index) -> None:
        """Sort what was found."""
        self._index = index
        self._open: OrderedDict[int, int] = OrderedDict()
        keys = np.asarray(index.keys)
        self._order = np.argsort(keys, kind="stable")
        ordered = keys[self._order]
        changes = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
        bounds = np.unique(np.concatenate(([0], changes, [len(keys)])))  # no records: 0 alone
        # In a group the first is the one that was found first: a stable sort keeps the order.
        by_first = np.argsort(self._order[bounds[:-1]])
        self._starts, self._ends = bounds[:-1][by_first], bounds[1:][by_first]

    def close(self) -> None:
        """Close the files."""
        while self._open:
            os.close(self._open.popitem()[1])

    def __len__(self) -> int:
        """How many requests there are."""
        return len(self._starts)

    def __iter__(self) -> Iterator[list[Record]]:
        """Yield the records of one request after the other; one that can't be read is left out."""
        for start, end in zip(self._starts.tolist(), self._ends.tolist(), strict=True):
            yield [record for at in self._order[start:end].tolist() if (record := self._read(at)) is not None]

    def _read(self, at: int) -> Record | None:
        index = self._index
        line = os.pread(self._file(index.sources[at]), index.lengths[at], index.offsets[at])
        try:
            record = read_line(line)
        except Unreadable as error:
            _add_fault(index, index.sources[at], 0, error)
            return None
        return record if isinstance(record, Record) else None

    def _file(self, number: int) -> int:
        opened = self._open.get(number)
        if opened is None:
            if len(self._open) >= OPEN_FILES:
                os.close(self._open.popitem(last=False)[1])
            opened = self._open[number] = os.open(self._index.files[number], os.O_RDONLY)
        else:
            self._open.move_to_end(number)
        return opened
