"""A child that evaluates rules: started, waited for while it goes on, and ended. What it says is bytes."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from enum import Enum
from importlib.util import find_spec
from pathlib import Path
from typing import IO

_CHILD = Path(__file__).parent / "sandbox_child.py"
_TRACE_BYTES = 4096


class Stopped(Enum):
    """Why a child was stopped from here."""

    NOT = "it ended, or something else ended it"
    SILENT = "it said nothing for too long"
    LATE = "the deadline of all children came"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A child that has ended: what it said, the trace of its own failure, its return code, and who did it."""

    output: bytes
    trace: str
    code: int
    stopped: Stopped


def run_child(request: bytes, *, silence: float, deadline: float, output_bytes: int) -> Ended:
    """Let a child go as far as it gets: until `deadline`, while it says something every `silence` seconds.

    A child that says nothing is given up to twice as long. `deadline` is a time of time.monotonic.
    """
    # Files in place of pipes: the kernel bounds the output's size, and nobody waits for a full pipe.
    with (
        scratch_file() as asked,
        scratch_file() as output,
        scratch_file() as errors,
    ):
        asked.write(request)
        asked.seek(0)
        process = subprocess.Popen(  # noqa: S603 - the command is ours
            _command(), stdin=asked, stdout=output, stderr=errors, env={}, cwd="/", close_fds=True
        )
        stopped = _wait(process, output, silence, deadline)
        output.seek(0)
        errors.seek(0)
        return Ended(
            output=output.read(output_bytes + 1),
            trace=errors.read(_TRACE_BYTES).decode(errors="replace"),
            code=process.returncode,
            stopped=stopped,
        )


def scratch_file() -> IO[bytes]:
    """Return a file that is gone with its last user: in memory on Linux, where no folder is needed for it."""
    if sys.platform == "linux":
        return os.fdopen(os.memfd_create("lightbulb"), "w+b")
    return tempfile.TemporaryFile()


def _command() -> list[str]:
    engine = find_spec("_quickjs")
    assert engine is not None
    assert engine.origin is not None
    return [sys.executable, "-I", "-S", str(_CHILD), str(Path(engine.origin).parent), str(os.getpid())]


def _wait(process: subprocess.Popen[bytes], output: IO[bytes], silence: float, deadline: float) -> Stopped:
    """Return once the process has ended, and why it was killed if it was."""
    said = -1
    try:
        while (size := os.fstat(output.fileno()).st_size) != said:
            said = size
            left = deadline - time.monotonic()
            if left <= 0:
                return Stopped.LATE
            try:
                process.wait(min(silence, left))
            except subprocess.TimeoutExpired:
                continue
            return Stopped.NOT
        return Stopped.SILENT
    finally:
        process.kill()  # does nothing to one that has ended
        process.wait()
