"""The compilers of a control plane: a few at once, each for one workspace, and one that waits ready.

Whatever is in a workspace, the control plane's own process looks at none of it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import TypeVar

from controlplane.admin.compiler_messages import Compile, Compiled, PlanBeside, Planned, Request
from controlplane.admin.compiler_process import CompilerFailed, CompilerProcess, Limits
from controlplane.model import Workspace
from controlplane.planning.beside import Base
from controlplane.problems import Problem


class TooManyPublishes(Exception):
    """As many workspaces are being compiled, or wait for it, as may."""


Wanted = TypeVar("Wanted", Compiled, Planned)


class Stopping(Exception):
    """The control plane stops, and has changed nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """How many workspaces are compiled at once, how many may wait for that, and for how many seconds."""

    at_once: int = 2
    waiting: int = 8
    seconds: float = 120.0
    limits: Limits = field(default_factory=Limits)


class Compilers:
    """Starts compilers, and ends them."""

    def __init__(self, room: Room | None = None) -> None:
        """Start none yet."""
        self._room = room or Room()
        self._free = asyncio.Semaphore(self._room.at_once)
        self._waiting = 0
        self._spare: asyncio.Task[CompilerProcess] | None = None
        self._running: set[CompilerProcess] = set()
        self._closed = False

    def make_ready(self) -> None:
        """Start the next compiler: a publish shouldn't wait for that."""
        if self._spare is None and not self._closed:
            self._spare = asyncio.create_task(CompilerProcess.start(self._room.limits))

    async def stop(self) -> None:
        """End all of them; whoever waits for one is told that it was ended."""
        self._closed = True
        spare, self._spare = self._spare, None
        if spare is not None:
            with contextlib.suppress(OSError):
                await (await spare).end()
        for each in tuple(self._running):
            await each.kill()

    @contextlib.asynccontextmanager
    async def compiled(self, workspace: Workspace) -> AsyncIterator[CompiledWorkspace]:
        """Compile a workspace, and hold what can plan it.

        Raises TooManyPublishes, WorkspaceError, CompilerFailed, Stopping.
        """
        try:
            async with self._turn(), self._process() as process:
                compiled = await _answered(process, Compile(workspace=workspace), Compiled)
                yield CompiledWorkspace(process, compiled.warnings)
        except CompilerFailed as error:
            if self._closed:
                raise Stopping("this control plane is stopping, and nothing has changed; retry") from error
            raise

    @contextlib.asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Wait for one's turn, not for long, and not among many."""
        room = self._room
        if self._free.locked() and self._waiting >= room.waiting:
            raise TooManyPublishes(f"{room.waiting} publishes wait for their turn already; try later")
        self._waiting += 1
        try:
            async with asyncio.timeout(room.seconds):
                await self._free.acquire()
        except TimeoutError as error:
            message = f"{room.at_once} other publishes were being compiled for {room.seconds:g} s; try later"
            raise TooManyPublishes(message) from error
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._free.release()

    @contextlib.asynccontextmanager
    async def _process(self) -> AsyncIterator[CompilerProcess]:
        process = await self._take()
        self._running.add(process)
        try:
            yield process
        finally:
            await asyncio.shield(process.end())
            self._running.discard(process)
            self.make_ready()

    async def _take(self) -> CompilerProcess:
        """Return the one that is ready, or a new one when it has died meanwhile."""
        if self._closed:
            raise CompilerFailed("this control plane is ending")
        spare, self._spare = self._spare, None
        try:
            if spare is not None:
                process = await spare
                if process.alive:
                    return process
                await process.end()
            return await CompilerProcess.start(self._room.limits)
        except OSError as error:
            raise CompilerFailed(f"no compiler can be started: {error.strerror}") from error


class CompiledWorkspace:
    """A workspace without errors, in the process that has compiled it; and its warnings."""

    def __init__(self, process: CompilerProcess, warnings: tuple[Problem, ...]) -> None:
        """Ask that process."""
        self._process = process
        self.warnings = warnings

    async def plan(self, base: Base, source_hash: str) -> Planned:
        """Return its plan beside what is loaded. Raises WorkspaceError, Inconsistent, CompilerFailed."""
        return await _answered(self._process, PlanBeside(base=base, source_hash=source_hash), Planned)


async def _answered(process: CompilerProcess, request: Request, kind: type[Wanted]) -> Wanted:
    answer = await process.ask(request)
    if not isinstance(answer, kind):
        raise CompilerFailed("the compiler answered something else")
    return answer
