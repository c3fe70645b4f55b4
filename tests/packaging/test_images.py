"""The Dockerfile: what each image is made of, and what it may do."""

from __future__ import annotations

import re
import tomllib

import pytest

from tests.packaging.dockerfile import stages
from tests.packaging.environments import ROOT

STAGES = stages()
ROLES = ("control-plane", "lightbulb", "sidecar", "host", "cli")


def test_the_base_is_pinned() -> None:
    bases = {stage.base for stage in STAGES.values()} - STAGES.keys()
    (base,) = bases
    assert re.fullmatch(r"python:3\.11\.\d+-slim-\w+@sha256:[0-9a-f]{64}", base)


@pytest.mark.parametrize("role", ROLES)
def test_a_role_is_made_of_its_lock(role: str) -> None:
    packages = STAGES[f"{role}-packages"]
    assert packages.base == "packages"
    assert packages.all("COPY") == [f"requirements/{role}.txt requirements/{role}.txt"]
    (install,) = packages.all("RUN")
    assert f"--no-deps --require-hashes -r requirements/{role}.txt " in install
    assert STAGES[role].base == "runtime"
    assert STAGES[role].all("COPY") == [f"--from={role}-packages /opt/lightbulb /opt/lightbulb"]


def test_nothing_runs_as_root_and_only_its_state_is_written() -> None:
    runtime = STAGES["runtime"]
    assert runtime.all("USER") == ["10001:10001"]
    assert runtime.all("VOLUME") == ["/state"]
    assert [role for role in ROLES if STAGES[role].all("USER") or STAGES[role].all("VOLUME")] == []


def test_the_label_has_the_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert any(f'image.version="{version}"' in label for label in STAGES["runtime"].all("LABEL"))


def test_rules_and_models_are_in_no_image() -> None:
    copied = {rest.split()[0] for stage in STAGES.values() for rest in stage.all("COPY")}
    sources = {each for each in copied if not each.startswith(("--from", "requirements/"))}
    assert sources == {"pyproject.toml", "lightbulb", "controlplane"}
