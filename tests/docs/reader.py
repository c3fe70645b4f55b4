"""Somebody who does all that a document says, in order, in a folder with a copy of `rules/`."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import click

from controlplane.cli.main import main
from controlplane.planning.plan import make_plan
from controlplane.rules.compile import compile_workspace
from controlplane.rules.workspace import read_workspace
from tests.docs.blocks import NOT_RUN, OUTPUT, ROOT, Block

SECONDS = 60.0
SERVERS = ("up", "demo", "control-plane", "serve", "host", "sidecar")
ADDRESSES = {
    "LIGHTBULB_CONTROL_PLANE": "127.0.0.1:7700",
    "LIGHTBULB_LIGHTBULB": "127.0.0.1:7701",
    "LIGHTBULB_SIDECAR_ADDRESS": "127.0.0.1:7710",
}

FIRST_LINE = re.compile(r"(?://|#) ([\w.-]+\.(?:js|yaml))(: add)?")
EXIT = re.compile(r"sh exit=(\d+)")

# What differs from run to run, and from place to place.
VOLATILE = (
    (re.compile(r"[ \t]+"), " "),
    (re.compile(r"\b[0-9a-f]{12}\b"), "<hash>"),
    (re.compile(r"(generation\"?:? \"?)\d+"), r"\1<number>"),
    (re.compile(r"(?<=in place of )\d+"), "<number>"),
    (re.compile(r"(?<=shift )\d+"), "<number>"),
    (re.compile(r"(?<=for a rollback: )\d+(, \d+)*"), "<numbers>"),  # whatever documents were read before
    (re.compile(r"\bhost-\d\b"), "<host>"),
    (re.compile(r"\b\d+\.\d+ s\b"), "<seconds>"),
    (
        re.compile(r"(?<=\) )(loading|routing|retiring|unloading|settled)\b(: [\w ]+ until [\d:]+ UTC)?"),
        "<phase>",
    ),
)


class Reader:
    """`addresses` maps the addresses in documents to those of the system that runs now."""

    def __init__(self, folder: Path, addresses: Mapping[str, str]) -> None:
        self.folder = folder
        self._addresses = addresses
        self._printed: str | None = None
        self._beside: list[subprocess.Popen[bytes]] = []
        shutil.copytree(ROOT / "rules", folder / "rules")
        (folder / "bin").mkdir()
        self._install("lightbulb", self._lightbulb_script())
        self._install("grpcurl", f'exec {sys.executable} {ROOT}/tests/docs/grpcurl.py "$@"')

    def do(self, block: Block) -> None:
        """Do what a block says; raise AssertionError when it doesn't hold."""
        printed, self._printed = self._printed, None
        if block.info in NOT_RUN:
            return
        if block.info in OUTPUT:
            assert printed is not None, f"{block}: the output of what? mark it as one of {sorted(NOT_RUN)}"
            self._compare(block, printed)
        elif block.info in {"js", "yaml"}:
            self._write(block)
        elif block.info == "python":
            self._printed = self._run(block, [sys.executable, "-c", self._here(block.text)], 0)
        elif block.info in {"sh process", "sh beside"}:
            commands = self._parse(block)
            if block.info == "sh beside":
                self._beside.extend(map(self._start, commands))
        elif block.info == "sh" or EXIT.fullmatch(block.info):
            self._printed = self._shell(block)
        else:
            raise AssertionError(f"{block}: {block.info!r} says nothing about how to check it")

    def close(self) -> None:
        """End what was started beside the document."""
        for process in self._beside:
            process.terminate()
        for process in self._beside:
            process.wait(SECONDS)

    def _install(self, name: str, script: str) -> None:
        path = self.folder / "bin" / name
        path.write_text(f"#!/bin/bash\n{script}\n")
        path.chmod(0o755)

    def _lightbulb_script(self) -> str:
        ends = '[ "$1 ${2-}" = "sidecar bootstrap" ]'
        servers = (
            f'{"|".join(SERVERS)}) {ends} || {{ echo "$1 runs on: fence it as sh process"; exit 99; }};;'
        )
        return f'case "$1" in\n{servers}\nesac\nexec {sys.executable} -m controlplane "$@"'

    def _here(self, text: str) -> str:
        for there, here in self._addresses.items():
            text = text.replace(there, here)
        return text

    def _there(self, text: str) -> str:
        for there, here in self._addresses.items():
            text = text.replace(here, there)
        return text

    def _write(self, block: Block) -> None:
        """Put a file that its first line names into the workspace, which must still compile."""
        match = FIRST_LINE.fullmatch(block.text.partition("\n")[0])
        assert match, f"{block}: let its first line name its file: // name.js or # name.yaml"
        name, add = match.groups()
        path = self.folder / "rules" / name
        path.write_text(path.read_text() + block.text if add else block.text)
        make_plan(compile_workspace(read_workspace(self.folder / "rules")))

    def _parse(self, block: Block) -> list[list[str]]:
        """Return commands which run on; check that they have the options that they are given."""
        commands = []
        for line in block.text.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words:
                assert words[0] == "lightbulb", f"{block}: {line}"
                command = main.get_command(click.Context(main), words[1])
                assert command is not None, f"{block}: no command {words[1]}"
                command.make_context(words[1], words[2:])
                commands.append(words[1:])
        return commands

    def _start(self, words: list[str]) -> subprocess.Popen[bytes]:
        """Start a command that runs on until the document ends."""
        arguments = [self._here(word) for word in words]
        return subprocess.Popen([sys.executable, "-m", "controlplane", *arguments], cwd=self.folder)

    def _shell(self, block: Block) -> str:
        lines = [line for line in block.text.splitlines() if not line.startswith("#")]
        if all(line.startswith("make ") for line in lines):
            for line in lines:  # what make would do takes minutes: see that there is such a thing to do
                target = shlex.split(line, comments=True)[1]
                self._run(block, ["make", "--dry-run", "--directory", str(ROOT), target], 0)
            return ""
        wanted = EXIT.fullmatch(block.info)
        return self._run(
            block, ["bash", "-euo", "pipefail", "-c", self._here(block.text)], int(wanted[1]) if wanted else 0
        )

    def _run(self, block: Block, command: list[str], code: int) -> str:
        path = f"{self.folder / 'bin'}:{os.environ['PATH']}"
        addresses = {name: self._here(address) for name, address in ADDRESSES.items()}
        environment = {**os.environ, **addresses, "PATH": path, "COLUMNS": "160", "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == code, f"{block}: exit code {done.returncode}, not {code}\n{done.stdout}"
        return self._there(done.stdout)

    def _compare(self, block: Block, printed: str) -> None:
        """Every line that is shown must have been printed, in this order; `...` is for what isn't shown."""
        rest = iter([stable(line) for line in printed.splitlines()])
        for line in block.text.splitlines():
            if line.strip() and line.strip() != "...":
                assert stable(line) in rest, f"{block}: not printed here: {line}\nbut this was:\n{printed}"


def stable(line: str) -> str:
    """Return a line without what differs from run to run."""
    line = line.rstrip()
    for pattern, instead in VOLATILE:
        line = pattern.sub(instead, line)
    return line.strip()
