"""Runs benchmarks one after the other, and writes down what they found."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from bench import guards_table, machine, plot, show
from bench.contest import Setting
from bench.result import Report, Results
from bench.suite import BENCHMARKS

DOCUMENT = Path(__file__).parents[1] / "docs" / "benchmarks.md"
GUARDS = "guards.md"
"""The document beside it that has the figures of guards: whoever uses them wants to see those."""
PLOTS = "img"
"""Where the document has its plots."""


def run(
    names: Iterable[str],
    *,
    quick: bool,
    tell: Callable[[str], None],
    done: Callable[[Report], None],
    failed: Callable[[str, Exception], None],
) -> Results:
    """Run the benchmarks named; `done` is called with each report as it comes.

    One that fails is left out, and handed to `failed`: the others are worth their minutes.
    """
    described = machine.describe()
    reports = []
    for name in names:
        with tempfile.TemporaryDirectory(prefix="lightbulb-bench-") as folder:
            setting = Setting(
                quick=quick,
                cores=machine.find_cores(),
                folder=Path(folder),
                tell=lambda line, name=name: tell(f"{name}: {line}"),
            )
            try:
                reports.append(run_one(name, setting))
            except Exception as error:  # noqa: BLE001 - whatever it is
                failed(name, error)
                continue
        done(reports[-1])
    return Results(machine=described, quick=quick, reports=tuple(reports))


def run_one(name: str, setting: Setting) -> Report:
    """Run one benchmark."""
    benchmark, began = BENCHMARKS[name], time.monotonic()
    comparisons = benchmark.run(setting)
    return Report(name=name, title=benchmark.title, comparisons=comparisons, seconds=time.monotonic() - began)


def write(results: Results, folder: Path) -> None:
    """Write results.json, results.md and a plot of each benchmark to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(results.to_json(), indent=1) + "\n")
    (folder / "results.md").write_text(show.markdown(results, "."))
    for report in results.reports:
        plot.save(report, folder)


def write_document(results: Results, folder: Path, document: Path = DOCUMENT) -> None:
    """Put the figures, and the plots in `folder`, into the document; those of guards into their own."""
    guards = [report for report in results.reports if report.name == "guards"]
    for report in guards:
        own = document.with_name(GUARDS)
        own.write_text(show.quote(own.read_text(), guards_table.markdown(report)))
    results = replace(results, reports=tuple(each for each in results.reports if each not in guards))
    if not results.reports:
        return
    document.write_text(show.quote(document.read_text(), show.markdown(results, PLOTS)))
    pictures = document.parent / PLOTS
    pictures.mkdir(exist_ok=True)
    for report in results.reports:
        shutil.copyfile(folder / f"{report.name}.png", pictures / f"{report.name}.png")
