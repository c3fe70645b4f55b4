"""One publish of a tenant: compiled once, and planned anew only where what its plan stands on has changed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from controlplane.admin.compiler_messages import Planned
from controlplane.admin.compilers import CompiledWorkspace, Compilers
from controlplane.model import Platform, Workspace
from controlplane.planning.beside import Base
from controlplane.problems import Problem, WorkspaceError
from controlplane.replica.replica import StoreView
from controlplane.rules.platform import FLEET, fleet_of


class Publishing:
    """Of one workspace. `stack` holds its compiler; `base_in` says what any plan of its tenant stands on."""

    def __init__(
        self,
        workspace: Workspace,
        tenant: str,
        compilers: Compilers,
        stack: contextlib.AsyncExitStack,
        base_in: Callable[[StoreView], Base],
    ) -> None:
        """Have compiled and planned nothing yet."""
        self._workspace = workspace
        self._tenant = tenant
        self._compilers = compilers
        self._stack = stack
        self._base_in = base_in
        self._compiled: CompiledWorkspace | None = None
        self._fleet: bytes | None = None
        self._planned: tuple[Base, Planned] | None = None
        self._base: tuple[StoreView, Base] | None = None

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What its author may want to know."""
        return self._compiled.warnings if self._compiled is not None else ()

    async def compile_for(self, known: StoreView) -> CompiledWorkspace:
        """Compile it with the fleet that it is to stand on, unless that is done."""
        whole = _with_fleet(self._workspace, known.platform, self._tenant)
        if self._compiled is None or self._fleet != whole.files.get(FLEET):
            self._planned = self._base = None
            self._compiled = await self._stack.enter_async_context(self._compilers.compiled(whole))
            self._fleet = whole.files.get(FLEET)
        return self._compiled

    async def plan_for(self, known: StoreView, source_hash: str) -> None:
        """Plan it beside what is there, unless it was, beside the same."""
        ready = await self.compile_for(known)
        base = await self._base_of(known)
        if self._planned is None or self._planned[0] != base:
            self._planned = base, await ready.plan(base, source_hash)

    async def planned_for(self, known: StoreView) -> Planned | None:
        """Return its plan; None when it has none, or one that stands on something else."""
        whole = _with_fleet(self._workspace, known.platform, self._tenant)
        if self._planned is None or self._fleet != whole.files.get(FLEET):
            return None
        base, planned = self._planned
        return planned if await self._base_of(known) == base else None

    async def _base_of(self, known: StoreView) -> Base:
        """Return what its plan stands on; while nothing has changed at all, that is known."""
        names = (await self.compile_for(known)).names

        def find() -> Base:
            return self._base_in(known).for_names(names)

        if self._base is None or self._base[0] is not known:
            self._base = known, await asyncio.to_thread(find)
        return self._base[1]


def _with_fleet(workspace: Workspace, platform: Platform | None, tenant: str) -> Workspace:
    """Return a tenant's workspace with the platform's fleet in it; as it is where there is no platform."""
    if platform is None:
        return workspace
    if FLEET in workspace.files:
        raise WorkspaceError(
            [
                Problem(
                    file=FLEET,
                    code="FLEET_OF_PLATFORM",
                    message="the fleet is the platform's here",
                    remedy="take the file out; to change it: lightbulb publish FOLDER --tenant platform",
                )
            ]
        )
    return Workspace(files={**workspace.files, FLEET: fleet_of(platform, tenant)})
