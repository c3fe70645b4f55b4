"""What the commands say of a rollout: a control plane in this process, and the command in its own."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.controlplane.planes import DEADLINE, Plane, run
from tests.controlplane.workspaces import files
from tests.controlplane.worlds import world


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


@contextlib.asynccontextmanager
async def command(plane: Plane, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a `lightbulb` command, without a terminal; it has ended at the end of the block."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "lightbulbctl",
        *arguments,
        "--control-plane",
        plane.target,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def done(plane: Plane, *arguments: str) -> Done:
    async with command(plane, *arguments) as process:
        out, err = await asyncio.wait_for(process.communicate(), DEADLINE)
    assert process.returncode is not None
    return Done(process.returncode, out.decode(), err.decode())


@pytest.fixture
def store(tmp_path: Path) -> str:
    return f"sqlite:{tmp_path}/store.db"


def workspace(folder: Path, version: int) -> str:
    """Return a folder with a version of the small workspace."""
    place = folder / f"rules-{version}"
    place.mkdir()
    for name, content in files(version).items():
        (place / name).write_bytes(content)
    return str(place)


def test_a_wait_that_runs_out_says_how_far_it_is_and_whom_it_waits_for(store: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with world(store) as it:
            it.host.hold()
            told = await done(it.plane, "publish", workspace(tmp_path, 2), "--wait", "1")
            assert told.code == 1
            assert told.err == (
                "error: generation 2 isn't active after 1 s: loading, waiting for host h1. "
                "It goes on by itself: see `lightbulb status`\n"
            )
            it.host.release()
            await it.plane.active(2)

    run(scenario)
