"""The images, as far as they can be tried without building them: each role runs with what its lock holds.

Its command is the image's, in an environment with the extras of its lock; addresses and folders are others.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from controlplane.cli.processes import free_ports
from tests.packaging.conftest import Make
from tests.packaging.dockerfile import stages
from tests.packaging.environments import ROOT, Environment
from tests.packaging.scripts import script

STAGES = stages()
LOCKS = script("lock").LOCKS
ROLES = ("control-plane", "lightbulb", "sidecar", "host", "cli")
SECONDS = 60.0

pytestmark = pytest.mark.packaging


def extras_of(role: str) -> list[str]:
    return [each.removeprefix("--extra=") for each in LOCKS[role] if each.startswith("--extra=")]


class Role:
    """A role's process, where it listens, and its health check."""

    def __init__(self, role: str, name: str, environment: Environment, folder: Path) -> None:
        self._role, self._environment, self.name = role, environment, name
        self._folder = folder / name
        self._folder.mkdir()
        image = {"control-plane": "7700", "lightbulb": "7701", "sidecar": "7710", "host": "7720"}[role]
        listen, admin = free_ports(2)
        self.address = f"127.0.0.1:{listen}"
        self._here = {f"0.0.0.0:{image}": self.address, f"127.0.0.1:{image}": self.address}
        self._here |= {"127.0.0.1:7711": f"127.0.0.1:{admin}"}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *arguments: str) -> None:
        image = STAGES[self._role]
        given = self._made_here(image.command("CMD")) if image.all("CMD") else []
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [str(self._environment.lightbulb), *given, *arguments],
                cwd=self._folder,
                env=self._environment.variables,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def check(self) -> subprocess.CompletedProcess[str]:
        """Do what the image's HEALTHCHECK does."""
        command = self._made_here(STAGES[self._role].command("HEALTHCHECK"))
        assert command[0] == "lightbulb"
        return self._environment.run(*command[1:], cwd=self._folder)

    def still_runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def log(self) -> str:
        return (self._folder / "log").read_text()

    def _made_here(self, command: list[str]) -> list[str]:
        moved = (self._here.get(each, each) for each in command)
        return [each.replace("/state", str(self._folder)) for each in moved]

    def stop(self) -> None:
        if self.still_runs():
            self._process.send_signal(signal.SIGTERM)
            assert self._process.wait(SECONDS) == 0, self.log()

    def kill(self) -> None:
        if self.still_runs():
            self._process.kill()
            self._process.wait()


@contextlib.contextmanager
def ended(role: Role) -> Iterator[Role]:
    """End a role's process after the block."""
    try:
        yield role
        role.stop()
    finally:
        role.kill()


def wait_until_healthy(roles: list[Role]) -> None:
    deadline = time.monotonic() + SECONDS
    for role in roles:
        while (answer := role.check()).returncode != 0:
            for each in roles:
                assert each.still_runs(), each.log()
            assert time.monotonic() < deadline, f"{answer.stderr}\n{role.log()}"
        assert " serves" in answer.stdout


@pytest.mark.envoy
def test_every_role_runs_and_says_that_it_is_healthy(with_extras: Make, tmp_path: Path) -> None:
    environments = {role: with_extras(*extras_of(role)) for role in ROLES}
    shutil.copytree(ROOT / "rules", tmp_path / "rules")
    cli = environments["cli"]

    def role(kind: str, name: str) -> Role:
        return stack.enter_context(ended(Role(kind, name, environments[kind], tmp_path)))

    with contextlib.ExitStack() as stack:
        plane = role("control-plane", "control-plane")
        upstream = ("--control-plane", plane.address)
        assert plane.check().returncode == 1
        plane.start()
        wait_until_healthy([plane])
        others = [role("lightbulb", "lightbulb"), role("sidecar", "sidecar")]
        for other in others:
            other.start(*upstream)
        for shard in ("shard-a", "shard-b"):
            host = role("host", shard)
            arguments = ["host", "--listen", host.address, "--shard", shard, "--node-id", shard]
            host.start(*arguments, *upstream)
            others.append(host)
        published = cli.run("publish", tmp_path / "rules", *upstream, cwd=tmp_path)
        assert published.returncode == 0, published.stderr
        wait_until_healthy(others)


def test_compose_publishes_from_the_image_of_the_command_line(with_extras: Make, tmp_path: Path) -> None:
    environment = with_extras(*extras_of("cli"))
    checked = environment.run("rules", "check", ROOT / "rules", cwd=tmp_path)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert list(tmp_path.iterdir()) == []
