"""That the benchmarks run and say what they must; never how fast anything is."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench import show
from bench.__main__ import main
from bench.machine import find_cores
from bench.parts import guards, operators
from bench.parts.judges import judges
from bench.parts.shift_figures import EQUALS, WORSE
from bench.result import Comparison, Report, Results, Verdict
from bench.run import run, write_document
from bench.suite import Benchmark
from bench.worker import Worker, WorkerFailed


def comparison(*ratios: float, goal: float | None = None) -> Comparison:
    return Comparison(
        contestant="ours",
        baseline="theirs",
        metric="CPU",
        unit="s",
        ratios=ratios,
        cost=2e-6,
        baseline_cost=1e-6,
        goal=goal,
    )


def test_a_quick_run_writes_ratios_a_table_and_a_plot(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["resolve_core", "--quick", "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["quick"] is True
    assert results["machine"]["cores"]
    comparisons = results["benchmarks"]["resolve_core"]["comparisons"]
    assert {each["contestant"] for each in comparisons} == {
        "A/B test",
        "layered test, conditions",
        "gradual shift",
        "A/B test by an attribute",
        "segment of 10,000 users, A/B test",
        *operators.resolvers(),
    }
    for each in comparisons:
        assert each["baseline"] == "hash + dict"
        assert len(each["ratios"]) == 3
        assert all(math.isfinite(ratio) and ratio > 0 for ratio in each["ratios"])
        assert min(each["ratios"]) <= each["ratio"] <= max(each["ratios"])
        assert each["contestant"] in done.output
        assert each["contestant"] in (tmp_path / "results.md").read_text()
    assert (tmp_path / "resolve_core.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.envoy
def test_envoys_and_their_control_plane_are_set_up_and_measured(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["envoy_lookup", "--quick", "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    comparisons = json.loads((tmp_path / "results.json").read_text())["benchmarks"]["envoy_lookup"][
        "comparisons"
    ]
    assert {each["metric"] for each in comparisons} == {"CPU", "time"}
    assert all(each["ratio"] > 0 for each in comparisons)


def test_a_benchmark_that_fails_is_named_and_the_others_are_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(_: object) -> None:
        raise RuntimeError("no luck today")

    suite = {
        "broken": Benchmark(title="Never", run=fail),
        "sound": Benchmark(title="Always", run=lambda _: (comparison(1.0),)),
    }
    monkeypatch.setattr("bench.run.BENCHMARKS", suite)
    said: list[str] = []
    results = run(
        suite,
        quick=True,
        tell=lambda _: None,
        done=lambda _: None,
        failed=lambda name, error: said.append(f"{name}: {error}"),
    )
    assert said == ["broken: no luck today"]
    assert [report.name for report in results.reports] == ["sound"]


@pytest.mark.parametrize("bodies", [[], ["AAAAAAE="]], ids=["without a body", "with a body"])
def test_the_load_generator_counts_answers_as_they_should_be_and_nothing_else(bodies: list[str]) -> None:
    core = find_cores().client
    with Worker("bench.parts.upstream", core) as upstream, Worker("bench.parts.load", core) as load:
        ask = {
            "port": upstream.ask()["port"],
            "pid": upstream.pid,
            "headers": [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "test")],
            "requests": 500,
            "warm_up": 10,
            "connections": 3,
            "depth": 4,
        }
        if bodies:  # this upstream never answers with one
            with pytest.raises(WorkerFailed, match="weren't answered as they should"):
                load.ask(bodies=bodies, **ask)
        else:
            spent = load.ask(bodies=bodies, **ask)
            assert spent["seconds"] > 0
            assert 0 < spent["cpu"] <= spent["seconds"] * 2


@pytest.mark.parametrize(
    ("ratios", "goal", "verdict"),
    [
        ((1.0, 1.1, 1.2), 1.5, Verdict.MET),
        ((1.0, 1.1, 1.2), 0.9, Verdict.MISSED),
        ((1.0, 1.1, 1.2), 1.1, Verdict.UNCLEAR),
        ((1.0, 1.1, 9.0), None, Verdict.NONE),
        ((2.0,), 1.0, Verdict.MISSED),
    ],
)
def test_a_verdict_needs_the_quartiles_on_one_side(
    ratios: tuple[float, ...], goal: float | None, verdict: Verdict
) -> None:
    assert comparison(*ratios, goal=goal).verdict is verdict


def test_the_document_gets_the_figures_between_its_markers_and_the_plots(tmp_path: Path) -> None:
    document = tmp_path / "benchmarks.md"
    document.write_text(f"# Before\n{show.BEGIN}\nold\n{show.END}\nafter\n")
    (tmp_path / "one.png").write_bytes(b"picture")
    report = Report(name="one", title="Ours against theirs", comparisons=(comparison(2.0),), seconds=1.0)
    results = Results(machine={"cores": "2"}, quick=False, reports=(report,))
    write_document(results, tmp_path, document)
    text = document.read_text()
    assert text.startswith(f"# Before\n{show.BEGIN}\nMeasured on: cores 2.")
    assert "| ours | theirs | CPU | 2.00 |" in text
    assert "old" not in text
    assert text.endswith(f"{show.END}\nafter\n")
    assert (tmp_path / "img" / "one.png").read_bytes() == b"picture"


def test_judges_of_shifts_are_told_in_a_document_of_their_own(tmp_path: Path) -> None:
    said = {
        scenario: guards.run(scenario=scenario, runs=4, seed=1)
        for scenario in ("1,000/s, 50 % share, 1 % fail", "errors 0.1 → 1 %: 1,000/s, share 5 %")
    }
    names = set(judges(0.01))
    assert all(set(each) == names for each in said.values())
    delays = said["errors 0.1 → 1 %: 1,000/s, share 5 %"]["bet, 10 s"]
    assert 10 <= delays["median"] <= delays["90 %"] <= 600

    def found(metric: str, *ratios: float, cost: float) -> Comparison:
        return replace(comparison(*ratios), metric=metric, cost=cost)

    comparisons = [found(name, 0.2, 0.4, cost=2) for name in list(EQUALS)[1:]]
    comparisons.append(found(next(iter(EQUALS)), 20.0, 22.0, cost=200))
    comparisons += [
        found(f"{name}: {what}", 1.0, cost=50 if what == "median" else 1_200)
        for name in WORSE
        for what in ("median", "90 %")
    ]
    report = Report(name="guards", title="Judges", comparisons=tuple(comparisons), seconds=1.0)
    (tmp_path / "guards.md").write_text(f"{show.BEGIN}\n{show.END}\n")
    results = Results(machine={}, quick=False, reports=(report,))
    write_document(results, tmp_path, tmp_path / "benchmarks.md")  # which isn't there, and isn't needed
    text = (tmp_path / "guards.md").read_text()
    assert "| 1,000/s, 5 % share, 0.1 % fail | **21.0%** |" in text
    assert "| 1,000/s, 50 % share, 1 % fail | 0.3% |" in text
    assert "| errors 0.1 → 1 %: 1,000/s, share 5 % | 50 · over 600 |" in text


def test_a_document_without_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="lacks"):
        show.quote("nothing here", "figures")
