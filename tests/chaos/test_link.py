"""The link of the chaos harness: a partition must be one, or the row about it shows nothing."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from chaos.fleet import LINK, LINKED, Fleet, changed
from controlplane.cli.processes import free_ports

SECONDS = 60.0
QUIET_SECONDS = 0.3
"""So long nothing must come; through a link that is whole it takes some milliseconds."""


@dataclass
class Linked:
    process: subprocess.Popen[bytes]
    port: int
    target: socket.socket

    def connect(self) -> socket.socket:
        deadline = time.monotonic() + SECONDS
        while True:
            try:
                return socket.create_connection(("127.0.0.1", self.port), timeout=SECONDS)
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.02)

    def accept(self) -> socket.socket:
        accepted, _ = self.target.accept()
        accepted.settimeout(SECONDS)
        return accepted

    def cut(self) -> None:
        self.process.send_signal(signal.SIGSTOP)
        os.waitpid(self.process.pid, os.WUNTRACED)  # returns once it stands

    def mend(self) -> None:
        self.process.send_signal(signal.SIGCONT)


@pytest.fixture
def linked() -> Iterator[Linked]:
    with socket.create_server(("127.0.0.1", 0)) as target:
        target.settimeout(SECONDS)
        (port,) = free_ports(1)
        way = f"127.0.0.1:{port}=127.0.0.1:{target.getsockname()[1]}"
        process = subprocess.Popen([sys.executable, "-m", "chaos.link", "0.01", way])
        try:
            yield Linked(process, port, target)
        finally:
            process.kill()
            process.wait()


def assert_quiet(end: socket.socket) -> None:
    end.settimeout(QUIET_SECONDS)
    with pytest.raises(TimeoutError):  # neither a byte nor an end
        end.recv(1)
    end.settimeout(SECONDS)


def test_it_passes_on_what_comes_and_who_ends_it_ends_it_for_both(linked: Linked) -> None:
    with linked.connect() as near, linked.accept() as far:
        near.sendall(b"there")
        assert far.recv(5, socket.MSG_WAITALL) == b"there"
        far.sendall(b"back")
        assert near.recv(4, socket.MSG_WAITALL) == b"back"
        far.close()
        assert near.recv(1) == b""


def test_a_partition_lets_nothing_through_and_tells_nobody(linked: Linked) -> None:
    with linked.connect() as near, linked.accept() as far:
        linked.cut()
        near.sendall(b"there")
        far.sendall(b"back")
        with linked.connect() as late:  # taken, and ignored
            late.sendall(b"hello?")
            for end in (near, far, late):
                assert_quiet(end)
            linked.mend()
            assert far.recv(5, socket.MSG_WAITALL) == b"there"
            assert near.recv(4, socket.MSG_WAITALL) == b"back"
            with linked.accept() as later:
                assert later.recv(6, socket.MSG_WAITALL) == b"hello?"


def test_nothing_listening_at_the_target_ends_what_comes(linked: Linked) -> None:
    linked.target.close()
    with linked.connect() as near:
        assert near.recv(1) == b""


def test_one_sidecar_reaches_the_control_planes_over_the_link_and_the_other_directly(tmp_path) -> None:
    fleet = Fleet(tmp_path)
    planes, ways = (",".join(map(str, addresses)) for addresses in (fleet.layout.control_planes, fleet.ways))
    assert planes in fleet.parts["sidecar-1"].command
    linked = fleet.parts[LINKED].command
    assert ways in linked
    assert not any(str(plane) in argument for plane in fleet.layout.control_planes for argument in linked)
    pairs = [f"{way}={plane}" for way, plane in zip(fleet.ways, fleet.layout.control_planes, strict=True)]
    assert list(fleet.parts[LINK].command[-2:]) == pairs


def test_changed_changes_the_values_of_flags_and_nothing_else() -> None:
    assert changed(["run", "--to", "a", "--from", "b"], {"--to": "c"}) == ["run", "--to", "c", "--from", "b"]
    assert changed([], {"--to": "c"}) == []
