"""`python -m chaos`: the fault matrix, as a table."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from chaos.faults import FAULTS, Fault
from chaos.pace import measured_pace
from chaos.scenarios import MOMENTS, Row, naive, operations, refused, stage, strike
from lightbulb.signals import exiting_at_signals

MIN_WIDTH = 140
"""A narrower terminal wraps the table's lines; better than cutting names short."""

COLUMNS = ("fault", "moment", "requests", "failed", "misrouted", "down", "slow", "publish", "converged in")


@click.command()
@click.option("--short", is_flag=True, help="A few operations, and the faults at one moment each.")
@click.option("--operations", "count", type=click.IntRange(1), default=200, show_default=True)
@click.option("--only", default="", help="Faults whose name contains this.")
@click.option("--seed", type=int, default=1, show_default=True)
@click.option(
    "--folder", type=click.Path(path_type=Path), default=Path(".lightbulb/chaos"), show_default=True
)
def main(short: bool, count: int, only: str, seed: int, folder: Path) -> None:
    """Break parts of a running system under load, and count what its users notice."""
    click.get_current_context().with_resource(exiting_at_signals())  # so that no child is left behind
    faults = matching(only)
    shutil.rmtree(folder, ignore_errors=True)
    console = Console(highlight=False)
    rows: list[Row] = []

    def tell(row: Row) -> None:
        rows.append(row)
        console.print(f"{row.outcome}: {row.fault}, {row.when}: {row.verdict}", soft_wrap=True)

    pace = measured_pace()
    console.print(f"everything is waited for {pace:.1f} times as long as on an idle machine")
    if not only:
        with stage(folder / "naive", seed, naive=True, pace=pace) as made:
            tell(naive(made, 8))
    with stage(folder / "real", seed, pace=pace) as made:
        if not only:
            tell(operations(made, 12 if short else count))
            tell(refused(made, "9", "a model that hosts refuse"))
            tell(refused(made, "hangs", "a model that never loads"))
        for number, fault in enumerate(faults):
            names = list(MOMENTS)
            for moment in [names[number % len(names)]] if short else names:
                tell(strike(made, fault, moment))
    Console(width=max(console.width, MIN_WIDTH), highlight=False).print(_table(rows))
    sys.exit(_exit_code(rows))


def matching(only: str) -> tuple[Fault, ...]:
    """Return the faults whose name contains a text; raise click.BadParameter, with all names, for none."""
    found = tuple(fault for fault in FAULTS if only in fault.name)
    if not found:
        names = "".join(f"\n  {fault.name}" for fault in FAULTS)
        raise click.BadParameter(f"no fault's name contains {only!r}. There are:{names}", param_hint="--only")
    return found


def _table(rows: list[Row]) -> Table:
    table = Table(*COLUMNS, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        verdict = row.verdict
        converged = f"{row.converged:.1f} s" if row.converged is not None else "never"
        cells = (
            row.fault,
            row.when,
            str(verdict.requests),
            str(verdict.failed),
            str(verdict.misrouted),
            str(verdict.down),
            str(verdict.slow),
            row.publish,
            converged,
        )
        table.add_row(*map(Text, cells), style="" if row.as_it_should else "red")
    return table


def _exit_code(rows: list[Row]) -> int:
    """0 when only the naive order has failures, and it does: else the harness sees nothing."""
    return 0 if all(row.as_it_should for row in rows) else 1


if __name__ == "__main__":
    main()
