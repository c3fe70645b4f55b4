"""`lightbulb sidecar`: one tree of processes, and how it ends."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest

from controlplane.cli.processes import free_ports
from lightbulb.sidecar.process import SidecarFailed, check_free
from lightbulb.sidecar.run import starting_elsewhere
from tests.envoy.lab import SECONDS, Lab, Upstream
from tests.sidecar.lab import KEY, on
from tests.waiting import until

pytestmark = pytest.mark.envoy


class Tree:
    """`lightbulb sidecar` as a process; what it logs goes to `log`."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self._lab = lab
        self._log = folder / "sidecar.log"
        self.state = folder / "100% state"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, control_plane: str = "") -> None:
        settings = self._lab.sidecar.settings
        listen, admin = (":".join(map(str, address)) for address in (settings.listen, settings.admin))
        arguments = ["--listen", listen, "--admin", admin]
        arguments += ["--control-plane", control_plane or f"127.0.0.1:{self._lab.plane.port}"]
        arguments += ["--node-id", settings.node_id, "--state-dir", str(self.state)]
        with self._log.open("ab") as log:
            command = [sys.executable, "-m", "controlplane", "sidecar", *arguments]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(SECONDS)

    def envoy(self) -> int:
        """The process id of Envoy."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        (pid,) = children.split()
        return int(pid)

    def said(self, text: str) -> bool:
        return text in self._log.read_text()

    def kept(self) -> bool:
        return any(self.state.glob("*.last-known-good"))

    def gone(self) -> bool:
        """Whether nobody listens where it did."""
        try:
            check_free(self._lab.sidecar.settings.listen, "--listen")
            check_free(self._lab.sidecar.settings.admin, "--admin")
        except SidecarFailed:
            return False
        return True

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.end(signal.SIGKILL)
            until("Envoy to end, too", self.gone)


class Slow(Upstream):
    """Answers once it is told to."""

    def __init__(self, name: str) -> None:
        self.asked, self.may_answer = threading.Event(), threading.Event()
        super().__init__(name)

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        def say(request: bytes, context: grpc.ServicerContext) -> bytes:
            self.asked.set()
            assert self.may_answer.wait(SECONDS)
            return self.name.encode()

        return grpc.unary_unary_rpc_method_handler(say)


@pytest.fixture
def plain_lab(tmp_path: Path) -> Iterator[Lab]:
    lab = Lab(tmp_path)
    with contextlib.closing(lab):
        lab.plane.start()
        yield lab


@pytest.fixture
def tree(plain_lab: Lab, tmp_path: Path) -> Iterator[Tree]:
    with contextlib.closing(Tree(plain_lab, tmp_path)) as tree:
        yield tree


@pytest.fixture
def running(plain_lab: Lab, tree: Tree) -> Tree:
    plain_lab.upstream("vip-a")
    plain_lab.plane.snapshot = on(plain_lab, "vip-a")
    tree.start()
    until("the sidecar to be synced", lambda: plain_lab.plane.unsynced() == ())
    return tree


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_the_command_takes_requests_and_ends_when_it_is_told(
    plain_lab: Lab, running: Tree, number: signal.Signals
) -> None:
    assert plain_lab.call(KEY).text == "vip-a"
    assert running.end(number) == 0
    assert running.gone()


def test_it_says_goodbye_once_envoy_has_ended(plain_lab: Lab, running: Tree) -> None:
    ended: list[bool] = []
    plain_lab.plane.at_goodbye = lambda: ended.append(running.gone())
    assert running.end(signal.SIGTERM) == 0
    assert plain_lab.plane.left == [plain_lab.sidecar.settings.node_id]
    assert ended == [True]


def test_a_killed_one_says_nothing(plain_lab: Lab, running: Tree) -> None:
    running.end(signal.SIGKILL)
    until("the end of its stream", lambda: plain_lab.plane.stream() is None)
    assert plain_lab.plane.left == []


def test_requests_under_way_end_before_envoy_does(plain_lab: Lab, running: Tree) -> None:
    slow = plain_lab.upstreams["vip-b"] = Slow("vip-b")
    plain_lab.plane.settle(on(plain_lab, "vip-b"))
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(plain_lab.call, KEY, seconds=SECONDS)
        assert slow.asked.wait(SECONDS)
        running.process.send_signal(signal.SIGTERM)
        until("the command to drain", lambda: running.said("draining"))
        assert running.process.poll() is None
        slow.may_answer.set()
        assert answer.result().text == "vip-b"
    assert running.process.wait(SECONDS) == 0


def test_envoys_end_is_the_commands_end_with_its_code(running: Tree) -> None:
    os.kill(running.envoy(), signal.SIGKILL)
    assert running.process.wait(SECONDS) == 128 + signal.SIGKILL


def test_envoy_doesnt_outlive_a_command_that_is_killed_and_the_next_one_starts_from_disk(
    plain_lab: Lab, running: Tree
) -> None:
    until("the state to be kept", running.kept)
    plain_lab.plane.stop()
    running.end(signal.SIGKILL)
    until("Envoy to end, too", running.gone)
    running.start()
    until("it to answer from disk", lambda: plain_lab.call(KEY).text == "vip-a")


def test_a_replica_that_is_down_is_passed_over(plain_lab: Lab, tree: Tree) -> None:
    plain_lab.upstream("vip-a")
    plain_lab.plane.snapshot = on(plain_lab, "vip-a")
    (down,) = free_ports(1)
    tree.start(f"127.0.0.1:{down},127.0.0.1:{plain_lab.plane.port}")
    until("the sidecar to be synced", lambda: plain_lab.plane.unsynced() == ())
    assert plain_lab.call(KEY).text == "vip-a"


def test_an_address_that_is_taken_is_named_with_the_flag(plain_lab: Lab, running: Tree) -> None:
    second = Tree(plain_lab, running.state.parent)
    second.start()
    assert second.process.wait(SECONDS) == 1
    host, port = plain_lab.sidecar.settings.listen
    holder = f"`lightbulb sidecar`, process {running.process.pid}"
    taken = f"(Address already in use by {holder}); choose another with"
    assert second.said(f"error: can't listen on {host}:{port} {taken}")


def test_a_folder_for_state_that_cant_be_made_is_said_and_changes_nothing(plain_lab: Lab, tree: Tree) -> None:
    plain_lab.upstream("vip-a")
    plain_lab.plane.snapshot = on(plain_lab, "vip-a")
    tree.state.touch()
    tree.state /= "below-a-file"
    tree.start()
    until("the sidecar to be synced", lambda: plain_lab.plane.unsynced() == ())
    until("it to be said", lambda: tree.said("can't be written"))
    assert plain_lab.call(KEY).text == "vip-a"
    assert tree.end(signal.SIGTERM) == 0


def test_sidecars_are_shared_among_replicas() -> None:
    replicas = ("a:1", "b:1", "c:1")
    firsts = [starting_elsewhere(replicas, f"sidecar-{number}")[0] for number in range(300)]
    assert all(firsts.count(each) > 60 for each in replicas)
    assert set(starting_elsewhere(replicas, "sidecar-7")) == set(replicas)
