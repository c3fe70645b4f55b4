"""Reads records, compares what belongs together, and shows the report."""

from __future__ import annotations

import gc
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bars

from controlplane.cli.comparison import document, shown
from controlplane.cli.extras import require
from controlplane.cli.failed import Failed
from controlplane.cli.output import print_json
from controlplane.cli.whole_file import write_whole
from controlplane.comparison.gathering import Gathering, TooManyShadows
from controlplane.comparison.outcomes import BadOutcomes, read_outcomes
from controlplane.comparison.page import make_page
from controlplane.comparison.pairs import Outcomes
from controlplane.comparison.report import Reports
from controlplane.comparison.reporting import make_reports
from controlplane.comparison.sources import EVERY, Index, Progress, Together, find_files, make_index
from lightbulb.comparison.lines import SUFFIX

WIDTH = 140
"""Columns of a report that goes to a file."""

HOW = "hosts keep them with `lightbulb host --records FOLDER`, of what `lightbulb shadow start` copies"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What to compare: records in `paths`, of `shadows` (empty: all); `least` agreement is wanted."""

    paths: tuple[Path | str, ...]
    shadows: tuple[str, ...] = ()
    least: float
    outcomes: Path | None = None


def report(asked: Asked, *, page: Path | None, as_json: bool) -> None:
    """Print a report, and write its page. Raises Failed."""
    outcomes = _outcomes(asked.outcomes)
    with progress(as_json=as_json) as told:
        reports = compare(asked, outcomes, told)
    if page is not None:
        write_whole(page, make_page(reports).encode())
    if as_json:
        print_json(document(reports))
        return
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = WIDTH
    console.print(shown(reports))
    if page is not None:
        click.echo(f"wrote {page}")


def compare(asked: Asked, outcomes: Outcomes, told: Progress) -> Reports:
    """Return the reports of what records there are. Raises Failed."""
    with record_files(asked.paths) as files:
        index, gathering = _gather(asked, files, outcomes, told)
    if not any(each.counted.pairs for each in gathering.each.values()):
        raise _no_pairs(asked, index, gathering)
    return Reports(
        each=make_reports(gathering.each, least=asked.least),
        dropped=index.dropped,
        unreadable=index.unreadable,
        faults=tuple(map(str, index.faults)),
    )


@contextmanager
def record_files(paths: Sequence[Path | str]) -> Iterator[tuple[Path, ...]]:
    """Give the files of records in folders, and one of what a Redis has at each URL. Raises Failed."""
    with tempfile.TemporaryDirectory() as folder:
        found = [path for path in paths if isinstance(path, Path)]
        for number, url in enumerate(path for path in paths if isinstance(path, str)):
            require("redis", "redis")
            from controlplane.cli.record_stream import fetch_records  # noqa: PLC0415 - an extra

            found.append(Path(folder) / f"{number}{SUFFIX}")
            fetch_records(url, found[-1])
        try:
            yield find_files(found)
        except FileNotFoundError as error:
            raise Failed("NO_RECORDS", f"there is no {error}", HOW) from error


def _gather(
    asked: Asked, files: tuple[Path, ...], outcomes: Outcomes, told: Progress
) -> tuple[Index, Gathering]:
    """Look through files, and put together what belongs together. Raises Failed."""
    index = make_index(files, told)
    gathering = Gathering(outcomes, asked.shadows)
    together = Together(index)
    gc.disable()  # there are no circles in records, and looking for them takes a tenth of it all
    try:
        for number, records in enumerate(together):
            gathering.add(records)
            if not number % EVERY:
                told(number / len(together), "comparing")
    except TooManyShadows as error:
        raise Failed("TOO_MANY_SHADOWS", str(error), "name one with --shadow") from error
    finally:
        gc.enable()
        together.close()
    gathering.finish()
    told(1.0, "comparing")
    return index, gathering


def _no_pairs(asked: Asked, index: Index, gathering: Gathering) -> Failed:
    """Return what to say when there is nothing to compare."""
    places = ", ".join(map(str, asked.paths))
    if index.unreadable and not len(index.keys):
        why = "\n".join(f"  {each}" for each in index.faults)
        remedy = "use the Lightbulb that wrote them" if index.faults[0].other_version else HOW
        return Failed(
            "UNREADABLE_RECORDS", f"no line of {places} is a record that can be read\n{why}", remedy
        )
    if not len(index.keys):
        return Failed("NO_RECORDS", f"there are no records in {places}", HOW)
    found = [
        f"  shadow {shadow}: {each.counted.sent:,} of the primary, {each.counted.arrived:,} of the shadow"
        + (f", {each.counted.not_live:,} tests and replays" if each.counted.not_live else "")
        for shadow, each in gathering.each.items()
    ]
    if not found:
        wanted = ", ".join(asked.shadows)
        return Failed("NO_PAIRS", f"no record in {places} is of shadow {wanted}", "leave out --shadow")
    message = f"no request in {places} has records of both sides\n" + "\n".join(found)
    remedy = "name the folders of the hosts of both models; `lightbulb shadow list` says what is copied"
    return Failed("NO_PAIRS", message, remedy)


def _outcomes(path: Path | None) -> Outcomes:
    if path is None:
        return {}
    try:
        with path.open(encoding="utf-8") as file:
            return read_outcomes(str(path), file)
    except BadOutcomes as error:
        raise Failed("BAD_OUTCOMES", str(error), "write lines such as 3f2c5c3e,1") from error
    except UnicodeDecodeError as error:
        raise Failed(
            "BAD_OUTCOMES", f"{path} isn't UTF-8 at byte {error.start}", "write CSV in UTF-8"
        ) from error


def _untold(_share: float, _what: str) -> None:
    """Tell nobody."""


@contextmanager
def progress(*, as_json: bool) -> Iterator[Progress]:
    """Show how far it is on stderr, if that is a terminal."""
    if as_json or not sys.stderr.isatty():
        yield _untold
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:.0f}%"))
    with Bars(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=1.0)
        yield lambda share, what: bar.update(task, completed=share, description=what)
