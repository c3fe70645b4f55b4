"""compose.yaml: every process is started as its command has it, at the addresses that the others know."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from controlplane.cli.main import main

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = sorted(SERVICES.keys() - {"redis", "cli"})


def address(name: str) -> str:
    return str(SERVICES[name]["networks"]["lightbulb"]["ipv4_address"])


def flags(name: str) -> dict[str, str]:
    command = SERVICES[name]["command"]
    return dict(zip(command[1::2], command[2::2], strict=True))


def test_there_are_several_of_each() -> None:
    kinds = [name.rstrip("-0123456789") for name in OURS]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "control-plane": 2,
        "lightbulb": 2,
        "host": 4,
        "sidecar": 2,
    }


@pytest.mark.parametrize("name", OURS)
def test_each_command_is_one_and_goes_where_the_others_are(name: str, tmp_path: Path) -> None:
    command, *arguments = SERVICES[name]["command"]
    found = main.get_command(click.Context(main), command)
    assert found is not None
    found.make_context(command, [each.replace("/state", str(tmp_path)) for each in arguments])
    given = flags(name)
    if command == "control-plane":
        assert given["--store"] == f"redis://{address('redis')}:6379"
        assert given["--replica"] == name
    else:
        planes = ",".join(f"{address(each)}:7700" for each in OURS if each.startswith("control-plane"))
        assert given["--control-plane"] == planes
        assert given["--node-id"] == name
    assert given.get("--advertise", address(name)) == address(name)


def test_nothing_listens_on_all_interfaces_of_the_machine() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert ports
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_each_writes_to_its_volumes_alone_and_gains_no_privileges(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["tmpfs"] == ["/tmp"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", OURS)
def test_each_is_of_the_image_of_its_role(name: str) -> None:
    role = name.rstrip("-0123456789")
    assert SERVICES[name]["build"] == {"context": ".", "target": role}


def test_the_rules_are_mounted() -> None:
    assert SERVICES["cli"]["volumes"] == ["./rules:/rules:ro"]
    assert SERVICES["cli"]["build"]["target"] == "cli"


@pytest.mark.skipif(shutil.which("docker-compose") is None, reason="no docker-compose here")
def test_compose_itself_takes_it() -> None:
    done = subprocess.run(
        ["docker-compose", "--file", str(ROOT / "compose.yaml"), "config", "--quiet"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
