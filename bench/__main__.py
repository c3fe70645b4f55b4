"""The command line: `python -m bench --help`."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path

import click
from rich.console import Console
from rich.status import Status

from bench import show
from bench.result import Report
from bench.run import run, write, write_document
from bench.suite import BENCHMARKS
from lightbulb.open_files import raise_limit
from lightbulb.signals import exiting_at_signals

WIDTH = 140
"""Columns, where there is no terminal to say how many it has."""


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(tuple(BENCHMARKS)), metavar="[NAME]...")
@click.option("--quick", is_flag=True, help="Small and short: shows that everything runs, not how fast.")
@click.option(
    "--out",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(".lightbulb/bench"),
    show_default=True,
    help="Where results.json, results.md and the plots go.",
)
@click.option("--write-docs", is_flag=True, help="Also put the figures into docs/benchmarks.md.")
def main(names: tuple[str, ...], folder: Path, *, quick: bool, write_docs: bool) -> None:
    """Measure contestants side by side, and print their ratios. Without a NAME: all of them."""
    raise_limit()  # which every process that is started inherits
    # so that no child is left behind
    click.get_current_context().with_resource(exiting_at_signals())
    failures: list[str] = []
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    with console.status("") as status:
        results = run(
            names or tuple(BENCHMARKS),
            quick=quick,
            tell=lambda line: _tell(console, status, line),
            done=lambda report: _print(console, report),
            failed=lambda name, error: failures.append(_complain(console, name, error)),
        )
    write(results, folder)
    console.print(f"results.json, results.md and plots are in {folder}")
    if failures:
        console.print(f"failed: {', '.join(failures)}", style="red")
        sys.exit(1)
    if write_docs:
        write_document(results, folder)


def _tell(console: Console, status: Status, line: str) -> None:
    if console.is_terminal:
        status.update(line)
    else:
        console.print(line, style="dim")


def _complain(console: Console, name: str, error: Exception) -> str:
    console.print(f"{name} failed: {type(error).__name__}: {error}", style="red", markup=False)
    traceback.print_exception(error)
    return name


def _print(console: Console, report: Report) -> None:
    console.print(show.table(report))
    console.print(f"{report.name}: {report.seconds:.0f} s\n", style="dim")


if __name__ == "__main__":
    main()
