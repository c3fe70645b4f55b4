"""One tenant's publish until it is active, while all goes wrong that can with another's.

Timed from its acceptance. From the call it is told without a goal: compiling is in that, which the other's
publish just before it makes slower, whether it fares well or not.
"""

from __future__ import annotations

from itertools import chain
from statistics import median, quantiles

from bench.contest import Contestant, Costs, Measured, Setting, alternate
from bench.deployment import AT_ONCE, LOCAL
from bench.machine import pinned
from bench.result import Comparison
from bench.worker import Worker
from controlplane.cli.processes import Processes, free_ports

TITLE = "A tenant's publish, from accepted to active at the last Lightbulb, beside another in trouble"
GOAL = 1.2
MEASURE_SECONDS = 600.0
ALONE = "alone"
TROUBLES = {
    "another loads": "loads",
    "another's models fail": "fails",
    "another's sidecar refuses": "refuses",
}
POLICY = {**AT_ONCE, "routing": 60, "loading": 600}


class Contender:
    """One kind of trouble; keeps how long each publish took."""

    def __init__(self, company: Worker, trouble: str, times: int) -> None:
        """It is published `times` times each round."""
        self._company = company
        self._trouble = trouble
        self._times = times
        self._took: list[list[float]] = []

    def measure(self) -> Costs:
        """Return the median in seconds."""
        how = {"do": "measure", "trouble": self._trouble, "times": self._times}
        found = self._company.ask(MEASURE_SECONDS, **how)
        self._took.append(found["took"])
        return {"p50": median(found["took"]), "p50 from the call": median(found["called"])}

    def p99(self) -> float:
        """Return the 99th percentile over all rounds but the warm-up."""
        return quantiles(chain.from_iterable(self._took[1:]), n=100, method="inclusive")[-1]


def run(setting: Setting) -> tuple[Comparison, ...]:
    rounds, times = (2, 4) if setting.quick else (10, 30)
    cores = setting.cores
    target = f"{LOCAL}:{free_ports(1)[0]}"
    flags = [part for name, value in POLICY.items() for part in ("--policy", f"{name}={value:g}")]
    store = f"sqlite:{setting.folder}/store.db"
    with Processes(setting.folder) as processes, Worker("bench.parts.tenants", cores.client) as company:
        with pinned(cores.server):
            processes.start("control-plane", ["control-plane", "--listen", target, "--store", store, *flags])
        company.ask(do="start", target=target)
        contenders = {
            name: Contender(company, trouble, times) for name, trouble in {ALONE: "", **TROUBLES}.items()
        }
        measured = alternate(
            [Contestant(name=name, measure=each.measure) for name, each in contenders.items()],
            rounds,
            setting.tell,
        )
    overall = Measured({name: ({"p99": each.p99()},) for name, each in contenders.items()})
    return (
        *(overall.compare(name, ALONE, "p99", goal=GOAL) for name in TROUBLES),
        *(measured.compare(name, ALONE, "p50", goal=GOAL) for name in TROUBLES),
        *(measured.compare(name, ALONE, "p50 from the call") for name in TROUBLES),
    )
