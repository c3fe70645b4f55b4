"""Sets up `.venv` with what a command of the Makefile needs, from the locks beside this file.

    python3.11 requirements/set_up.py demo test

One line a step: what is done, and how long it took. A step whose lock hasn't changed is left out, so that a
second run says nothing. Needs the standard library alone, and runs outside `.venv`.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Self

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
OLDEST = (3, 11)
TAIL_LINES = 15

_PIP = ("-m", "pip", "--no-input", "--no-color", "--disable-pip-version-check", "install", "--no-deps")
_NOISE = re.compile(
    r"WARNING: |Looking in |Ignoring \S+: markers|Requirement already satisfied|\[notice\]|\s*$"
)


class SetUpFailed(Exception):
    """A step failed; the message says which, and what was said last."""


@dataclass(frozen=True)
class Step:
    """Something to install: its name among the stamps, what is told of it, its inputs, pip's arguments."""

    name: str
    title: str
    inputs: tuple[Path, ...]
    arguments: tuple[str, ...]

    def digest(self) -> str:
        """Return a digest of what is installed; the same digest needs no second time."""
        content = b"\0".join(each.read_bytes() for each in self.inputs)
        return hashlib.sha256(content).hexdigest()


def steps(names: list[str]) -> list[Step]:
    """Return what to install for sets of packages, in order: their locks, then Lightbulb itself."""
    locks = [Path(__file__).with_name(f"{name}.txt") for name in names]
    packages = [
        Step(lock.stem, f"packages for {lock.stem}", (lock,), ("--require-hashes", "-r", str(lock)))
        for lock in locks
    ]
    itself = ("--no-build-isolation", "--editable", str(ROOT))
    return [*packages, Step("lightbulb", "Lightbulb itself", (ROOT / "pyproject.toml",), itself)]


def why_not(venv: Path) -> str | None:
    """Return why an environment can't be used as it is, or None."""
    if not venv.exists():
        return f"{venv.name} isn't there yet"
    ask = [str(venv / "bin" / "python"), "-c", "import sys, pip; print(*sys.version_info[:2], sep='.')"]
    try:
        answer = subprocess.run(ask, capture_output=True, text=True, check=False)
    except OSError as error:
        return f"{venv.name} is broken (its Python: {error.strerror})"
    if answer.returncode != 0:
        last = answer.stderr.strip().splitlines() or ["it ended at once"]
        return f"{venv.name} is broken (its Python: {last[-1]})"
    found, ours = answer.stdout.strip(), "{}.{}".format(*sys.version_info)
    return None if found == ours else f"{venv.name} has Python {found}, not {ours}"


def make(venv: Path, reason: str) -> None:
    """Make an environment, in place of what is there."""
    with Line(f"{reason}: making it") as line:
        if venv.is_symlink() or venv.is_file():
            venv.unlink()
        shutil.rmtree(venv, ignore_errors=True)
        run([sys.executable, "-m", "venv", str(venv)], line)


def install(venv: Path, step: Step) -> None:
    """Let pip install, unless the same was installed before."""
    stamp = venv / ".set-up" / step.name
    digest = step.digest()
    if stamp.is_file() and stamp.read_text() == digest:
        return
    with Line(f"installing {step.title}") as line:
        run([str(venv / "bin" / "python"), *_PIP, *step.arguments], line)
    stamp.parent.mkdir(exist_ok=True)
    stamp.write_text(digest)


def run(command: list[str], line: Line) -> None:
    """Run a command, whose output is the line's progress; raises SetUpFailed with what it said last."""
    tail: deque[str] = deque(maxlen=TAIL_LINES)
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as process:
        assert process.stdout is not None
        for said in process.stdout:
            line.show(said)
            if not _NOISE.match(said):
                tail.append(said.rstrip())
            if said.startswith("ERROR"):
                line.keep(said.rstrip())
    if process.returncode != 0:
        said_last = "".join(f"\n    {each}" for each in tail)
        raise SetUpFailed(f"{line.title} failed with exit code {process.returncode}:{said_last}")


class Line:
    """A step's line: its title, at a terminal the package at hand, and at the end how long it took."""

    def __init__(self, title: str) -> None:
        self.title = title
        self._began = time.monotonic()
        self._count = 0
        self._errors: list[str] = []
        self._terminal = sys.stdout.isatty()

    def __enter__(self) -> Self:
        self._write(f"{self.title} ...")
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        took = f" {time.monotonic() - self._began:.0f} s" if kind is None else " failed"
        self._write(f"\r\033[K{self.title} ...{took}\n" if self._terminal else f"{took}\n")
        for each in self._errors if kind is None else ():
            self._write(f"    {each}\n")

    def show(self, said: str) -> None:
        """Take a line of the command's output: at a terminal, show which package it is at."""
        if found := re.match(r"(Collecting|Downloading|Installing collected)\s*(\S*)", said):
            self._count += found[1] == "Collecting"
            at = "unpacking" if found[1].startswith("Installing") else re.split(r"[=<> ]", found[2])[0]
            if self._terminal:
                self._write(f"\r\033[K{self.title} ... {self._count} {Path(at).name[:40]}")

    def keep(self, error: str) -> None:
        """Show an error below the line, though the command went on."""
        self._errors.append(error)

    @staticmethod
    def _write(text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()


def main(names: list[str]) -> int:
    """Set up what is named; return the exit code."""
    if sys.version_info < OLDEST:
        found = "{}.{}".format(*sys.version_info)
        print(
            f"Lightbulb needs Python 3.11 or newer, this is {found}: make PYTHON=python3.11", file=sys.stderr
        )
        return 1
    try:
        if reason := why_not(VENV):
            make(VENV, reason)
        for step in steps(names):
            install(VENV, step)
    except SetUpFailed as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
