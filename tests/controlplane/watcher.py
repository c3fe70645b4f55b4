"""Somebody who watches a rollout over the API, as a command line does."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from lightbulb.v1 import control_plane_pb2 as pb
from tests.controlplane.planes import Plane
from tests.waiting import eventually


class Watcher:
    """Keeps every status that it was told."""

    def __init__(self) -> None:
        self.told: list[pb.GetStatusResponse] = []

    def steps(self, since: int = 0) -> list[tuple[str, int, int]]:
        """Return phase, active and target generation of each step, without what came in between."""
        steps: list[tuple[str, int, int]] = []
        for status in self.told[since:]:
            phase = pb.Phase.Name(status.phase).removeprefix("PHASE_")
            step = (phase, status.active_generation, status.target_generation)
            if steps[-1:] != [step]:
                steps.append(step)
        return steps

    async def sees(self, what: str, condition: Callable[[pb.GetStatusResponse], object]) -> None:
        """Wait until what was told last is so."""
        await eventually(what, lambda: self.told and condition(self.told[-1]))


@contextlib.asynccontextmanager
async def watching(plane: Plane) -> AsyncIterator[Watcher]:
    watcher = Watcher()

    async def watch() -> None:
        async for status in plane.stub.Watch(pb.WatchRequest()):
            watcher.told.append(status)

    task = asyncio.create_task(watch())
    try:
        yield watcher
    finally:
        task.cancel()
        await asyncio.wait({task})
