"""`lightbulb demo` and `lightbulb up`: the whole system on this machine."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from controlplane.cli.expectation import Expectations
from controlplane.cli.layout import STEP, Layout, make_layout
from controlplane.cli.options import (
    CONTROL_PLANE,
    FIRST_HOST,
    LIGHTBULB,
    MAX_PORT,
    REDIS,
    RULES,
    SIDECAR,
    SIDECAR_ADMIN,
    WORKSPACE,
    Address,
    address_option,
    envoy_option,
    joined,
)
from controlplane.cli.population import population
from controlplane.cli.problems import print_problems, printable
from controlplane.cli.processes import Processes, ProcessFailed
from controlplane.cli.system import System
from controlplane.cli.tally import Outcome, render, rows
from controlplane.cli.traffic import send_all
from controlplane.model import RuleSet, Shard
from controlplane.planning.plan import make_plan
from controlplane.problems import WorkspaceError
from controlplane.rules.compile import compile_workspace
from controlplane.rules.workspace import read_workspace

HOSTS = 3
STATE = Path(".lightbulb")


def _system_options(command: Any) -> Any:
    for option in (
        envoy_option,
        click.option(
            "--hosts", type=click.IntRange(1, 64), default=HOSTS, show_default=True, help="Serving hosts."
        ),
        click.option(
            "--state-dir",
            type=click.Path(path_type=Path, file_okay=False),
            default=STATE,
            show_default=True,
            help="What the processes keep (the store, Redis' data, last known good) and their logs.",
        ),
        click.option(
            "--rules",
            "folder",
            type=WORKSPACE,
            default=RULES,
            show_default=True,
            help="Workspace to publish.",
        ),
    ):
        command = option(command)
    return command


_TOLD_TO_ENVOY = frozenset({"sidecar", "sidecar_admin", "first_host"})


def _address_options(**defaults: str | None) -> Callable[[Any], Any]:
    """Add where everything listens; None stands for a port that is free."""
    texts = {
        "control_plane": "Where the control plane will listen.",
        "lightbulb": "Where the Lightbulb will listen.",
        "sidecar": "Where the sidecar will take requests.",
        "sidecar_admin": "Where the sidecar's admin interface will be.",
        "first_host": "Where the first host will listen; the others on the next ports.",
    }

    def add(command: Any) -> Any:
        for name, text in reversed(texts.items()):
            flag = f"--{name.replace('_', '-')}"
            command = address_option(flag, defaults.get(name), text, ip=name in _TOLD_TO_ENVOY)(command)
        return command

    return add


@click.command(short_help="Run everything, and check what many users are answered.")
@_system_options
@_address_options()
@click.option("--users", type=click.IntRange(1, 1_000_000), default=1_000, show_default=True, help="Users.")
def demo(
    folder: Path, state_dir: Path, hosts: int, envoy: Path | None, users: int, **addresses: Address | None
) -> None:
    """Run everything on free ports, send the requests of many users, and check every answer.

    Exits 0 only if no request failed and every answer came from the model that the rules call for.
    """
    layout = _layout(hosts, addresses)
    console = Console()
    with _in_order(), Processes(state_dir / "demo") as processes:
        rules = compile_workspace(read_workspace(folder))
        expectations = Expectations(make_plan(rules))
        state = state_dir / "demo" / "state"
        shutil.rmtree(state, ignore_errors=True)  # every demo is the first
        system = System(processes, layout, _served(rules, hosts), state=state, envoy=envoy)
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


@click.command()
@_system_options
@_address_options(
    control_plane=CONTROL_PLANE,
    lightbulb=LIGHTBULB,
    sidecar=SIDECAR,
    sidecar_admin=SIDECAR_ADMIN,
    first_host=FIRST_HOST,
)
@address_option("--redis", REDIS, "Where Redis will listen, when there are replicas.")
@click.option(
    "--replicas",
    type=click.IntRange(1, 5),
    default=1,
    show_default=True,
    help="Control planes, Lightbulbs and sidecars; with more than one, the store is a Redis, and the ports "
    f"of the second are those given + {STEP}, and so on.",
)
def up(  # noqa: PLR0913 - one argument a flag
    *,
    folder: Path,
    state_dir: Path,
    hosts: int,
    envoy: Path | None,
    replicas: int,
    redis: Address,
    **addresses: Address | None,
) -> None:
    """Run everything until Ctrl-C, and say what to try.

    Ends when one of its processes does; with --replicas, it tells how to start that one again, and goes on.
    """
    layout = _layout(hosts, addresses, replicas=replicas, redis=redis)
    console = Console(soft_wrap=True)
    with _in_order(), Processes(state_dir / "up") as processes:
        rules = compile_workspace(read_workspace(folder))
        state = state_dir / "up" / "state"
        system = System(processes, layout, _served(rules, hosts), state=state, envoy=envoy)
        _bring_up(console, system, folder)
        console.print(_what_to_try(folder, layout, state_dir), markup=False)
        _wait_for_signal(processes.check if replicas == 1 else lambda: _tell_of_gone(processes))
        console.print("stopping")


def _layout(
    hosts: int, addresses: Mapping[str, Address | None], replicas: int = 1, redis: Address | None = None
) -> Layout:
    first = addresses["first_host"]
    if first is not None and first.port + hosts - 1 > MAX_PORT:
        raise click.BadParameter(
            f"there is no port for {hosts} hosts from {first.port} on", param_hint="--first-host"
        )
    return make_layout(**addresses, hosts=hosts, replicas=replicas, redis=redis)


def _served(rules: RuleSet, hosts: int) -> tuple[Shard, ...]:
    """Return the shards to run hosts for; each needs at least one."""
    if hosts < len(rules.shards):
        raise click.BadParameter(
            f"{hosts} for {len(rules.shards)} shards in fleet.yaml; each needs a host", param_hint="--hosts"
        )
    return rules.shards


def _bring_up(console: Console, system: System, folder: Path) -> None:
    began = time.monotonic()
    with console.status("starting a control plane, a Lightbulb, the hosts and an Envoy sidecar"):
        system.start()
        response = system.publish(folder)
        system.wait_until_ready(response.generation)
    seconds = time.monotonic() - began
    console.print(f"generation {response.generation} is active everywhere after {seconds:.1f} s")


@contextlib.contextmanager
def _in_order() -> Iterator[None]:
    """Turn what can go wrong into a message and exit code 1; end children whatever ends this process."""

    def stop(number: int, _frame: FrameType | None) -> None:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except WorkspaceError as error:
        print_problems(error.problems)
        sys.exit(1)
    except ProcessFailed as error:
        for line in str(error).splitlines():
            click.echo(line if line.startswith(" ") else f"error: {line}", err=True)
        sys.exit(1)
    finally:
        signal.signal(signal.SIGTERM, before)


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


def _what_to_try(folder: Path, layout: Layout, state_dir: Path) -> str:
    planes, bulbs = joined(layout.control_planes), str(layout.lightbulbs[0])
    plane = f" --control-plane {planes}" if planes != CONTROL_PLANE else ""
    bulb = f" --lightbulb {bulbs}" if bulbs != LIGHTBULB else ""
    return f"""
control plane {planes}, Lightbulb {joined(layout.lightbulbs)}, sidecar {joined(layout.sidecars)}
logs are in {state_dir}/up

In another terminal, try:
{_activation()}  lightbulb status{plane}
  lightbulb resolve ContinueWatchingRanking --user user-1 --country US{bulb}
  lightbulb explain PaymentFraudDetection --user user-1{bulb}
  lightbulb history{plane}
  edit {folder}/payment_fraud.js (percent: 50), then: lightbulb publish {folder}{plane}
  and back again: lightbulb rollback{plane}

Ctrl-C stops everything."""


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
