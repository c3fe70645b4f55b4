"""The compilers of a control plane: a few at once, each for one workspace, and one that waits ready.

Whatever is in a workspace, the control plane's own process looks at none of it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import TypeVar

from controlplane.admin.compiler_messages import (
    Compile,
    Compiled,
    PlanBeside,
    Planned,
    ReadPlatform,
    Remember,
    Remembered,
    Request,
)
from controlplane.admin.compiler_process import CompilerFailed, CompilerProcess, Limits
from controlplane.admin.spare import Before, Spare
from controlplane.model import Workspace
from controlplane.planning.beside import Base, Names
from controlplane.planning.routing import Inconsistent
from controlplane.problems import Problem, WorkspaceError

NO_NAMES = Names(objectives=(), models=())


class TooManyPublishes(Exception):
    """As many workspaces are being compiled, or wait for it, as may."""


Wanted = TypeVar("Wanted", Compiled, Planned, Remembered)


class Stopping(Exception):
    """The control plane stops, and has changed nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """How many workspaces are compiled at once, how many may wait for that, and for how many seconds.

    `waiting_bytes` bounds what those that wait have in memory together.
    """

    at_once: int = 2
    waiting: int = 200
    waiting_bytes: int = 256 * 1024 * 1024
    seconds: float = 600.0
    limits: Limits = field(default_factory=Limits)


class Compilers:
    """Starts compilers, and ends them."""

    def __init__(self, room: Room | None = None) -> None:
        """Start none yet."""
        self._room = room or Room()
        self._free = asyncio.Semaphore(self._room.at_once)
        self._waiting = 0
        self._waiting_bytes = 0
        self._spare: Spare | None = None
        self._before: Before | None = None
        self._running: set[CompilerProcess] = set()
        self._idle: set[CompilerProcess] = set()
        """Of those that run, which only tell what they have found."""
        self._retiring: asyncio.Task[None] | None = None
        self._closed = False

    def make_ready(self) -> None:
        """Start the next compiler: a publish shouldn't wait for that."""
        if self._spare is None and not self._closed:
            self._spare = Spare(self._room.limits, self._before)

    async def prepared(self) -> None:
        """Return once nothing is left to do for the next workspace, if none comes meanwhile."""
        if self._retiring is not None:
            await asyncio.wait({self._retiring})
        if self._spare is not None:
            await self._spare.prepared()

    async def stop(self) -> None:
        """End all of them; whoever waits for one is told that it was ended."""
        self._closed = True
        spare, self._spare = self._spare, None
        if spare is not None:
            await spare.end()
        if self._retiring is not None:
            self._retiring.cancel()  # which may be before it has begun
            await asyncio.wait({self._retiring})
        for each in tuple(self._idle):
            await self._end(each)
        for each in tuple(self._running):
            await each.kill()

    @contextlib.asynccontextmanager
    async def compiled(self, workspace: Workspace) -> AsyncIterator[CompiledWorkspace]:
        """Compile a workspace, and hold what can plan it.

        Raises TooManyPublishes, WorkspaceError, CompilerFailed, Stopping.
        """
        try:
            async with self._turn(workspace), self._process() as (compiled, memory):
                await compiled.compile(workspace, memory)
                yield compiled
        except CompilerFailed as error:
            self._before = None  # it may be for what it was told
            if self._closed:
                raise Stopping("this control plane is stopping, and nothing has changed; retry") from error
            raise

    async def read_platform(self, workspace: Workspace, source_hash: str) -> bytes:
        """Return the content of the platform's generation that a workspace makes.

        Raises TooManyPublishes, WorkspaceError, CompilerFailed.
        """
        async with self._turn(workspace):
            process, _ = await self._take()
            self._running.add(process)
            try:
                request = ReadPlatform(workspace=workspace, source_hash=source_hash)
                return (await _answered(process, request, Planned)).content
            finally:
                await asyncio.shield(self._end(process))

    @contextlib.asynccontextmanager
    async def _turn(self, workspace: Workspace) -> AsyncIterator[None]:
        """Wait for one's turn, among no more than can be held."""
        room, size = self._room, sum(map(len, workspace.files.values()))
        full = self._waiting >= room.waiting or self._waiting_bytes + size > room.waiting_bytes
        if self._free.locked() and full:
            raise TooManyPublishes(f"{self._waiting} publishes wait for their turn already; try later")
        self._waiting += 1
        self._waiting_bytes += size
        try:
            async with asyncio.timeout(room.seconds):
                await self._free.acquire()
        except TimeoutError as error:
            message = f"{room.at_once} other publishes were being compiled for {room.seconds:g} s; try later"
            raise TooManyPublishes(message) from error
        finally:
            self._waiting -= 1
            self._waiting_bytes -= size
        try:
            yield
        finally:
            self._free.release()

    @contextlib.asynccontextmanager
    async def _process(self) -> AsyncIterator[tuple[CompiledWorkspace, bytes]]:
        """Give a compiler, and what it is to be told of what was found before."""
        process, memory = await self._take()
        self._running.add(process)
        compiled, good = CompiledWorkspace(process), False
        try:
            yield compiled, memory
            good = True
        finally:
            if good and self._retiring is None and not self._closed:
                self._idle.add(process)
                self._retiring = asyncio.create_task(self._retire(process, compiled))
            else:
                await asyncio.shield(self._end(process))

    async def _end(self, process: CompilerProcess) -> None:
        await process.end()
        self._running.discard(process)
        self._idle.discard(process)
        self.make_ready()

    async def _retire(self, process: CompilerProcess, compiled: CompiledWorkspace) -> None:
        """Keep what a compiler has found for the next one, while nobody waits for it; then end it."""
        try:
            found = await _answered(process, Remember(), Remembered)
            self._before = compiled.before(found.content) if found.content else None
        except (WorkspaceError, Inconsistent, CompilerFailed):
            self._before = None
        finally:
            await asyncio.shield(self._end(process))
            self._retiring = None

    async def _take(self) -> tuple[CompilerProcess, bytes]:
        """Return the one that is ready, or else a new one; and what it is to be told."""
        if self._closed:
            raise CompilerFailed("this control plane is ending")
        memory = self._before.memory if self._before is not None else b""
        spare, self._spare = self._spare, None
        try:
            if spare is not None:
                process, knows = await spare.take()
                if process.alive:
                    return process, b"" if knows else memory
                await process.end()
            return await CompilerProcess.start(self._room.limits), memory
        except OSError as error:
            raise CompilerFailed(f"no compiler can be started: {error.strerror}") from error


