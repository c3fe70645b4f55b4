"""Compilers are forked from one server: they share what is loaded and no more; none outlives its owner."""

import asyncio
import os
import resource
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from controlplane.admin import compiler_forks
from controlplane.admin.compiler_forks import FORKS
from controlplane.admin.compiler_messages import Compile, Compiled, Remember, Remembered
from controlplane.admin.compiler_process import CompilerProcess, Limits
from tests.controlplane.planes import run
from tests.rules.workspaces import workspace
from tests.waiting import eventually, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")

OWNER = """
import asyncio, sys
from controlplane.admin.compiler_forks import FORKS
from controlplane.admin.compiler_process import CompilerProcess, Limits

async def main():
    compiler = await CompilerProcess.start(Limits())
    print(FORKS.pid, compiler.pid, flush=True)
    await asyncio.to_thread(sys.stdin.read)

asyncio.run(main())
"""


@asynccontextmanager
async def two() -> AsyncIterator[tuple[CompilerProcess, CompilerProcess]]:
    """Have two compilers, the first of which has started before the second."""
    async with AsyncExitStack() as stack:
        first, second = [await CompilerProcess.start(Limits()) for _ in range(2)]
        for each in (first, second):
            stack.push_async_callback(each.end)
        yield first, second


def descriptors_of(pid: int) -> set[str]:
    """Return what a process has open."""
    return {str(each.readlink()) for each in Path(f"/proc/{pid}/fd").iterdir()}


def environment_of(pid: int) -> str:
    return Path(f"/proc/{pid}/environ").read_text()


def runs(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


def test_a_compiler_has_no_descriptor_but_its_own_and_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIGHTBULB_STORE_PASSWORD", "secret")
    FORKS.end()

    async def scenario() -> None:
        async with two() as compilers:
            seen: set[str] = set()
            for each in compilers:
                assert isinstance(await each.ask(Remember()), Remembered)
                own = descriptors_of(each.pid)
                assert {name.partition(":")[0] for name in own} == {"/memfd", "socket"}
                assert len(own) == 2
                assert seen & own == set()
                seen |= {name for name in own if name.startswith("socket")}
                assert "secret" not in environment_of(each.pid)
                assert os.getsid(each.pid) == each.pid != FORKS.pid

    run(scenario)


def test_who_kills_a_compiler_kills_no_other() -> None:
    async def scenario() -> None:
        async with two() as (first, second):
            os.kill(first.pid, signal.SIGSEGV)
            await eventually("it to have ended", lambda: not first.alive)
            assert isinstance(await second.ask(Compile(workspace=workspace())), Compiled)

    run(scenario)


def test_compilers_end_with_their_server_and_the_next_has_another() -> None:
    async def scenario() -> None:
        async with two() as compilers:
            before = FORKS.pid
            assert before is not None
            os.kill(before, signal.SIGKILL)
            await eventually("all to have ended", lambda: not any(each.alive for each in compilers))
            await eventually("all to be gone", lambda: not any(runs(each.pid) for each in compilers))
        async with two() as (first, _):
            assert FORKS.pid != before
            assert isinstance(await first.ask(Compile(workspace=workspace())), Compiled)

    run(scenario)


def test_a_server_that_hangs_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler_forks, "_END_SECONDS", 0.1)

    async def scenario() -> None:
        async with two() as compilers:
            assert FORKS.pid is not None
            os.kill(FORKS.pid, signal.SIGSTOP)
            await compilers[0].kill()
            await eventually("the other to have ended", lambda: not compilers[1].alive)

    run(scenario)


def test_who_hangs_up_while_a_compiler_starts_leaves_none() -> None:
    async def scenario() -> None:
        FORKS.end()
        starting = asyncio.create_task(CompilerProcess.start(Limits()))
        await eventually("the server to start", lambda: FORKS.pid)
        starting.cancel()
        async with two() as compilers:
            server = FORKS.pid
            children = Path(f"/proc/{server}/task/{server}/children")
            own = {each.pid for each in compilers}
            await eventually("no other to run", lambda: set(map(int, children.read_text().split())) == own)

    run(scenario)


def test_a_server_that_may_open_no_more_files_says_so_and_goes_on() -> None:
    async def scenario() -> None:
        async with two() as (_, second):
            assert FORKS.pid is not None
            before = resource.prlimit(FORKS.pid, resource.RLIMIT_NOFILE)
            resource.prlimit(FORKS.pid, resource.RLIMIT_NOFILE, (5, before[1]))  # it has those open
            try:
                with pytest.raises(OSError, match="may open no more files"):
                    await CompilerProcess.start(Limits())
            finally:
                resource.prlimit(FORKS.pid, resource.RLIMIT_NOFILE, before)
            assert isinstance(await second.ask(Compile(workspace=workspace())), Compiled)

    run(scenario)


def test_nothing_outlives_an_owner_that_is_killed() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", OWNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as owner:
        assert owner.stdout is not None
        pids = [int(each) for each in owner.stdout.readline().split()]
        assert len(pids) == 2
        assert all(map(runs, pids))
        owner.kill()
    until("its processes to end", lambda: not any(map(runs, pids)))
