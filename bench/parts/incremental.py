"""Compiles a workspace, changes one rule file, and compiles it again, as those do who remember."""

from __future__ import annotations

import asyncio
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.worker import answer
from bench.workspace import make_workspace
from controlplane.admin.compilers import Compilers
from controlplane.model import Workspace
from controlplane.planning.beside import Base
from controlplane.rules.compile import compile_workspace

_HEAD = """const common = {
  targetObjectives: [Objectives.One], modelInputType: constants.TITLE_INPUT_TYPE, modelType: "SCORER"};
function defineDefaultRule() { return {...common, defaultModel: {name: "model"}}; }
"""
_FILES = {
    "objectives.yaml": "objectives: [{name: One, input_type: TITLE_INPUT_TYPE, owner: team, deadline: 1s}]\n",
    "models.yaml": "models: [{name: model, version: '1', memory: 1GiB}]\n",
    "fleet.yaml": "shards: [{name: a, vip: vip-a, memory: 2GiB}]\n",
}


def run(*, do: str, count: int) -> dict[str, Any]:
    if do == "exclusive":
        return {name: _cpu_of(_exclusive(name, count)) for name in ("conditions", "tests")}
    first = make_workspace(count)
    changed = _changed(first)
    return {"check": _check(first, changed), "accept": asyncio.run(_accept(first, changed))}


def _changed(files: Workspace) -> Workspace:
    """Return a workspace in which one shift of a file in the middle shifts more."""
    names = sorted(name for name in files.files if name.endswith(".js"))
    name = names[len(names) // 2]
    text = files.files[name].replace(b"percent: 10", b"percent: 20", 1)
    return Workspace(files={**files.files, name: text})


def _check(*workspaces: Workspace) -> float:
    """Return the CPU seconds of the last of these commands."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "rules")
        folder.mkdir()
        environment = {**os.environ, "XDG_CACHE_HOME": place}
        for workspace in workspaces:
            for name, content in workspace.files.items():
                (folder / name).write_bytes(content)
            before = _children()
            command = [sys.executable, "-m", "controlplane", "rules", "check", str(folder)]
            subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
            spent = _children() - before
        return spent


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


async def _accept(first: Workspace, changed: Workspace) -> float:
    """Return the seconds in which a change is compiled and planned."""
    compilers = Compilers()
    try:
        await _planned(compilers, first)
        await compilers.prepared()
        began = time.perf_counter()
        await _planned(compilers, changed)
        return time.perf_counter() - began
    finally:
        await compilers.stop()


async def _planned(compilers: Compilers, workspace: Workspace) -> None:
    async with compilers.compiled(workspace) as compiled:
        await compiled.plan(Base(), "")


def _cpu_of(workspace: Workspace) -> float:
    """Return the CPU seconds that compiling takes, the rules' evaluation included."""
    before = time.process_time() + _children()
    compile_workspace(workspace)
    return time.process_time() + _children() - before


def _exclusive(kind: str, count: int) -> Workspace:
    rules = _conditions(count) if kind == "conditions" else _tests(count)
    tests = _experiments(count) if kind == "tests" else "experiments: []\n"
    files = {**_FILES, "experiments.yaml": tests, "rules.js": _HEAD + "".join(rules)}
    return Workspace(files={name: text.encode() for name, text in files.items()})


def _experiments(count: int) -> str:
    eligible = ("{attribute: device, op: in, values: [" + f"d{number}" + "]}" for number in range(count))
    items = (f"  - {{id: {id_}, cells: {{1: 100}}, eligible: {who}}}\n" for id_, who in enumerate(eligible))
    return "experiments:\n" + "".join(items)


def _conditions(count: int) -> Iterator[str]:
    for number in range(count):
        what = f'when: context.device.eq("d{number}"), model: {{name: "model"}}'
        yield f"function defineOne{number}Rule() {{ return {{...common, {what}}}; }}\n"


def _tests(count: int) -> Iterator[str]:
    for number in range(count):
        what = f'abTestId: {number}, cellToModel: {{1: {{name: "model"}}}}'
        yield f"function defineOne{number}Rule() {{ return {{...common, {what}}}; }}\n"


if __name__ == "__main__":
    answer(run)
