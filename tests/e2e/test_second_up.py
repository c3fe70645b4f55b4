"""`lightbulb up` beside a first one, beside what is left of one, and after its terminal was closed."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from controlplane.cli.processes import free_ports
from tests.e2e.conftest import SECONDS, Up
from tests.waiting import until

pytestmark = pytest.mark.envoy

FLAGS = ("--control-plane", "--lightbulb", "--sidecar", "--sidecar-admin", "--first-host")


@contextlib.contextmanager
def started(
    folder: Path, addresses: list[str], prefix: tuple[str, ...] = ()
) -> Iterator[subprocess.Popen[str]]:
    """`lightbulb up` of the template; it is killed at the end, should it still run."""
    where = [part for pair in zip(FLAGS, addresses, strict=True) for part in pair]
    command = [*prefix, sys.executable, "-m", "controlplane", "up", "--state-dir", str(folder), *where]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, cwd=folder, stdout=pipe, stderr=pipe, text=True, start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def taken(text: str) -> list[int]:
    """Return the ids of the processes that a message says are to be ended."""
    found = re.search(r"^error: to end what listens there already: kill (.*)$", text, re.MULTILINE)
    assert found is not None, text
    return [int(each) for each in found[1].split()]


@pytest.fixture
def addresses() -> list[str]:
    return [f"127.0.0.1:{port}" for port in free_ports(len(FLAGS) + 2)[: len(FLAGS)]]


def test_beside_a_running_one_it_names_that_one(up: Up) -> None:
    refused = up.run("up", "--control-plane", up.control_plane, "--sidecar", up.sidecar)
    assert refused.returncode == 1
    by = f"Address already in use by `lightbulb up`, process {up.process.pid}"
    assert f"error: can't listen on {up.sidecar} ({by}); choose another with --sidecar" in refused.stderr
    assert taken(refused.stderr) == [up.process.pid]


def test_what_is_left_of_a_killed_one_is_named_and_can_be_ended_as_it_says(
    tmp_path: Path, addresses: list[str]
) -> None:
    left: list[int] = []
    try:
        with started(tmp_path, addresses) as first:
            until("all to be started", lambda: len(children(first.pid)) == 6)
            left = children(first.pid)
            until("all to listen", lambda: all(_listened_on(each) for each in addresses))
            first.kill()
            first.wait(SECONDS)
        with started(tmp_path, addresses) as second:
            _, said = second.communicate(timeout=SECONDS)
        assert second.returncode == 1
        by = "Address already in use by `lightbulb control-plane`, process "
        assert f"can't listen on {addresses[0]} ({by}" in said
        assert set(taken(said)) <= set(left)
        subprocess.run(["kill", *map(str, taken(said))], check=True)
        until("the ports to be free", lambda: not any(_listened_on(each) for each in addresses))
    finally:
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def test_a_terminal_that_is_closed_ends_it_with_all_its_children(
    tmp_path: Path, addresses: list[str]
) -> None:
    terminal, end = os.openpty()
    # Who leads a session has the terminal that it opens first for its own.
    attached = ("sh", "-c", f'exec "$@" <>{os.ttyname(end)} >&0 2>&0', "sh")
    with started(tmp_path, addresses, attached) as process:
        printed = b""
        while b"Ctrl-C stops everything" not in printed:
            printed += os.read(terminal, 65536)
        pids = children(process.pid)
        assert len(pids) >= 5
        os.close(end)
        os.close(terminal)
        assert process.wait(SECONDS) == 0
    assert [pid for pid in pids if Path(f"/proc/{pid}").exists()] == []


def _listened_on(address: str) -> bool:
    host, _, port = address.rpartition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0
