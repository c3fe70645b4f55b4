"""What the commands say of a rollout: a control plane in this process, and the command in its own."""

import asyncio
import contextlib
import re
import socket
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from rich.console import Console

from controlplane.cli.consumers import short_type
from controlplane.cli.control_plane import CallFailed
from controlplane.cli.everywhere import not_everywhere
from controlplane.cli.follow import _Told, follow
from controlplane.cli.options import Address
from lightbulb.ads.values import PUSH_ORDER
from lightbulb.v1 import control_plane_pb2 as pb
from tests.controlplane.peers import host, sidecar
from tests.controlplane.planes import DEADLINE, POLICY, Plane, run, system
from tests.controlplane.workspaces import files
from tests.controlplane.worlds import world
from tests.waiting import eventually


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
        "controlplane",
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
                "error: generation 2 isn't active after 1 s: loading, waiting for host h1 (models). "
                "It goes on by itself: see `lightbulb status`\n"
            )
            it.host.release()
            await it.plane.active(2)

    run(scenario)


def test_a_rollback_is_told_of_once_every_lightbulb_answers_from_it(store: str) -> None:
    async def scenario() -> None:
        async with world(store, replace(POLICY, lease=60)) as it:
            await it.published(2)
            told = await done(it.plane, "rollback")
            assert it.lightbulb.generation == 1
            assert (told.code, told.err) == (0, "")
            assert re.fullmatch(
                r"generation 1 is active at every Lightbulb, after \d\.\d\d s, in place of 2\n", told.out
            )
            again = await done(it.plane, "rollback", "1")
            assert (again.code, again.out) == (0, "generation 1 was active already, at every Lightbulb\n")
            await it.lightbulb.disconnect()
            told = await done(it.plane, "rollback", "2")
            assert (told.code, told.out) == (1, "")
            assert "not yet at: lightbulb l1 (disconnected)" in told.err

    run(scenario)


def test_a_rollback_that_a_lightbulb_hasnt_taken_yet_says_so(store: str) -> None:
    async def scenario() -> None:
        async with world(store) as it:
            await it.published(2)
            it.lightbulb.hold()
            told = await done(it.plane, "rollback")
            assert (told.code, told.out) == (1, "")
            assert re.fullmatch(
                r"warning: generation 1 is active, but not yet at: lightbulb l1 \(not synced: generation\); "
                r"see `lightbulb status`\n",
                told.err,
            )
            assert it.plane.rollout.active == 1
            it.lightbulb.release()
            await it.lightbulb_at(1)

    run(scenario)


def test_a_rollback_where_there_is_no_lightbulb_doesnt_claim_one(store: str) -> None:
    async def scenario() -> None:
        peers = host(), sidecar()
        async with system(store, peers) as plane:
            await plane.knows(*peers)
            await plane.published(1)
            await plane.published(2)
            told = await done(plane, "rollback")
            assert (told.code, told.out) == (
                0,
                "generation 1 is active, in place of 2; no Lightbulb is connected\n",
            )

    run(scenario)


def test_what_a_replica_hasnt_heard_yet_is_no_acknowledgement() -> None:
    there = pb.Consumer(kind="lightbulb", node_id="l1")
    other = pb.Consumer(kind="lightbulb", node_id="l2", stale=True)
    status = pb.GetStatusResponse(active_generation=1, consumers=[other, there])
    assert "not yet at: lightbulb l2 (not heard from yet); see" in not_everywhere(status, 1)
    assert not_everywhere(status, 2).startswith(
        "generation 2 was made active, but generation 1 is active by now"
    )
    other.stale = False
    assert not_everywhere(pb.GetStatusResponse(active_generation=1, consumers=[other, there]), 1) == ""


