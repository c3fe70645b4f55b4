"""One compiler process: started, asked, bounded in time, and ended with all that it has started."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from dataclasses import dataclass
from typing import IO

from controlplane.admin.compiler_forks import Fork
from controlplane.admin.compiler_messages import (
    SIZES,
    START,
    Answer,
    Doing,
    Faulty,
    OutOfMemory,
    Request,
    Strange,
    Unservable,
    answer_from,
    sizes_of,
    to_frame,
)
from controlplane.planning.routing import Inconsistent
from controlplane.problems import Problem, WorkspaceError
from controlplane.rules.sandbox_process import scratch_file

log = logging.getLogger(__name__)

_TRACE_BYTES = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What compiling and planning one workspace may use; the sandbox's `Limits` are those of its rules.

    `seconds` are by the clock, waiting for the rules included.
    """

    cpu_seconds: int = 60
    memory_mib: int = 2048
    seconds: float = 180.0


class CompilerFailed(Exception):
    """A compiler ended through no limit of ours: it is a fault of this program, or somebody killed it."""


class CompilerProcess:
    """A compiler that waits for work, for one workspace."""

    def __init__(self, fork: Fork, errors: IO[bytes], limits: Limits) -> None:
        """Take what `start` has started."""
        self._fork = fork
        self._errors = errors
        self._limits = limits
        self._stage = "starting"

    @classmethod
    async def start(cls, limits: Limits) -> CompilerProcess:
        """Start one. Raises OSError."""
        errors = scratch_file()  # open as long as the process
        try:
            request = START.pack(limits.cpu_seconds, limits.memory_mib)
            return cls(await Fork.start(request, errors, limits.seconds), errors, limits)
        except BaseException:
            errors.close()
            raise

    @property
    def alive(self) -> bool:
        """Whether it hasn't ended."""
        return self._fork.alive

    @property
    def pid(self) -> int:
        """Its process id, which is that of its group too."""
        return self._fork.pid

    async def ask(self, request: Request) -> Answer:
        """Return the answer. Raises WorkspaceError, Inconsistent, CompilerFailed."""
        frame = await asyncio.to_thread(to_frame, request)  # a base is a few megabytes of names
        try:
            async with asyncio.timeout(self._limits.seconds):
                answer = await self._converse(frame)
        except TimeoutError as error:
            raise self._exceeded(f"{self._limits.seconds:g} s") from error
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise await self._ended() from error
        except Strange as error:
            raise CompilerFailed(f"the compiler sent {error}, {self._stage}") from error
        match answer:
            case Faulty(problems=problems):
                raise WorkspaceError(problems)
            case Unservable(message=message):
                raise Inconsistent(message)
            case OutOfMemory():
                raise self._exceeded(f"{self._limits.memory_mib} MiB of memory")
        return answer

    async def kill(self) -> None:
        """Kill it, and what it has started; whoever waits for its answer is told."""
        await self._fork.kill()

    async def end(self) -> None:
        """Kill it, when nobody asks it any more."""
        await self._fork.close()
        self._errors.close()

    async def _converse(self, frame: bytes) -> Answer:
        self._fork.writer.write(frame)
        await self._fork.writer.drain()
        while isinstance(answer := await self._read(), Doing):
            self._stage = answer.stage
        return answer

    async def _read(self) -> Answer:
        reader = self._fork.reader
        head, body = sizes_of(await reader.readexactly(SIZES.size))
        return answer_from(await reader.readexactly(head), await reader.readexactly(body))

    async def _ended(self) -> Exception:
        """Return why it has ended without an answer."""
        async with asyncio.timeout(self._limits.seconds):
            code = await self._fork.wait()
        if -code == signal.SIGXCPU:
            return self._exceeded(f"{self._limits.cpu_seconds} s of CPU")
        self._errors.seek(max(0, self._errors.seek(0, os.SEEK_END) - _TRACE_BYTES))
        trace = self._errors.read().decode(errors="replace").strip()
        log.error("the compiler ended with code %d, %s: %s", code, self._stage, trace)
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else "failed"
        return CompilerFailed(
            f"the compiler {how}, {self._stage}; nothing has changed; this control plane's log says more"
        )

    def _exceeded(self, what: str) -> WorkspaceError:
        problem = Problem(
            file="workspace",
            code="TOO_COSTLY",
            message=f"to compile it takes more than the {what} that there are; it was ended {self._stage}",
            remedy="make that part smaller: fewer rules for one objective, shorter lists, simpler conditions",
        )
        return WorkspaceError([problem])
