"""Runs the whole system on this machine."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from controlplane.cli.expectation import Expectations
from controlplane.cli.extras import require
from controlplane.cli.failed import NotInstalled
from controlplane.cli.layout import Layout
from controlplane.cli.options import CONTROL_PLANE, LIGHTBULB, SIDECAR, STAND_INS, joined
from controlplane.cli.population import population
from controlplane.cli.ports import why_not
from controlplane.cli.problems import printable, problems_told
from controlplane.cli.processes import Processes, ProcessFailed
from controlplane.cli.system import System
from controlplane.cli.tally import Outcome, render, rows
from controlplane.cli.template import TEMPLATE, workspace_here
from controlplane.cli.traffic import send_all
from controlplane.cli.variables import bad_value
from controlplane.model import RuleSet
from controlplane.planning.plan import make_plan
from controlplane.rules.compile import compile_workspace
from controlplane.rules.workspace import read_workspace
from lightbulb.sidecar.process import NoEnvoy, find_envoy
from lightbulb.signals import ending_signals, exiting_at_signals

CHILDREN_NEED = ("grpc_health", "grpc_reflection", "numpy", "quickjs", "tree_sitter_javascript", "xds")
"""Modules of extras that the processes import, and this one doesn't."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What to run, and where. `rules` None: the workspace of this folder, or else the template."""

    layout: Layout
    rules: Path | None
    state_dir: Path
    models: str
    envoy: Path | None


def demo(setup: Setup, users: int) -> None:
    """Run everything, send requests of many users, and check every answer; exit with 1 if one is wrong."""
    console = Console()
    folder, rules = _prepare(setup)
    expectations = Expectations(make_plan(rules))
    state = setup.state_dir / "demo" / "state"
    with exiting_at_signals(), Processes(setup.state_dir / "demo") as processes:
        shutil.rmtree(state, ignore_errors=True)  # every demo is the first
        system = _system(setup, processes, rules, state)
        _bring_up(console, system, folder)
        total = users * len(expectations.objectives)
        with _progress(console) as progress:
            task = progress.add_task("requests through Envoy", total=total)
            outcomes = asyncio.run(
                send_all(
                    system.layout.lightbulbs[0],
                    system.layout.sidecars[0],
                    expectations,
                    population(users),
                    lambda: progress.advance(task),
                )
            )
    sys.exit(_report(console, outcomes))


def up(setup: Setup) -> None:
    """Run everything until Ctrl-C, SIGTERM or SIGHUP. Raises Failed."""
    console = Console(soft_wrap=True)
    folder, rules = _prepare(setup)
    with exiting_at_signals(), Processes(setup.state_dir / "up") as processes:
        system = _system(setup, processes, rules, setup.state_dir / "up" / "state")
        _bring_up(console, system, folder)
        noted = _note_signals()  # before anybody is told how to stop it
        try:
            console.print(_what_to_try(folder, setup, rules), markup=False)
        except OSError:
            if not noted:
                raise
        alone = len(setup.layout.control_planes) == 1
        _wait_for_signal(noted, processes.check if alone else lambda: _tell_of_gone(processes))
        with contextlib.suppress(OSError):  # the terminal may be closed
            console.print("stopping")


def _prepare(setup: Setup) -> tuple[Path, RuleSet]:
    """Return the workspace, compiled. Nothing is written before this has succeeded. Raises Failed."""
    folder = setup.rules or workspace_here()
    with problems_told():
        rules = compile_workspace(read_workspace(folder))
        make_plan(rules)
    if len(setup.layout.hosts) < len(rules.shards):
        lack = f"{len(setup.layout.hosts)} for {len(rules.shards)} shards in fleet.yaml; each needs a host"
        raise bad_value("--hosts", lack)
    _check_parts(setup)
    taken = why_not(setup.layout.flags())
    if taken:
        raise ProcessFailed("\n".join(taken))
    if folder == TEMPLATE:
        click.echo(
            "no rules/ here: this is the template's; `lightbulb init` makes you a workspace of your own"
        )
    if setup.models == STAND_INS:
        click.echo("no --models: stand-ins answer in place of the models")
    return folder, rules


def _check_parts(setup: Setup) -> None:
    """Raise Failed when a process couldn't run for want of something."""
    require("all", *CHILDREN_NEED, *(("redis",) if setup.layout.redis is not None else ()))
    try:
        if setup.envoy is None:
            find_envoy()
    except NoEnvoy as error:
        raise NotInstalled("NO_ENVOY", str(error)) from error