def test_a_log_gets_a_line_for_each_phase_and_each_change_of_who_is_waited_for(
    store: str, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with world(store) as it:
            for each in it.peers:
                each.hold()
            async with command(it.plane, "publish", workspace(tmp_path, 2)) as process:
                assert process.stdout is not None

                async def line(text: str) -> None:
                    printed = ""
                    while not re.fullmatch(text, printed.rstrip()):
                        # what it waits for may be told in more steps than these
                        assert not printed or printed.startswith("generation 2: "), printed
                        assert process.stdout is not None
                        printed = (await asyncio.wait_for(process.stdout.readline(), DEADLINE)).decode()
                        assert printed, text

                sidecars = r"sidecar s1 \(routes\); sidecar s2 \(routes\)"
                await line(r"generation 2 \(\w+\) is on its way")
                await line(r"generation 2: loading, waiting for host h1 \(models\)")
                it.host.release()
                await line(r"  loading +\d+\.\d s")
                await line(rf"generation 2: routing, waiting for lightbulb l1 \(tables\); {sidecars}")
                it.lightbulb.release()
                await line(f"generation 2: routing, waiting for {sidecars}")
                it.sidecars[0].release()
                it.sidecars[1].release()
                await line(r"  routing +\d+\.\d s")
                await line("generation 2 is active; loaded for a rollback: 1")
                assert await process.stdout.read() == b""

    run(scenario)


def test_a_log_gets_one_line_a_second_of_the_same_phase_and_one_at_once_of_another() -> None:
    told = _Told(phase=pb.PHASE_LOADING, doing="loading, waiting for host h1", at=100.0)
    assert not told.calls_for_another(pb.PHASE_LOADING, "loading, waiting for host h1", 200.0)
    assert not told.calls_for_another(pb.PHASE_LOADING, "loading, waiting for host h2", 100.9)
    assert told.calls_for_another(pb.PHASE_LOADING, "loading, waiting for host h2", 101.0)
    assert told.calls_for_another(pb.PHASE_ROUTING, "routing", 100.1)


def test_a_status_says_in_short_what_each_is_behind_on(store: str) -> None:
    async def scenario() -> None:
        async with world(store) as it:
            it.host.hold()
            await it.plane.publish(2)
            await it.says("waiting for host h1")
            told = await done(it.plane, "status")
            assert re.search(r"^host +h1 +not synced: models$", told.out, re.MULTILINE), told.out
            assert "type.googleapis.com" not in told.out
            it.host.release()
            await it.settled()

    run(scenario)


@pytest.mark.parametrize("known", PUSH_ORDER)
def test_every_type_has_a_short_name(known: str) -> None:
    assert re.fullmatch("[a-z]+", short_type(known))


@pytest.mark.parametrize(
    ("unknown", "short"), [("type.googleapis.com/a.v3.Secret", "Secret"), ("Bare", "Bare"), ("", "")]
)
def test_a_type_that_isnt_known_is_shown_by_the_last_part_of_its_name(unknown: str, short: str) -> None:
    assert short_type(unknown) == short


def test_the_history_says_what_was_withdrawn(store: str) -> None:
    async def scenario() -> None:
        async with world(store) as it:
            it.host.refuses = {"rank@2": "no"}
            await it.plane.publish(2)
            await eventually("the NACK", lambda: it.plane.rollout.withdrawn == 2)
            told = await done(it.plane, "history")
            assert re.search(r"^2 +withdrawn +\d", told.out, re.MULTILINE), told.out

    run(scenario)


def test_only_a_control_plane_that_had_time_to_answer_is_said_not_to(monkeypatch: pytest.MonkeyPatch) -> None:
    published = pb.PublishResponse(generation=2, version=1)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        addresses = (Address("127.0.0.1", mute.getsockname()[1]),)
        with pytest.raises(CallFailed, match=r"generation 2 isn't active after 0\.5 s; see"):
            follow(addresses, published, 0.5, Console())
        monkeypatch.setattr("controlplane.cli.follow.WATCH_SECONDS", 0.2)
        with pytest.raises(CallFailed, match=r"no control plane at .* \(it doesn't answer in time\)"):
            follow(addresses, published, 0.5, Console())
