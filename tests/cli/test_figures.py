"""Figures as people read them, and the command against a real control plane."""

import asyncio
import json

from controlplane.cli.figures import lines, plots, since
from controlplane.lifecycle.bins import Latencies
from controlplane.lifecycle.figures import Counts
from controlplane.replica.figures import Counted
from lightbulb.v1 import telemetry_pb2 as pb
from tests.cli import commands, documented
from tests.controlplane.planes import plane, run

CANDIDATE = Counts(requests=200, bad=4, latencies=Latencies(((10_000, 150), (90_000, 50))))


def test_an_arm_is_told_in_a_line_as_a_total_or_by_the_second() -> None:
    counts = {"candidate": CANDIDATE, "control": Counts()}
    assert [each.cells for each in lines(counts)] == [
        ("candidate", "200", "4 (2.00%)", "10.7 ms", "91.0 ms"),
        ("control", "0", "0 (0.00%)", "-", "-"),
    ]
    assert lines(counts, seconds=10.0)[0].cells[1] == "20.0/s"


def test_what_an_interval_brought_is_plotted_both_arms_by_one_scale() -> None:
    before = {"candidate": CANDIDATE, "control": CANDIDATE}
    now = {"candidate": CANDIDATE + Counts(requests=100, bad=8), "control": CANDIDATE + Counts(requests=100)}
    brought = since(before, now)
    assert (brought["candidate"].requests, brought["candidate"].bad) == (100, 8)
    failed = plots([before, brought])["failed"]
    assert failed == (("candidate", "▃█", "8.00%"), ("control", "▃▁", "8.00%"))


def test_the_command_tells_figures_and_what_to_do_without_any(tmp_path) -> None:
    async def scenario() -> None:
        async with plane(f"sqlite:{tmp_path}/store.db") as it:
            figures = it.replica.figures
            figures.count([Counted(objective="Rank", shift=17, candidate="c", control="k")])
            bins = [pb.DurationBin(microseconds=1000, requests=3)]
            ends = [pb.EndCount(grpc_status="0", requests=3)]
            figures.take("s1", [pb.RouteFigures(route="c", ends=ends, durations=bins)], it.replica.now)

            async def asked(*arguments: str):
                return await asyncio.to_thread(
                    commands.run, "figures", *arguments, "--control-plane", it.target
                )

            told = await asked("Rank")
            assert told.exit_code == 0, told.output
            assert "shift 17 of Rank, as 1 sidecar tells it every 10 s" in told.output
            document = json.loads((await asked("Rank", "--output", "json")).output)
            documented.check(document, documented.tables()["`figures`"], whole=True)
            none = await asked("Fraud")
            assert (none.exit_code, "`lightbulb shift` begins one" in none.output) == (1, True)

    run(scenario)
