"""Workspaces are compiled in processes of their own: to the same bytes, within bounds, out of the way."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import grpc
import pytest

from controlplane.admin import spare
from controlplane.admin.compiler_forks import FORKS
from controlplane.admin.compiler_messages import (
    SIZES,
    Compile,
    Compiled,
    Doing,
    Faulty,
    OutOfMemory,
    PlanBeside,
    Planned,
    Strange,
    Unservable,
    answer_from,
    request_from,
    sizes_of,
    to_frame,
)
from controlplane.admin.compiler_process import CompilerFailed, Limits
from controlplane.admin.compilers import Compilers, Room, Stopping, TooManyPublishes
from controlplane.admin.planner import base_of
from controlplane.admin.spare import Before
from controlplane.model import Workspace
from controlplane.planning import beside
from controlplane.planning.beside import Base, Names, Others, plan_beside
from controlplane.planning.layers import Layers, Part, in_layers
from controlplane.problems import Problem, Severity, WorkspaceError
from controlplane.rollout.codec import plan_to_bytes
from controlplane.rollout.state import Generation, Phase, Rollout
from controlplane.rules.compile import compile_workspace
from controlplane.rules.workspace import content_hash, read_workspace
from lightbulb.model import DEFAULT_TENANT
from tests.controlplane.planes import DEADLINE, plane, refused, run, told
from tests.controlplane.workspaces import request_of
from tests.rollout.rollouts import alone
from tests.rules.workspaces import rule, workspace
from tests.waiting import eventually

PROBLEM = Problem(file="f", line=1, rule="r", code="C", message="m", remedy="x")
RULES = Path(__file__).parents[2] / "rules"
LARGE = workspace(models_yaml="models: [" + "a, " * 1_300_000 + "]")
ENDLESS = workspace(more_js=rule("x: (() => { for (;;); })()"))


@asynccontextmanager
async def compilers(**room: object) -> AsyncIterator[Compilers]:
    """Have compilers for a while."""
    it = Compilers(Room(**room))
    try:
        yield it
    finally:
        await it.stop()


async def problems_of(it: Compilers, files: Workspace) -> tuple[Problem, ...]:
    """Return the problems of a workspace; fail when it has none."""
    with pytest.raises(WorkspaceError) as caught:
        async with it.compiled(files):
            pass
    return caught.value.problems


def children_of(pid: int) -> list[int]:
    """Return the processes that a process has started, and those of theirs.

    A whole system that another test runs beside this one is left out: it has a compiler of its own.
    """
    try:
        own = [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []
    own = [each for each in own if " -m controlplane " not in command_of(each)]
    return [found for each in own for found in (each, *children_of(each))]


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except FileNotFoundError:
        return ""


def running(part: str) -> list[int]:
    """Return which processes under this one have something in their command."""
    return [pid for pid in children_of(os.getpid()) if part in command_of(pid)]


def compiling() -> list[int]:
    """Return the compilers of this process: what its server has forked."""
    return [pid for pid in running("compiler_server") if pid != FORKS.pid]


def test_a_compiler_gives_the_bytes_that_this_process_gives() -> None:
    files = read_workspace(RULES)
    rules, source_hash = compile_workspace(files), content_hash(files)
    first = Generation(number=1, content_hash="", plan=plan_beside(rules, Base())[0])
    rollout = Rollout(phase=Phase.SETTLED, entered=0.0, active=1, live=(1,), held=(1,))
    parts = (Part(tenant="ads", test="t", begin=9_000, end=9_001),)
    layers = Layers(tenant="home", owners={"ranking": "search"}, taken={"layer:search/other": parts})
    bases = [
        Base(),
        base_of(alone(rollout), DEFAULT_TENANT, {1: first}),
        base_of(alone(rollout), DEFAULT_TENANT, {1: first}, layers=layers),
    ]

    async def scenario() -> None:
        async with compilers() as it, it.compiled(files) as compiled:
            for base in bases:
                own = replace(rules, tables=in_layers(rules.tables, base.layers))
                plan, release = plan_beside(own, base)
                planned = await compiled.plan(base, source_hash)
                names = tuple(table.objective for table in plan.tables)
                content = plan_to_bytes(plan, source_hash)
                assert planned == Planned(content=content, release=release, objectives=names)

    run(scenario)


def test_problems_are_those_that_this_process_finds() -> None:
    bad = workspace(models_yaml="models: [", more_js=rule("defaultModel: {name: 'nobody'}"))
    with pytest.raises(WorkspaceError) as caught:
        compile_workspace(bad)

    async def scenario() -> None:
        async with compilers() as it:
            assert await problems_of(it, bad) == caught.value.problems

    run(scenario)


@pytest.mark.parametrize(
    ("limits", "files", "said"),
    [
        (
            Limits(cpu_seconds=1),
            LARGE,
            "more than the 1 s of CPU that there are; it was ended reading its YAML files",
        ),
        (
            Limits(memory_mib=150),
            LARGE,
            "more than the 150 MiB of memory that there are; it was ended reading its YAML files",
        ),
        (
            Limits(seconds=1.0),
            ENDLESS,
            "more than the 1 s that there are; it was ended evaluating its rules",
        ),
    ],
)
def test_what_goes_beyond_a_limit_is_a_problem_that_names_it(
    limits: Limits, files: Workspace, said: str
) -> None:
    async def scenario() -> None:
        async with compilers(limits=limits) as it:
            (problem,) = await problems_of(it, files)
            assert (problem.code, problem.message) == ("TOO_COSTLY", f"to compile it takes {said}")

    run(scenario)


@pytest.mark.parametrize("killed", [signal.SIGKILL, signal.SIGSEGV])
def test_a_compiler_that_somebody_kills_fails_one_publish_and_changes_nothing(
    killed: signal.Signals, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with plane(f"sqlite:{tmp_path}/store.db") as it:
            await it.publish(1)
            call = it.stub.Publish(request_of(ENDLESS), timeout=DEADLINE)
            await eventually("the sandbox", lambda: running("sandbox_child"))
            (busy,) = [pid for pid in compiling() if children_of(pid)]
            os.kill(busy, killed)
            info = await told(call)
            assert info.reason == "COMPILER_FAILED"
            await eventually("the sandbox to be gone", lambda: not running("sandbox_child"))
            assert it.rollout.newest == 1
            assert (await it.publish(2)).generation == 2

    run(scenario)


def test_more_publishes_than_may_wait_are_refused_and_those_that_wait_too_long() -> None:
    async def scenario() -> None:
        async with compilers(at_once=1, waiting=1, seconds=0.2) as it:
            good = workspace()
            async with it.compiled(good):
                waiting = asyncio.create_task(problems_of(it, good))
                await asyncio.sleep(0)
                with pytest.raises(TooManyPublishes, match="1 publishes wait for their turn already"):
                    await problems_of(it, good)
                with pytest.raises(TooManyPublishes, match=r"1 other publishes .* for 0.2 s; try later"):
                    await waiting
            async with it.compiled(good):
                pass

    run(scenario)


def test_several_publishes_go_on_side_by_side_and_all_come_to_something(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with plane(f"sqlite:{tmp_path}/store.db") as it:
            await it.publish(1)
            endless = it.stub.Publish(request_of(ENDLESS), timeout=DEADLINE)
            await eventually("the sandbox", lambda: running("sandbox_child"))
            assert (await it.publish(2)).generation == 2
            assert not endless.done()
            answers = await asyncio.gather(*(it.publish(number) for number in (3, 4, 5, 4)))
            assert {each.generation for each in answers} <= {3, 4, 5, 6}
            assert [each.code for each in (await endless).problems] == ["TIME_LIMIT"]

    run(scenario)


def test_whoever_hangs_up_leaves_no_process_behind(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with plane(f"sqlite:{tmp_path}/store.db") as it:
            call = it.stub.Publish(request_of(ENDLESS), timeout=DEADLINE)
            await eventually("the sandbox", lambda: running("sandbox_child"))
            call.cancel()
            await eventually("the sandbox to be gone", lambda: not running("sandbox_child"))
            assert (await it.publish(1)).generation == 1

    run(scenario)


def test_a_control_plane_that_ends_leaves_no_process_behind(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with plane(f"sqlite:{tmp_path}/store.db") as it:
            call = it.stub.Publish(request_of(ENDLESS), timeout=DEADLINE)
            await eventually("the sandbox", lambda: running("sandbox_child"))
            answered = asyncio.create_task(refused(call))
            await it.control_plane.stop()
            it.running = False
            assert running("sandbox_child") == compiling() == []
            assert (await answered)[0] is grpc.StatusCode.UNAVAILABLE
            await it.channel.close()
            await asyncio.to_thread(it.store.close)

    run(scenario)


@pytest.mark.parametrize(
    "answer",
    [
        Doing(stage="é"),
        Compiled(names=Names(objectives=(), models=())),
        Compiled(
            names=Names(objectives=("Ranking",), models=("m@1", "m@2")),
            warnings=(replace(PROBLEM, severity=Severity.WARNING),),
        ),
        Planned(content=b"\0x", release=None),
        Planned(content=b"", release=()),
        Planned(content=b"", release=(1, 2), objectives=("é", "o")),
        Faulty(problems=(PROBLEM,)),
        Unservable(message="no"),
        OutOfMemory(),
    ],
)
def test_answers_come_back_as_they_were(answer: Doing) -> None:
    frame = to_frame(answer)
    head, body = sizes_of(frame[: SIZES.size])
    said = frame[SIZES.size :]
    assert answer_from(said[:head], said[head : head + body]) == answer
    assert len(said) == head + body


ON_A, ON_B = {"m@1": 5, "n@1": 6}, {"m@2": 7}
BESIDE = Base(
    rooms=(
        beside.Room(release=None, loaded={"a": ON_A, "b": ON_B}, own={"a": ON_A}),
        beside.Room(release=(1, 2), loaded={"a": ON_A, "b": ON_A}),
    ),
    before={"m@1": "a", "m@2": "b", "n@1": "a"},
    vips={"vip-a": ("a", 1)},
    stay=(3,),
    others=Others(objectives={"O": "t"}, models={"m@2": ("t", "7MiB")}, memory_mib={"t": 7}),
    memory_mib=9,
)


@pytest.mark.parametrize(
    "request_",
    [
        Compile(workspace=workspace()),
        PlanBeside(base=Base(), source_hash="x"),
        PlanBeside(base=BESIDE, source_hash="x"),
    ],
)
def test_requests_come_back_as_they_were(request_: Compile) -> None:
    frame = to_frame(request_)
    head, _ = sizes_of(frame[: SIZES.size])
    said = frame[SIZES.size :]
    assert request_from(said[:head], said[head:]) == request_


@pytest.mark.parametrize(
    "said", [b"", b"{", b"[" * 100_000, b"1", b'{"doing": 1}', b'{"is": "X"}', b'{"problems": [{"file": 1}]}']
)
def test_what_no_compiler_says_is_refused(said: bytes) -> None:
    with pytest.raises(Strange):
        answer_from(said, b"")
    with pytest.raises(Strange):
        sizes_of(SIZES.pack(2**32 - 1, 0))


def test_a_compiler_that_cannot_be_started_is_said() -> None:
    async def scenario() -> None:
        async with compilers() as it:
            await it.stop()
            with pytest.raises(Stopping, match="is stopping"):
                await problems_of(it, workspace())

    run(scenario)


BODY = "when: context.country.eq('NO'), model: {name: 'fancy'}"
EDITED = workspace(more_js=rule(BODY))


async def planned(it: Compilers, files: Workspace) -> bytes:
    """Compile and plan a workspace; return once what was found in it is kept, or isn't."""
    async with it.compiled(files) as compiled:
        content = (await compiled.plan(Base(), "")).content
    await eventually("its compiler to end", lambda: it._retiring is None and not it._running)
    return content


