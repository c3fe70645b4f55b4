"""The command line in an environment for each extra: help always works, and what is missing is named."""

from pathlib import Path

import pytest

from controlplane.cli.processes import free_ports
from tests.packaging.conftest import Make
from tests.packaging.environments import ROOT

pytestmark = pytest.mark.packaging

EXTRAS = [(), ("cli",), ("service",), ("control-plane",), ("sidecar",), ("host",), ("all",)]

HELP = """
from click.testing import CliRunner
import click
from controlplane.cli.main import main

def every(command, path):
    result = CliRunner().invoke(main, [*path, "--help"])
    assert result.exit_code == 0, (path, result.exception, result.output)
    assert result.output.startswith("Usage: "), (path, result.output)
    print(*path)
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            every(command.get_command(context, name), [*path, name])

every(main, [])
"""

MISSING = [
    ((), ["rules", "check", ROOT / "rules"], "cli"),
    ((), ["publish", ROOT / "rules"], "cli"),
    ((), ["status"], "cli"),
    ((), ["history"], "cli"),
    ((), ["health", "127.0.0.1:1"], "cli"),
    ((), ["control-plane"], "control-plane"),
    ((), ["serve"], "service"),
    ((), ["host", "--shard", "shard-a"], "host"),
    ((), ["sidecar"], "sidecar"),
    ((), ["demo"], "all"),
    ((), ["up"], "all"),
    (("cli",), ["control-plane"], "control-plane"),
    (("cli",), ["demo"], "all"),
    (("service",), ["host", "--shard", "shard-a"], "host"),
    (("service",), ["serve", "--transport", "native"], "native"),
    (("control-plane",), ["control-plane", "--store", "redis://127.0.0.1:1"], "redis"),
]
"""What is installed, what is asked for, and the extra that it takes."""


@pytest.mark.parametrize("extras", EXTRAS, ids="-".join)
def test_help_of_everything_works(with_extras: Make, tmp_path: Path, extras: tuple[str, ...]) -> None:
    environment = with_extras(*extras)
    overview = environment.run("--help", cwd=tmp_path)
    assert (overview.returncode, overview.stderr) == (0, "")
    every = environment.execute(environment.python, "-c", HELP, cwd=tmp_path)
    assert (every.returncode, every.stderr) == (0, "")
    assert {"rules check", "up", "control-plane", "health"} <= set(every.stdout.splitlines())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("extras", "asked", "missing"), MISSING)
def test_a_command_without_its_extra_names_it(
    with_extras: Make, tmp_path: Path, extras: tuple[str, ...], asked: list[object], missing: str
) -> None:
    done = with_extras(*extras).run(*asked, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1, done.stderr
    assert f'install "lightbulb-routing[{missing}]"' in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["resolve", "explain"])
def test_a_client_can_ask_without_any_extra(with_extras: Make, tmp_path: Path, command: str) -> None:
    nobody = f"127.0.0.1:{free_ports(1)[0]}"
    done = with_extras().run(command, "Search", "--user", "u", "--lightbulb", nobody, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error: no Lightbulb at {nobody} ")


def test_an_envoy_is_named_where_one_is_missing(with_extras: Make, tmp_path: Path) -> None:
    done = with_extras("sidecar").run("sidecar", "--envoy", "/nowhere/envoy", cwd=tmp_path)
    assert done.returncode == 2
    assert "/nowhere/envoy" in done.stderr
