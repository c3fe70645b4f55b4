"""`lightbulb up --replicas 2`, which `make up-distributed` is: two of each, on a real Redis."""

import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from controlplane.cli.processes import free_ports
from tests.e2e.conftest import SECONDS, Up, running


@pytest.fixture(scope="module")
def distributed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    (redis,) = free_ports(1)
    folder = tmp_path_factory.mktemp("distributed")
    with running(folder, "--replicas", "2", "--redis", f"127.0.0.1:{redis}") as system:
        yield system


@pytest.fixture(scope="module")
def until_the_end(distributed: Up) -> Iterator[contextlib.ExitStack]:
    """What is to be done when the system isn't needed any more: other tests may come after one."""
    with contextlib.ExitStack() as stack:
        yield stack


def end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    assert process.wait(SECONDS) == 0


def addresses(up: Up, what: str) -> list[str]:
    """Return where a kind of process listens, as `up` printed it."""
    found = re.search(rf"\b{what} (\S+:\d+)", up.printed)
    assert found is not None, up.printed
    return found[1].split(",")


def child_of(up: Up, flags: str) -> int:
    """Return the process id of the child of `up` that has these flags."""
    children = Path(f"/proc/{up.process.pid}/task/{up.process.pid}/children").read_text().split()
    commands = {pid: Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ") for pid in children}
    (found,) = [pid for pid, command in commands.items() if flags in command]
    return int(found)


def line_of(up: Up) -> str:
    """Return the next line that `up` prints."""
    assert up.process.stdout is not None
    reader = ThreadPoolExecutor(1)  # a read has no deadline of its own; it ends with the process
    try:
        return reader.submit(up.process.stdout.readline).result(SECONDS)
    finally:
        reader.shutdown(wait=False)


@pytest.mark.envoy
def test_two_of_each_publish_and_roll_back_at_either_replica(distributed: Up) -> None:
    up = distributed
    one, other = addresses(up, "control plane")
    nodes = ("lightbulb-1", "lightbulb-2", "sidecar-1", "sidecar-2", "host-1", "host-2", "host-3")

    def complete() -> bool:
        status = up.asked("status", "--control-plane", other).stdout
        both = "control-plane-1" in status and status.count("(leads)") == 1
        return both and all(re.search(rf"{node} +synced", status) for node in nodes)

    up.wait_for("two control planes, one of which leads, and everybody synced", complete)

    rules = up.rules / "payment_fraud.js"
    rules.write_text(rules.read_text().replace("percent: 10", "percent: 100"))
    published = up.run("publish", str(up.rules), "--control-plane", other, "-m", "all of them")
    assert "generation 2 is active; loaded for a rollback: 1" in published.stdout, published.stderr
    asked = ("resolve", "PaymentFraudDetection", "--user", "user-3")

    def versions() -> list[str]:
        answers = [up.asked(*asked, "--lightbulb", each).stdout for each in addresses(up, "Lightbulb")]
        return [json.loads(answer)["model_version"] for answer in answers]

    up.wait_for("both Lightbulbs to answer from generation 2", lambda: versions() == ["2", "2"])
    back = up.run("rollback", "--control-plane", f"127.0.0.1:1,{one}", "-m", "too many")
    assert "generation 1 is active" in back.stdout, back.stderr
    up.wait_for("both Lightbulbs to answer from generation 1", lambda: versions() == ["1", "1"])
    history = up.run("history", "--control-plane", other).stdout
    assert re.search(r"^2 +loaded, rolled back .* all of them", history, re.MULTILINE)
    events = up.run("events", "--control-plane", one).stdout
    assert re.search(r" 1 +rolled back +\w+ +from 2: too many", events)


@pytest.mark.envoy
def test_one_that_is_killed_is_named_and_started_again_while_the_rest_goes_on(
    distributed: Up, until_the_end: contextlib.ExitStack
) -> None:
    one, other = addresses(distributed, "control plane")
    victim = child_of(distributed, "--replica control-plane-1")
    os.kill(victim, signal.SIGKILL)
    said, again = line_of(distributed), line_of(distributed)
    assert said.startswith("control-plane-1 ended with exit code -9 (its log: "), said
    assert "the rest goes on. To start it again, in another terminal:" in said
    program, *command = shlex.split(again)
    assert (program, command[:3]) == ("lightbulb", ["control-plane", "--listen", one])

    asked = ("resolve", "PaymentFraudDetection", "--user", "user-3", "--lightbulb", distributed.lightbulb)
    assert json.loads(distributed.run(*asked).stdout)["generation"]
    status = distributed.run("status", "--control-plane", f"{one},{other}")
    assert re.search(r"^generation \d+ ", status.stdout), status.stderr

    started = subprocess.Popen([sys.executable, "-m", "controlplane", *command], stderr=subprocess.DEVNULL)
    until_the_end.callback(end, started)
    distributed.wait_for(
        "control-plane-1 to answer again",
        lambda: distributed.asked("status", "--control-plane", one).exit_code == 0,
    )
    assert distributed.process.poll() is None