def expected(files: Workspace) -> bytes:
    return plan_to_bytes(plan_beside(compile_workspace(files), Base())[0], "")


@pytest.mark.parametrize("rest", [0.0, 600.0], ids=["that knows it", "that is told in time"])
def test_what_one_compiler_found_the_next_needn_t_look_for(
    rest: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spare, "REST_SECONDS", rest)

    async def scenario() -> None:
        async with compilers() as it:
            assert await planned(it, workspace()) == expected(workspace())
            assert it._before is not None
            assert it._before.memory
            ready = it._spare
            assert ready is not None
            if not rest:
                await eventually("the next one to know it", lambda: ready._knows)
            assert await planned(it, EDITED) == expected(EDITED)
            assert await problems_of(it, workspace(more_js=rule("x: 1")))
            assert await planned(it, workspace()) == expected(workspace())

    run(scenario)


@pytest.mark.parametrize("memory", [b"", b"nonsense", b"lightbulb memory 1 a b\n", b"\xff\n\n" * 99])
def test_a_compiler_that_is_told_nonsense_finds_all_by_itself(memory: bytes) -> None:
    async def scenario() -> None:
        async with compilers() as it:
            it._before = Before(workspace=workspace(), memory=memory)
            assert await planned(it, EDITED) == expected(EDITED)

    run(scenario)


def test_a_compiler_that_fails_takes_with_it_what_it_was_told() -> None:
    async def scenario() -> None:
        async with compilers() as it:
            await planned(it, workspace())
            failing = asyncio.create_task(problems_of(it, ENDLESS))
            await eventually("it to be busy", lambda: it._running)
            for process in tuple(it._running):
                os.kill(process.pid, signal.SIGKILL)
            with pytest.raises(CompilerFailed):
                await failing
            assert it._before is None
            assert await planned(it, EDITED) == expected(EDITED)

    run(scenario)
