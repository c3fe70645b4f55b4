"""The bootstrap files of envoy/, and an Envoy that somebody else starts from what the command prints."""

import contextlib
import json
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
import yaml
from click.testing import CliRunner
from setuptools import find_packages

from controlplane.cli.main import main
from controlplane.cli.processes import free_ports
from lightbulb.model import ROUTING_KEY_HEADER
from lightbulb.oip import open_inference_pb2 as oip
from lightbulb.oip import open_inference_pb2_grpc as oip_grpc
from lightbulb.sidecar.process import find_envoy, is_ready
from lightbulb.v1 import lightbulb_pb2, lightbulb_pb2_grpc
from tests.e2e.conftest import Up
from tests.envoy.lab import SECONDS
from tests.waiting import until

ROOT = Path(__file__).resolve().parents[2]
FILES = {"with-relay.yaml": (), "without-relay.yaml": ("--without-relay",)}
LOCAL = "127.0.0.1"


def printed(*arguments: str, code: int = 0) -> str:
    """What `lightbulb sidecar …` prints, in an environment that says nothing."""
    done = CliRunner(env={}).invoke(main, ["sidecar", *arguments])
    assert done.exit_code == code, done.output
    return done.output


def validate(file: Path) -> None:
    command = [find_envoy(), "--mode", "validate", "-c", file]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    assert "OK" in done.stdout
    assert "deprecated" not in done.stderr.lower()


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_what_the_command_prints(name: str) -> None:
    assert (ROOT / "envoy" / name).read_text() == printed("bootstrap", *FILES[name])


@pytest.mark.parametrize("name", FILES)
def test_yaml_and_json_are_the_same_bootstrap(name: str) -> None:
    as_json = json.loads(printed("bootstrap", *FILES[name], "--output", "json"))
    assert yaml.safe_load(printed("bootstrap", *FILES[name])) == as_json


@pytest.mark.envoy
@pytest.mark.parametrize("name", FILES)
def test_envoy_finds_a_file_valid(name: str) -> None:
    validate(ROOT / "envoy" / name)


@pytest.mark.envoy
def test_replicas_may_be_names(tmp_path: Path) -> None:
    file = tmp_path / "bootstrap.json"
    replicas = "plane-1.internal:7700,10.0.0.2:7701,[::1]:7702"
    file.write_text(printed("bootstrap", "--without-relay", "--control-plane", replicas, "--output", "json"))
    validate(file)
    (cluster,) = json.loads(file.read_text())["static_resources"]["clusters"]
    assert cluster["type"] == "STRICT_DNS"
    (locality,) = cluster["load_assignment"]["endpoints"]
    addresses = [each["endpoint"]["address"]["socket_address"] for each in locality["lb_endpoints"]]
    assert [(each["address"], each["port_value"]) for each in addresses] == [
        ("plane-1.internal", 7700),
        ("10.0.0.2", 7701),
        ("::1", 7702),
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--node-id", "a", "bootstrap"], "--node-id belongs behind bootstrap"),
        (["bootstrap", "--control-plane", "a:1"], "--control-plane is the relay's, or needs --without-relay"),
        (["bootstrap", "--without-relay", "--relay-socket", "a"], "--relay-socket needs a relay"),
        (["--relay-socket", "a"], "--relay-socket needs --relay-only"),
    ],
)
def test_options_that_say_nothing_there_are_refused(arguments: list[str], said: str) -> None:
    assert said in printed(*arguments, code=2)


def test_the_folder_is_no_package() -> None:
    """The name `envoy` belongs to xds-protos."""
    assert list((ROOT / "envoy").rglob("*.py")) == []
    packaged = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]["find"]
    packages = find_packages(str(ROOT), **packaged)
    assert "lightbulb.sidecar" in packages
    assert not [name for name in packages if name.split(".")[0] == "envoy"]


