"""Runs several commands as one process each, forked from one that has loaded what they import.

    python -c 'from tests.cli.several import main; main()' '[["folder", "file for stderr", ["status"]]]'

What surrounds that one surrounds its forks: its locale, its limits, what is open. Each becomes `python -m
controlplane` with arguments of its own, and ends as that does; the exit codes are printed to stderr, as JSON.
Starting Python and importing takes a command ten times as long as all that it does.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import runpy
import sys

from controlplane.cli import actions
from controlplane.cli.main import COMMANDS

SERVES = frozenset({"serve"})
"""Actions that import what only servers need."""


def main() -> None:
    """Run what the last argument asks for, one after the other."""
    asked = json.loads(sys.argv[-1])
    load()
    codes = []
    for folder, stderr, arguments in asked:
        pid = os.fork()
        if pid == 0:
            _become(folder, stderr, arguments)
            return
        codes.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    sys.stderr.write(json.dumps(codes))


def load() -> None:
    """Import what commands do."""
    for entry in COMMANDS.values():
        importlib.import_module(f"controlplane.cli.commands.{entry.module}")
    for each in pkgutil.iter_modules(actions.__path__):
        if each.name not in SERVES:
            importlib.import_module(f"{actions.__name__}.{each.name}")
    gc.freeze()  # so that forks share it


def _become(folder: str, stderr: str, arguments: list[str]) -> None:
    os.chdir(folder)
    file = os.open(stderr, os.O_WRONLY | os.O_CREAT)
    os.dup2(file, 2)
    os.close(file)
    sys.argv[1:] = arguments
    runpy.run_module("controlplane", run_name="__main__", alter_sys=True)
