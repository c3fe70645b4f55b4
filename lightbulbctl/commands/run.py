"""`lightbulb demo` and `lightbulb up`: the whole system on this machine."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from controlplane.planning.plan import make_plan
from controlplane.problems import WorkspaceError
from controlplane.rules.compile import compile_workspace
from controlplane.rules.workspace import read_workspace
from lightbulbctl.expectation import Expectations
from lightbulbctl.options import (
    CONTROL_PLANE,
    FIRST_HOST,
    LIGHTBULB,
    RULES,
    SIDECAR,
    SIDECAR_ADMIN,
    Address,
    address_option,
)
from lightbulbctl.population import population
from lightbulbctl.problems import print_problems
from lightbulbctl.processes import Processes, ProcessFailed
from lightbulbctl.system import Layout, System, free_layout
from lightbulbctl.tally import Outcome, render, rows
from lightbulbctl.traffic import send_all

HOSTS = 3
STATE = Path(".lightbulb")


def _system_options(command: Any) -> Any:
    for option in (
        click.option(
            "--rules",
            "folder",
            type=click.Path(path_type=Path),
            default=RULES,
            show_default=True,
            help="Workspace to publish.",
        ),
        click.option(
            "--state-dir",
            type=click.Path(path_type=Path, file_okay=False),
            default=STATE,
            show_default=True,
            help="Where the processes log to.",
        ),
        click.option(
            "--hosts", type=click.IntRange(2, 64), default=HOSTS, show_default=True, help="Serving hosts."
        ),
    ):
        command = option(command)
    return command


@click.command()
@_system_options
@click.option("--users", type=click.IntRange(1, 1_000_000), default=1_000, show_default=True, help="Users.")
def demo(folder: Path, state_dir: Path, hosts: int, users: int) -> None:
    """Run everything on free ports, send the requests of many users, and check every answer.

    Exits 0 only if no request failed and every answer came from the model that the rules call for.
    """
    console = Console()
    with _reported_failures(), Processes(state_dir / "demo") as processes:
        rules = compile_workspace(read_workspace(folder))
        expectations = Expectations(make_plan(rules))
        system = System(processes, free_layout(hosts), rules.shards)
        _bring_up(console, system, folder)
        total = users * len(expectations.objectives)
        with _progress(console) as progress:
            task = progress.add_task("requests through Envoy", total=total)
            outcomes = asyncio.run(
                send_all(
                    system.layout.lightbulb,
                    system.layout.sidecar,
                    expectations,
                    population(users),
                    lambda: progress.advance(task),
                )
            )
    sys.exit(_report(console, outcomes))


@click.command()
@_system_options
@address_option("--control-plane", CONTROL_PLANE, "Where the control plane will listen.")
@address_option("--lightbulb", LIGHTBULB, "Where the Lightbulb will listen.")
@address_option("--sidecar", SIDECAR, "Where the sidecar will take requests.")
@address_option("--sidecar-admin", SIDECAR_ADMIN, "Where the sidecar's admin interface will be.")
@address_option("--first-host", FIRST_HOST, "Where the first host will listen; the others on the next ports.")
def up(  # noqa: PLR0913, PLR0917 - one argument a flag
    folder: Path,
    state_dir: Path,
    hosts: int,
    control_plane: Address,
    lightbulb: Address,
    sidecar: Address,
    sidecar_admin: Address,
    first_host: Address,
) -> None:
    """Run everything until Ctrl-C, and say what to try."""
    layout = Layout(
        control_plane=control_plane,
        lightbulb=lightbulb,
        sidecar=sidecar,
        sidecar_admin=sidecar_admin,
        hosts=tuple(Address(first_host.host, first_host.port + number) for number in range(hosts)),
    )
    console = Console(soft_wrap=True)
    with _reported_failures(), Processes(state_dir / "up") as processes:
        rules = compile_workspace(read_workspace(folder))
        _bring_up(console, System(processes, layout, rules.shards), folder)
        console.print(_what_to_try(folder, layout, state_dir))
        _wait_for_signal(processes.check)
        console.print("stopping")


def _bring_up(console: Console, system: System, folder: Path) -> None:
    began = time.monotonic()
    with console.status("starting a control plane, a Lightbulb, the hosts and an Envoy sidecar"):
        system.start()
        response = system.publish(folder)
        system.wait_until_ready(response.generation)
    seconds = time.monotonic() - began
    console.print(f"generation {response.generation} is active everywhere after {seconds:.1f} s")


@contextlib.contextmanager
def _reported_failures() -> Iterator[None]:
    """Turn what can go wrong into a message and exit code 1."""
    try:
        yield
    except WorkspaceError as error:
        print_problems(error.problems)
        sys.exit(1)
    except ProcessFailed as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(1)


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
        console.print(f"[red]{count} x[/] {message}")
    if wrong:
        console.print(f"[bold red]{wrong.total()} of {len(outcomes)} requests went wrong[/]")
        return 1
    console.print(
        f"[green]ok[/]: {len(outcomes)} requests, each answered by the model that its rules call for"
    )
    return 0


def _what_to_try(folder: Path, layout: Layout, state_dir: Path) -> str:
    plane = f" --control-plane {layout.control_plane}" if str(layout.control_plane) != CONTROL_PLANE else ""
    bulb = f" --lightbulb {layout.lightbulb}" if str(layout.lightbulb) != LIGHTBULB else ""
    return f"""
control plane {layout.control_plane}, Lightbulb {layout.lightbulb}, sidecar {layout.sidecar}
logs are in {state_dir}/up

In another terminal, try:
  lightbulb status{plane}
  lightbulb resolve ContinueWatchingRanking --user user-1 --country US{bulb}
  lightbulb explain PaymentFraudDetection --user user-1{bulb}
  edit {folder}/payment_fraud.js (percent: 50), then: lightbulb publish {folder}{plane}

Ctrl-C stops everything."""


def _wait_for_signal(check: Callable[[], None]) -> None:
    """Return at SIGINT or SIGTERM; raise what `check` raises, which is called twice a second."""
    stopped: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        stopped.append(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    while not stopped:
        check()
        time.sleep(0.5)
