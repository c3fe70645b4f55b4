"""`python -m chaos`: the fault matrix, as a table."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from chaos.faults import FAULTS, Fault
from chaos.handover import handed_over
from chaos.hang import NAME as HUNG
from chaos.hang import hung
from chaos.loss import fails_over, fails_over_with_tenants
from chaos.pace import measured_pace
from chaos.pairs import pairs
from chaos.scenarios import MOMENTS, Row, Stage, naive, operations, refused, stage, strike
from chaos.shift import holds_through
from chaos.shift_states import SHIFT_FAULTS, far_stage, in_shifts, row_name, shifting
from chaos.teams import at_once, teams
from chaos.upgrade import BEFORE, NoRelease, checked_out, refuses_newer, upgrade
from lightbulb.signals import exiting_at_signals

MIN_WIDTH = 140
"""A narrower terminal wraps the table's lines; better than cutting names short."""

SHORT_COUNT = 12
"""Operations of a short run."""

SHORT_EVERY = 6
"""Of the pairs of phases, a short run has one in so many: each phase of one tenant once."""

HANDS, SHORT_HANDS = 10, 2
"""How often an objective changes hands: an even number, so that it comes back."""

PUBLISHES, SHORT_PUBLISHES = 10, 3
"""While a shift stands, and the leader is killed in the middle of them."""

COLUMNS = ("fault", "moment", "requests", "failed", "misrouted", "down", "slow", "publish", "converged in")


@click.command()
@click.option("--short", is_flag=True, help="A few operations, and the faults at one moment each.")
@click.option("--operations", "count", type=click.IntRange(1), default=200, show_default=True)
@click.option("--only", default="", help="Faults whose name contains this.")
@click.option("--tenants", "several", is_flag=True, help="The rows with several tenants alone.")
@click.option("--seed", type=int, default=1, show_default=True)
@click.option(
    "--folder", type=click.Path(path_type=Path), default=Path(".lightbulb/chaos"), show_default=True
)
def main(  # noqa: PLR0913, PLR0917 - the options of a command
    short: bool, count: int, only: str, several: bool, seed: int, folder: Path
) -> None:
    """Break parts of a running system under load, and count what its users notice."""
    click.get_current_context().with_resource(exiting_at_signals())  # so that no child is left behind
    faults, in_a_shift = matching(only)
    shutil.rmtree(folder, ignore_errors=True)
    console = Console(highlight=False)
    rows: list[Row] = []

    def tell(row: Row) -> None:
        rows.append(row)
        console.print(f"{row.outcome}: {row.fault}, {row.when}: {row.verdict}", soft_wrap=True)

    before = _release(folder.absolute().parent / "releases") if several or not only else folder
    pace = measured_pace()
    console.print(f"everything is waited for {pace:.1f} times as long as on an idle machine")
    count = SHORT_COUNT if short else count
    if not (only or several):
        with stage(folder / "naive", seed, naive=True, pace=pace) as made:
            tell(naive(made, 8))
    if not several and only in HUNG:
        tell(hung(folder / "hung", seed, pace))
    if faults or several:
        with stage(folder / "real", seed, pace=pace) as made:
            if not several:
                _of_one_tenant(made, faults, count, tell, short=short, alone=bool(only))
            if several or not only:
                _of_several(made, before, count, tell, short=short)
    _of_shifts(() if several else in_a_shift, folder / "shifts", seed, pace, tell, short=short)
    if several or not only:
        with stage(folder / "upgrade", seed, pace=pace, release=before) as made:
            tell(upgrade(made))
    Console(width=max(console.width, MIN_WIDTH), highlight=False).print(_table(rows))
    sys.exit(_exit_code(rows))


def _of_one_tenant(  # noqa: PLR0913 - what the command line says
    made: Stage,
    faults: tuple[Fault, ...],
    count: int,
    tell: Callable[[Row], None],
    *,
    short: bool,
    alone: bool,
) -> None:
    if not alone:
        tell(operations(made, count))
        tell(holds_through(made, SHORT_PUBLISHES if short else PUBLISHES))
        tell(refused(made, "9", "a model that hosts refuse"))
        tell(refused(made, "hangs", "a model that never loads"))
        for planes in (False, True):
            tell(fails_over(made, planes=planes))
    for number, fault in enumerate(faults):
        names = list(MOMENTS)
        for moment in [names[number % len(names)]] if short else names:
            tell(strike(made, fault, moment))


def _of_shifts(  # noqa: PLR0913 - what the command line says
    faults: tuple[Fault, ...],
    folder: Path,
    seed: int,
    pace: float,
    tell: Callable[[Row], None],
    *,
    short: bool,
) -> None:
    if faults:
        with far_stage(folder, seed, pace) as made:
            for row in in_shifts(shifting(made), faults, short=short):
                tell(row)


def _of_several(made: Stage, before: Path, count: int, tell: Callable[[Row], None], *, short: bool) -> None:
    with teams(made) as four:
        tell(at_once(four, count))
        tell(handed_over(four, SHORT_HANDS if short else HANDS))
        for row in pairs(four, every=SHORT_EVERY if short else 1):
            tell(row)
        tell(fails_over_with_tenants(four))
        tell(refuses_newer(made, before))


def _release(cache: Path) -> Path:
    """Return a folder with the release before."""
    try:
        return checked_out(BEFORE, cache)
    except NoRelease as error:
        raise click.ClickException(str(error)) from error


def matching(only: str) -> tuple[tuple[Fault, ...], tuple[Fault, ...]]:
    """Return the faults in an activation, and those in a shift, whose rows' names contain a text.

    Raises click.BadParameter, with all names, for none. That of a hung host isn't one of them: it has a
    system and a load of its own.
    """
    found = tuple(fault for fault in FAULTS if only in fault.name)
    in_a_shift = tuple(fault for fault in SHIFT_FAULTS if only in row_name(fault))
    if not found and not in_a_shift and only not in HUNG:
        known = (*(fault.name for fault in FAULTS), *map(row_name, SHIFT_FAULTS), HUNG)
        names = "".join(f"\n  {name}" for name in known)
        raise click.BadParameter(f"no fault's name contains {only!r}. There are:{names}", param_hint="--only")
    return found, in_a_shift


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
