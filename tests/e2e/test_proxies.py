"""Proxies of the environment that lead nowhere: every process and command works as without them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from controlplane.cli.processes import free_ports
from lightbulb.client import BlockingLightbulbClient, RequestContext
from lightbulb.errors import Unavailable
from tests.e2e.conftest import ROOT, SECONDS, Up

pytestmark = pytest.mark.envoy

NAMES = ("http_proxy", "https_proxy", "grpc_proxy", "all_proxy")
USER = ("PaymentFraudDetection", "--user", "user-3")


@pytest.fixture
def proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every variable that a library may look at, naming a port at which nobody listens."""
    (nobody,) = free_ports(1)
    for name in NAMES:
        for each in (name, name.upper()):
            monkeypatch.setenv(each, f"http://127.0.0.1:{nobody}")
    for name in ("no_proxy", "NO_PROXY", "no_grpc_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    "command",
    [
        ("status",),
        ("history",),
        ("events",),
        ("diff", "1", "1"),
        ("pin", "1"),
        ("publish", "RULES"),
        ("resolve", *USER),
        ("explain", *USER),
        ("infer", *USER),
        ("health", "LIGHTBULB"),
    ],
    ids=lambda command: command[0],
)
def test_every_command_reaches_what_it_asks(up: Up, proxies: None, command: tuple[str, ...]) -> None:
    named = {"RULES": str(up.rules), "LIGHTBULB": up.lightbulb}
    where = {
        "resolve": ("--lightbulb", up.lightbulb),
        "explain": ("--lightbulb", up.lightbulb),
        "infer": ("--lightbulb", up.lightbulb, "--sidecar-address", up.sidecar),
        "health": (),
    }.get(command[0], ("--control-plane", up.control_plane))
    result = up.run(*(named.get(word, word) for word in command), *where)
    assert (result.returncode, result.stderr) == (0, "")


def test_all_processes_reach_each_other(tmp_path: Path, proxies: None) -> None:
    command = [sys.executable, "-m", "controlplane", "demo", "--users", "5", "--state-dir", str(tmp_path)]
    rules = ("--rules", str(ROOT / "rules"), "--models", "chaos.models")
    result = subprocess.run(
        [*command, *rules], cwd=ROOT, capture_output=True, text=True, timeout=3 * SECONDS, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_who_asks_for_the_proxy_gets_it(up: Up, proxies: None) -> None:
    user = RequestContext(user_id="u")
    with BlockingLightbulbClient(up.lightbulb) as direct:
        assert direct.resolve(USER[0], user).routing_key
    with (
        BlockingLightbulbClient(up.lightbulb, proxy=True) as through,
        pytest.raises(Unavailable, match=os.environ["http_proxy"].removeprefix("http://")),
    ):
        through.resolve(USER[0], user)
