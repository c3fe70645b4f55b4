"""Where records go, off the way of requests: a bounded queue, and one thread behind it that writes.

Whoever records never waits, and never fails: when the queue is full, or what is behind it doesn't take more,
records are dropped and counted.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Protocol

from lightbulb.comparison.lines import line_of
from lightbulb.comparison.record import Record, Recorded

log = logging.getLogger(__name__)

WAITING = 4096
"""Records that wait to be written at most."""

EVERY = 0.1
"""Seconds between two looks at the queue."""

AT_ONCE = 16
"""Records that are made lines before other threads are let go on."""

TOLD_EVERY = 5.0
"""Seconds between two lines that tell how many were dropped, if more were."""

CLOSE_SECONDS = 2.0


class Writer(Protocol):
    """Keeps lines. Used by one thread alone."""

    def write(self, lines: Sequence[bytes]) -> bool:
        """Keep all of them, or none; say which. Never raises."""

    def close(self) -> None:
        """Let go of what it holds."""


class RecordSink:
    """Takes records from any thread, and writes them from one of its own."""

    def __init__(self, writer: Writer, *, host: str, instance: str, waiting: int = WAITING) -> None:
        """Start the thread. `instance` tells the process from others of the host's before and after."""
        self._writer = writer
        self._host, self._instance = host, instance
        self._waiting = waiting
        self._queue: deque[Record] = deque()
        self._stopped = threading.Event()
        self._full = 0
        self._refused = 0
        self.records = 0
        """How many were written."""
        self._told = 0
        self._told_at = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="records", daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> int:
        """How many weren't kept."""
        return self._full + self._refused

    def put(self, record: Record) -> None:
        """Take a record, or drop it."""
        if len(self._queue) >= self._waiting:
            self._full += 1
        else:
            self._queue.append(record)

    def close(self) -> None:
        """Write what waits, for two seconds at most."""
        self._stopped.set()
        self._thread.join(CLOSE_SECONDS)

    def _run(self) -> None:
        while not self._stopped.wait(EVERY):
            self._flush()
        self._flush()
        if self.records or self.dropped:
            self._tell()
        self._writer.close()

    def _flush(self) -> None:
        while lines := self._lines():
            if self._writer.write(lines):
                self.records += len(lines)
            else:
                self._refused += len(lines)
        if self.dropped > self._told and time.monotonic() - self._told_at >= TOLD_EVERY:
            self._tell()

    def _lines(self) -> list[bytes]:
        """Return the next lines; a few, so that a thread that answers requests waits for none of this."""
        lines: list[bytes] = []
        while self._queue and len(lines) < AT_ONCE:
            lines.append(line_of(self._queue.popleft()))
        time.sleep(0)  # lets go of the interpreter
        return lines

    def _tell(self) -> None:
        """Write how many were dropped, so that a report can say what lacks."""
        dropped = self.dropped
        self._told_at = time.monotonic()
        if dropped > self._told:
            log.warning("%d records of shadows were dropped so far", dropped)
        recorded = Recorded(host=self._host, instance=self._instance, records=self.records, dropped=dropped)
        if self._writer.write([line_of(recorded)]):
            self._told = dropped