def _system(setup: Setup, processes: Processes, rules: RuleSet, state: Path) -> System:
    return System(processes, setup.layout, rules.shards, state=state, envoy=setup.envoy, models=setup.models)


def _bring_up(console: Console, system: System, folder: Path) -> None:
    began = time.monotonic()
    with console.status("starting a control plane, a Lightbulb, the hosts and an Envoy sidecar"):
        system.start()
        response = system.publish(folder, revision="template" if folder == TEMPLATE else "")
        system.wait_until_ready(response.generation)
    seconds = time.monotonic() - began
    console.print(f"generation {response.generation} is active everywhere after {seconds:.1f} s")


def _progress(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console)


def _report(console: Console, outcomes: list[Outcome]) -> int:
    """Print the table and what was wrong; return the exit code."""
    # A terminal narrower than the table would cut it: let it run over instead.
    wide = Console(width=max(console.width, 150))
    wide.print(render(rows(outcomes)))
    wrong = Counter(f"{outcome.objective}: {outcome.wrong}" for outcome in outcomes if outcome.wrong)
    for message, count in wrong.most_common(10):
        console.print(Text(f"{count} x ", style="red").append(printable(message), style="default"))
    if wrong:
        console.print(f"[bold red]{wrong.total()} of {len(outcomes)} requests went wrong[/]")
        return 1
    console.print(
        f"[green]ok[/]: {len(outcomes)} requests, each answered by the model that its rules call for"
    )
    return 0


def _what_to_try(folder: Path, setup: Setup, rules: RuleSet) -> str:
    layout = setup.layout
    planes, bulbs, sidecar = (
        joined(layout.control_planes),
        str(layout.lightbulbs[0]),
        str(layout.sidecars[0]),
    )
    plane = f" --control-plane {planes}" if planes != CONTROL_PLANE else ""
    bulb = f" --lightbulb {bulbs}" if bulbs != LIGHTBULB else ""
    through = f" --sidecar-address {sidecar}" if sidecar != SIDECAR else ""
    first, last = (shlex.quote(rules.tables[index].objective) for index in (0, -1))
    return f"""
control plane {planes}, Lightbulb {joined(layout.lightbulbs)}, sidecar {joined(layout.sidecars)}
logs are in {setup.state_dir}/up

In another terminal, try:
{_activation()}  lightbulb status{plane}
  lightbulb resolve {first} --user user-1 --country US{bulb}
  lightbulb explain {last} --user user-1{bulb}
  lightbulb infer {last} --user user-1{bulb}{through}
  lightbulb history{plane}
  {_change(folder, plane)}
  and back again: lightbulb rollback{plane}

Ctrl-C stops everything."""


def _change(folder: Path, plane: str) -> str:
    """Return how to change a rule, and publish it."""
    if folder == TEMPLATE:
        return f"make it yours: lightbulb init rules; edit it, then: lightbulb publish rules{plane}"
    name = shlex.quote(str(folder))
    fraud = folder / "payment_fraud.js"
    edit = f"{fraud} (percent: 50)" if fraud.exists() else f"a rule in {folder}"
    return f"edit {edit}, then: lightbulb publish {name}{plane}"


def _activation() -> str:
    """Return the line that brings the command within reach, where it isn't."""
    if shutil.which("lightbulb") is not None:
        return ""
    return f"  source {os.path.relpath(Path(sys.prefix) / 'bin' / 'activate')}\n"


def _tell_of_gone(processes: Processes) -> None:
    """Say which processes have ended, and how to start each again; raise ProcessFailed after the last."""
    for child in processes.forget_ended():
        ended = f"{child.name} ended with exit code {child.process.returncode} (its log: {child.log})"
        click.echo(f"{ended}; the rest goes on. To start it again, in another terminal:", err=True)
        click.echo(f"  {child.again}", err=True)
    if not processes.children:
        raise ProcessFailed("all processes have ended")


def _note_signals() -> Sequence[int]:
    """Return the signals that end a process, as they come from now on."""
    noted: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        noted.append(number)

    for number in ending_signals():
        signal.signal(number, note)
    return noted


def _wait_for_signal(noted: Sequence[int], check: Callable[[], None]) -> None:
    """Return once a signal is noted; raise what `check` raises, which is called twice a second."""
    while not noted:
        check()
        time.sleep(0.5)
