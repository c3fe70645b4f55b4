"""Writes the locks beside this file from pyproject.toml, with uv: `make lock`.

All agree on every version: each is a part of one resolution, which starts from today's pins. To take newer
versions, remove the locks first.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
PROJECT = "pyproject.toml"

LOCKS = {
    # What an image holds; the targets of the Dockerfile have the same names.
    "cli": (PROJECT, "--extra=cli"),
    "control-plane": (PROJECT, "--extra=control-plane", "--extra=redis"),
    "lightbulb": (PROJECT, "--extra=native"),
    "sidecar": (PROJECT, "--extra=sidecar"),
    "host": (PROJECT, "--extra=host"),
    # What a command of the Makefile needs; all but the demo's come on top of the demo's.
    "demo": (PROJECT, "--extra=all", "--group=demo", "--group=build"),
    "test": ("--group=test",),
    "fuzz": ("--group=fuzz",),
    "mutants": ("--group=mutants",),
    "lint": ("--group=lint",),
    "bench": ("--group=bench",),
    "peers": ("--group=peers",),
    "build": ("--group=build",),
}
"""Lock -> what is in it."""

_UV = (
    *("uv", "pip", "compile", "--quiet", "--universal", "--python-version=3.11", "--generate-hashes"),
    *("--no-emit-index-url", "--no-emit-find-links", "--no-annotate", "--custom-compile-command=make lock"),
)


def main() -> None:
    """Resolve everything at once, then write the part that each lock needs."""
    locks = {name: FOLDER / f"{name}.txt" for name in LOCKS}
    with tempfile.TemporaryDirectory() as folder:
        everything = Path(folder) / "everything.txt"
        everything.write_text("".join(each.read_text() for each in locks.values() if each.is_file()))
        wanted = dict.fromkeys(argument for arguments in LOCKS.values() for argument in arguments)
        _compile(list(wanted), everything)
        for name, lock in locks.items():
            part = Path(folder) / lock.name
            _compile([*LOCKS[name], f"--constraint={everything}"], part)
            shutil.copy(part, lock)


def _compile(arguments: list[str], output: Path) -> None:
    done = subprocess.run([*_UV, *arguments, f"--output-file={output}"], cwd=FOLDER.parent, check=False)
    if done.returncode != 0:
        sys.exit(done.returncode)


if __name__ == "__main__":
    main()