class Own:
    """The addresses of an Envoy of somebody's own, and what its parts log."""

    def __init__(self, folder: Path) -> None:
        listen, admin = free_ports(2)
        self.admin = (LOCAL, admin)
        self.sidecar = f"{LOCAL}:{listen}"
        self.folder = folder
        self.socket = folder / "new" / "relay.sock"

    def bootstrap(self, node_id: str, *flags: str) -> Path:
        admin = "{}:{}".format(*self.admin)
        flags = ("--node-id", node_id, "--listen", self.sidecar, "--admin", admin, *flags)
        file = self.folder / f"{node_id}.yaml"
        file.write_text(printed("bootstrap", *flags))
        return file

    @contextlib.contextmanager
    def envoy(self, bootstrap: Path) -> Iterator[None]:
        command = [str(find_envoy()), "-c", str(bootstrap), "--concurrency", "1", "--disable-hot-restart"]
        with self.process("envoy", command) as process:
            until("Envoy to be ready", lambda: process.poll() is not None or is_ready(self.admin))
            yield

    @contextlib.contextmanager
    def relay(self, node_id: str, control_plane: str) -> Iterator[subprocess.Popen[bytes]]:
        flags = ["--node-id", node_id, "--listen", self.sidecar, "--relay-socket", str(self.socket)]
        flags += ["--control-plane", control_plane, "--state-dir", str(self.folder / "state")]
        command = [sys.executable, "-m", "controlplane", "sidecar", "--relay-only", *flags]
        with self.process("relay", command) as process:
            until("the relay's socket", lambda: process.poll() is not None or self.socket.is_socket())
            yield process

    @contextlib.contextmanager
    def process(self, name: str, command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(SECONDS) == 0, self.said(name)

    def said(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()


@pytest.fixture
def own(tmp_path: Path) -> Own:
    return Own(tmp_path)


def routed(lightbulb: str, sidecar: str, node_id: str) -> tuple[str, str]:
    """The model that a request should reach, and the one that answers it behind this sidecar."""
    with grpc.insecure_channel(lightbulb) as channel:
        request = lightbulb_pb2.ResolveRequest(
            objective="ContinueWatchingRanking",
            context=lightbulb_pb2.RequestContext(user_id="user-3"),
            sidecar=node_id,
        )
        answer = lightbulb_pb2_grpc.LightbulbStub(channel).Resolve(request, timeout=60)
    model = f"{answer.objective_config.model}@{answer.objective_config.model_version}"
    return model, inferred(sidecar, answer.routing_key)


def inferred(sidecar: str, key: str) -> str:
    _, model, version = key.split("|")
    request = oip.ModelInferRequest(model_name=model, model_version=version)
    request.parameters["lightbulb_context_user_id"].string_param = "user-3"
    with grpc.insecure_channel(sidecar) as channel:
        stub = oip_grpc.GRPCInferenceServiceStub(channel)
        response = stub.ModelInfer(request, metadata=[(ROUTING_KEY_HEADER, key)], timeout=60)
    return response.parameters["lightbulb_model"].string_param


@pytest.mark.envoy
def test_an_own_envoy_routes_without_a_relay(up: Up, own: Own) -> None:
    (down,) = free_ports(1)
    replicas = f"{LOCAL}:{down},{up.control_plane}"
    file = own.bootstrap("without-relay", "--without-relay", "--control-plane", replicas)
    with own.envoy(file):
        wanted, answered = routed(up.lightbulb, own.sidecar, "without-relay")
        assert wanted == answered
        assert "without-relay" in up.status()


@pytest.mark.envoy
def test_an_own_envoy_routes_behind_a_relay_and_starts_again_without_a_control_plane(
    up: Up, own: Own
) -> None:
    file = own.bootstrap("with-relay", "--relay-socket", str(own.socket))
    with own.relay("with-relay", up.control_plane), own.envoy(file):
        wanted, answered = routed(up.lightbulb, own.sidecar, "with-relay")
        assert wanted == answered
        kept = own.folder / "state"
        until("the state to be kept", lambda: any(kept.glob("*.last-known-good")))
    (down,) = free_ports(1)
    with own.relay("with-relay", f"{LOCAL}:{down}"), own.envoy(file):
        assert routed(up.lightbulb, own.sidecar, "with-relay") == (wanted, answered)


@pytest.mark.parametrize(
    ("socket", "why"),
    [
        ("served", "another relay listens there"),
        ("file", "something else is there"),
        ("file/below", "its folder can't be made or written"),
        ("long" * 30, "a socket's path may have 107 bytes"),
    ],
)
def test_a_socket_that_cant_be_is_refused_with_the_reason(own: Own, socket: str, why: str) -> None:
    (down,) = free_ports(1)
    (own.folder / "file").touch()
    own.socket = own.folder / "served"
    command = [sys.executable, "-m", "controlplane", "sidecar", "--relay-only"]
    with own.relay("one", f"{LOCAL}:{down}"):
        refused = subprocess.run(
            [*command, "--relay-socket", str(own.folder / socket)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    wanted = f"error: can't listen on {own.folder / socket}: {why}; choose another path with --relay-socket"
    assert (refused.returncode, refused.stderr.splitlines()[-1]) == (1, wanted)
