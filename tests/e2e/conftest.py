"""One running system for all tests that need one."""

import contextlib
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from controlplane.cli.main import main
from controlplane.cli.processes import free_ports

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 60.0
PAUSE = 0.05
MOST_HOSTS = 4


@dataclass(frozen=True)
class Up:
    process: subprocess.Popen[str]
    control_plane: str
    lightbulb: str
    sidecar: str
    rules: Path
    printed: str

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command as people do: in a process."""
        command = [sys.executable, "-m", "controlplane", *arguments]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)

    def asked(self, *arguments: str) -> Result:
        """Run a command in this process: what is waited for is asked for many times."""
        return CliRunner(env={"COLUMNS": "250"}).invoke(main, arguments)  # a row is a line

    def done(self, *arguments: str) -> str:
        """Have its control plane do what a command says, and return what that printed."""
        done = self.run(*arguments, "--control-plane", self.control_plane)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def told(self, *arguments: str) -> dict[str, Any]:
        """Return what its control plane tells, as JSON."""
        told = self.asked(*arguments, "--control-plane", self.control_plane, "--output", "json")
        assert told.exit_code == 0, told.stderr
        return json.loads(told.stdout)

    def status(self) -> str:
        return self.asked("status", "--control-plane", self.control_plane).stdout

    def wait_for(self, what: str, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + SECONDS
        while not condition():
            assert time.monotonic() < deadline, f"{what}: not within {SECONDS} s\n{self.status()}"
            time.sleep(PAUSE)


@pytest.fixture(scope="package")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with running(tmp_path_factory.mktemp("up"), models="examples.models") as system:
        yield system


@contextlib.contextmanager
def running(folder: Path, *flags: str, models: str = "chaos.models") -> Iterator[Up]:
    """Everything that `lightbulb up` starts, on free ports, until the end of the block.

    The `models` are the example models; unless asked for, without a trained classifier, which takes a while.
    """
    shutil.copytree(ROOT / "rules", folder / "rules")
    # The last ones are kept free for the hosts, which take consecutive ports from the first.
    ports = free_ports(4 + MOST_HOSTS)[:5]
    control_plane, lightbulb, sidecar, admin, first_host = (f"127.0.0.1:{port}" for port in ports)
    command = [sys.executable, "-m", "controlplane", "up", "--rules", str(folder / "rules")]
    command += ["--models", models]
    command += ["--state-dir", str(folder / "state"), "--control-plane", control_plane]
    command += ["--lightbulb", lightbulb, "--sidecar", sidecar, "--sidecar-admin", admin]
    command += ["--first-host", first_host, *flags]
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


@pytest.fixture
def proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every variable that a library may look at, naming a port at which nobody listens."""
    (nobody,) = free_ports(1)
    for name in ("http_proxy", "https_proxy", "grpc_proxy", "all_proxy"):
        for each in (name, name.upper()):
            monkeypatch.setenv(each, f"http://127.0.0.1:{nobody}")
    for name in ("no_proxy", "NO_PROXY", "no_grpc_proxy"):
        monkeypatch.delenv(name, raising=False)
