"""`lightbulb up`, and everything that it says to try."""

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lightbulbctl.processes import free_ports

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 60.0


@dataclass(frozen=True)
class Up:
    process: subprocess.Popen[str]
    control_plane: str
    lightbulb: str
    sidecar: str
    rules: Path
    printed: str

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "lightbulbctl", *arguments]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)

    def status(self) -> str:
        return self.run("status", "--control-plane", self.control_plane).stdout

    def wait_for(self, what: str, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + SECONDS
        while not condition():
            assert time.monotonic() < deadline, f"{what}: not within {SECONDS} s\n{self.status()}"


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    folder = tmp_path_factory.mktemp("up")
    shutil.copytree(ROOT / "rules", folder / "rules")
    # Hosts take consecutive ports: a free range is likely just below a free port's own.
    control_plane, lightbulb, sidecar, admin, first_host = (f"127.0.0.1:{port}" for port in free_ports(5))
    command = [sys.executable, "-m", "lightbulbctl", "up", "--rules", str(folder / "rules")]
    command += ["--state-dir", str(folder / "state"), "--control-plane", control_plane]
    command += ["--lightbulb", lightbulb, "--sidecar", sidecar, "--sidecar-admin", admin]
    command += ["--first-host", first_host]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    printed = ""
    for line in process.stdout:  # ends with the process, which gives up by itself
        printed += line
        if "Ctrl-C" in line:
            break
    try:
        assert process.poll() is None, printed
        yield Up(process, control_plane, lightbulb, sidecar, folder / "rules", printed)
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(SECONDS) == 0
        process.stdout.close()


@pytest.mark.envoy
def test_up_says_what_to_try_and_each_of_it_works(up: Up) -> None:
    tried = re.findall(r"^  lightbulb (.*)$", up.printed, re.MULTILINE)
    assert [command.split()[0] for command in tried] == ["status", "resolve", "explain"]
    status, resolve, explain = (up.run(*command.split()) for command in tried)
    assert re.search(r"sidecar +sidecar +in step", status.stdout)
    assert json.loads(resolve.stdout)["generation"] == 1
    assert "in generation 1" in explain.stdout


@pytest.mark.envoy
def test_a_publish_takes_effect_and_a_bad_one_changes_nothing(up: Up) -> None:
    file = up.rules / "payment_fraud.js"
    source = file.read_text()
    explain = ("explain", "PaymentFraudDetection", "--user", "user-3", "--lightbulb", up.lightbulb)
    assert "payment-fraud-model version 1" in up.run(*explain).stdout

    file.write_text(source.replace("percent: 10", "percent: 100"))
    published = up.run("publish", str(up.rules), "--control-plane", up.control_plane)
    assert (published.returncode, "generation 2" in published.stdout) == (0, True), published.stderr
    up.wait_for("generation 2 is active", lambda: "generation 2 " in up.status().splitlines()[0])
    up.wait_for("Lightbulb answers from it", lambda: "version 2 in generation 2" in up.run(*explain).stdout)

    file.write_text(source.replace("percent: 10", "percent: 101"))
    refused = up.run("publish", str(up.rules), "--control-plane", up.control_plane)
    assert refused.returncode == 1
    assert "payment_fraud.js:16 definePaymentFraudShiftRule SHAPE" in refused.stderr
    assert "version 2 in generation 2" in up.run(*explain).stdout
    file.write_text(source.replace("percent: 10", "percent: 100"))
    again = up.run("publish", str(up.rules), "--control-plane", up.control_plane)
    assert "generation 2" in again.stdout
    assert "already" in again.stdout


@pytest.mark.envoy
@pytest.mark.parametrize("command", ["control-plane", "serve", "host", "sidecar"])
def test_a_port_in_use_is_named_with_what_to_do(up: Up, command: str) -> None:
    shard = ("--shard", "a") if command == "host" else ()
    result = up.run(command, "--listen", up.sidecar, *shard)
    assert result.returncode == 1
    assert re.search(
        rf"error: can't listen on {up.sidecar}.*Address already in use.*choose another", result.stderr
    )
