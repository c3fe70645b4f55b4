"""The compiler that waits for the next workspace; meanwhile it goes once through the one before, as told."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass

from controlplane.admin.compiler_messages import Compile, PlanBeside
from controlplane.admin.compiler_process import CompilerFailed, CompilerProcess, Limits
from controlplane.model import Workspace
from controlplane.planning.beside import Base
from controlplane.planning.routing import Inconsistent
from controlplane.problems import WorkspaceError

REST_SECONDS = 1.0
"""Before it does anything: first the publish that was just accepted becomes active."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """A workspace that was compiled, what was found in its files, and what it was planned beside, if it was.

    All of it is data that only a compiler looks at.
    """

    workspace: Workspace
    memory: bytes
    base: Base | None = None


class Spare:
    """A compiler that is started, and then made to know what was `before`."""

    def __init__(self, limits: Limits, before: Before | None) -> None:
        """Begin at once."""
        self._before = before
        self._begun = self._knows = False
        self._started = asyncio.create_task(CompilerProcess.start(limits))
        self._prepared = asyncio.create_task(self._prepare())

    async def take(self) -> tuple[CompilerProcess, bool]:
        """Return it, and whether it knows what was before. Raises OSError when it couldn't be started."""
        if not self._begun:
            self._prepared.cancel()
        await asyncio.wait({self._prepared})
        return await self._started, self._knows

    async def prepared(self) -> None:
        """Return once it is ready, and knows what it can."""
        await asyncio.wait({self._prepared})

    async def end(self) -> None:
        """End it, whatever it does."""
        self._prepared.cancel()
        await asyncio.wait({self._prepared})
        with contextlib.suppress(OSError):
            await (await self._started).end()

    async def _prepare(self) -> None:
        if self._before is None:
            return
        await asyncio.sleep(REST_SECONDS)
        try:
            process = await asyncio.shield(self._started)
        except OSError:
            return
        self._begun = True
        try:
            await process.ask(Compile(workspace=self._before.workspace, memory=self._before.memory))
            self._knows = True
            if self._before.base is not None:
                await process.ask(PlanBeside(base=self._before.base, source_hash=""))
        except (WorkspaceError, Inconsistent, CompilerFailed):
            await process.kill()