class CompiledWorkspace:
    """A workspace without errors, in the process that has compiled it; its warnings, and what it names."""

    def __init__(self, process: CompilerProcess) -> None:
        """Ask that process."""
        self._process = process
        self._workspace = Workspace(files={})
        self._base: Base | None = None
        self.warnings: tuple[Problem, ...] = ()
        self.names = NO_NAMES

    async def compile(self, workspace: Workspace, memory: bytes) -> None:
        """Have it compiled, with what was found before. Raises WorkspaceError, CompilerFailed."""
        request = Compile(workspace=workspace, memory=memory)
        compiled = await _answered(self._process, request, Compiled)
        self.warnings, self.names = compiled.warnings, compiled.names
        self._workspace = workspace

    async def plan(self, base: Base, source_hash: str) -> Planned:
        """Return its plan beside what is loaded. Raises WorkspaceError, Inconsistent, CompilerFailed."""
        planned = await _answered(self._process, PlanBeside(base=base, source_hash=source_hash), Planned)
        self._base = base
        return planned

    def before(self, memory: bytes) -> Before:
        """Return what the next compiler is to know of it; `memory` is what was found in its files."""
        return Before(workspace=self._workspace, memory=memory, base=self._base)


async def _answered(process: CompilerProcess, request: Request, kind: type[Wanted]) -> Wanted:
    answer = await process.ask(request)
    if not isinstance(answer, kind):
        raise CompilerFailed("the compiler answered something else")
    return answer
