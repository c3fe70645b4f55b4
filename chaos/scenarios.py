"""The scenarios: random operations, the naive order, and every fault at every moment of an activation."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc

from chaos.faults import Fault
from chaos.fleet import Fleet, NotInTime, wait_for
from chaos.load import Outcome
from chaos.plane import Plane
from chaos.verdict import Verdict, judge, lines_since, outcomes
from chaos.workspaces import RULES, for_the_release_before, variant, with_fraud_model
from controlplane.cli.control_plane import phase_name
from controlplane.model import Workspace
from lightbulb.v1 import control_plane_pb2 as pb

READY_SECONDS = 600.0
CONVERGE_SECONDS = 600.0
"""Nothing takes so long at any pace, unless it is stuck."""

WORKERS = 6
PAUSE_SECONDS = 0.01
"""Of a worker between two requests."""

MOMENTS = {
    "loading": pb.PHASE_LOADING,
    "routing": pb.PHASE_ROUTING,
    "retiring": pb.PHASE_RETIRING,
    "unloading": pb.PHASE_UNLOADING,
    "settled": pb.PHASE_SETTLED,
}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table; seconds from when the fault was mended until everybody was synced again."""

    fault: str
    moment: str
    hit: str = ""
    """The phase that the rollout was in when the fault struck, when it was to strike in one."""
    verdict: Verdict
    publish: str
    expected: str = "active"
    """What was to become of the publish."""
    converged: float | None
    must_fail: bool = False
    """It does what must go wrong: that shows that the harness sees it."""

    @property
    def when(self) -> str:
        """The moment, and what was hit when that was another one."""
        return f"{self.moment} (hit {self.hit})" if self.hit not in {"", self.moment} else self.moment

    @property
    def outcome(self) -> str:
        """What to make of it, in a word or two."""
        if self.must_fail:
            return "fails, as it should" if self.as_it_should else "WRONG: it should fail"
        return "ok" if self.as_it_should else "WRONG"

    @property
    def as_it_should(self) -> bool:
        """Whether it is fine, or must fail and does."""
        seen = self.verdict.failed + self.verdict.misrouted > 0
        return seen if self.must_fail else self.fine

    @property
    def fine(self) -> bool:
        verdict = self.verdict
        seen = verdict.requests > 0 and not (verdict.failed or verdict.misrouted)
        return seen and self.publish == self.expected and self.converged is not None


@dataclass
class Stage:
    """A running system under load."""

    fleet: Fleet
    plane: Plane
    load: Path
    dice: random.Random
    rules: Path = RULES
    workers: int = WORKERS
    pause: float = PAUSE_SECONDS

    def variant(self) -> Workspace:
        """Return a workspace to publish, of the folder that all of them are made of."""
        made = variant(self.dice, self.rules)
        return made if self.rules == RULES else for_the_release_before(made)

    def taken(self) -> int:
        return self.load.stat().st_size

    def since(self, mark: int) -> list[Outcome]:
        return outcomes(lines_since(self.load, mark))

    def wait_for_requests(self, count: int) -> None:
        """Return once so many more requests have ended."""
        mark = self.taken()
        wait_for(f"{count} requests", lambda: len(self.since(mark)) >= count, READY_SECONDS)

    def settle(self, generation: int) -> float:
        """Return how long it took until everybody is synced with `generation`."""
        began = time.monotonic()
        wait_for(
            f"everybody synced with {generation}", lambda: self.plane.synced(generation), CONVERGE_SECONDS
        )
        return time.monotonic() - began


@contextmanager
def stage(  # noqa: PLR0913 - each is a choice of who starts it
    folder: Path,
    seed: int,
    *,
    naive: bool = False,
    pace: float = 1.0,
    release: Path | None = None,
    workers: int = WORKERS,
    pause: float = PAUSE_SECONDS,
) -> Iterator[Stage]:
    """Start a system, publish a first generation, and put it under load until the end of the block.

    The load is that of so many `workers`, each beside one of the sidecars in turn, with a `pause` in seconds
    between two of its requests.
    With a `release`, the control planes are of that folder, and so are the rules that are published.
    """
    with Fleet(folder, naive=naive, pace=pace, release=release) as fleet:
        rules = RULES if release is None else release / "rules"
        with on_stage(fleet, seed, rules=rules, workers=workers, pause=pause) as made:
            yield made


@contextmanager
def on_stage(
    fleet: Fleet, seed: int, *, rules: Path = RULES, workers: int = WORKERS, pause: float = PAUSE_SECONDS
) -> Iterator[Stage]:
    """Publish a first generation on a system that was started, and put it under load; as `stage`."""
    plane = Plane(fleet)
    load = fleet.folder / f"load-{seed}.jsonl"
    made = Stage(fleet, plane, load, random.Random(seed), rules, workers, pause)
    first = plane.publish(made.variant(), READY_SECONDS)
    wait_for("the first generation", lambda: plane.outcome(first, READY_SECONDS) == "active", READY_SECONDS)
    made.settle(first)
    with under_load(made):
        made.wait_for_requests(50)
        yield made


@contextmanager
def under_load(made: Stage, *objectives: str) -> Iterator[None]:
    """Have clients ask for some objectives, or for the default tenant's, and write down what came of it."""
    fleet, path = made.fleet, made.load
    path.touch()
    command = [sys.executable, "-m", "chaos.load", fleet.lightbulbs, fleet.sidecars, str(path)]
    command += [str(made.workers), str(made.pause), str(fleet.pace), *objectives]
    with path.with_suffix(".log").open("wb") as log:
        load = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield
        assert load.poll() is None, "the load has ended by itself"
    finally:
        load.terminate()
        load.wait(30)


def operations(made: Stage, count: int, on_done: Callable[[], None] = lambda: None) -> Row:
    """Publish, move models and roll back at random."""
    mark, plane = made.taken(), made.plane
    wrong: list[str] = []
    active = 0
    for _ in range(count):
        live = list(plane.status().live_generations)
        if made.dice.random() < 0.3 and len(live) > 1:
            active = plane.roll_back(made.dice.choice(live))
        else:
            active = plane.publish(made.variant())
            became = plane.outcome(active, CONVERGE_SECONDS)
            if became != "active":
                wrong.append(f"{active} {became}: {plane.status().failure}")
        on_done()
    converged = made.settle(active)
    verdict = judge(made.since(mark), plane.rules, lambda _: False)
    return Row(
        fault="publishes, moves, rollbacks",
        moment=f"{count} at random",
        verdict=verdict,
        publish="; ".join(wrong[:3]) or "active",
        converged=converged,
    )


def naive(made: Stage, count: int) -> Row:
    """The same in the naive order."""
    mark, plane = made.taken(), made.plane
    for _ in range(count):
        plane.publish(made.variant())
        made.wait_for_requests(60)
    verdict = judge(made.since(mark), plane.rules, lambda _: False)
    return Row(
        fault="the naive order",
        moment=f"{count} publishes",
        verdict=verdict,
        publish="-",
        expected="-",
        must_fail=True,
        converged=0.0,
    )


def strike(made: Stage, fault: Fault, moment: str) -> Row:
    """Break something at a moment of an activation, mend it, and wait until everybody is synced again."""
    mark, plane, pace = made.taken(), made.plane, made.fleet.pace
    generation = plane.publish(made.variant())
    _wait_for_phase(plane, generation, MOMENTS[moment])
    hit = phase_name(plane.newest().phase)
    begin = time.time()
    mend = fault.strike(made.fleet, plane)
    time.sleep(fault.seconds(pace))  # not for anything to happen: this is how long it stays broken
    mend()
    end = time.time()
    back, converged, became = end, None, "?"
    try:
        wait_for(f"{fault.name}: back again", lambda: fault.back(made.fleet), CONVERGE_SECONDS)
        back = time.time()
        became = plane.outcome(generation, CONVERGE_SECONDS)
        # What went under has left nothing behind: the next publish goes through.
        following = plane.publish(made.variant(), CONVERGE_SECONDS)
        if plane.outcome(following, CONVERGE_SECONDS) != "active":
            became += f", the next one withdrawn: {plane.status().failure}"
        made.settle(following)
        converged = time.time() - end
    except (NotInTime, grpc.RpcError) as error:
        became += f" ({error})"
    verdict = judge(made.since(mark), plane.rules, lambda outcome: fault.down(outcome, begin, back, pace))
    return Row(fault=fault.name, moment=moment, hit=hit, verdict=verdict, publish=became, converged=converged)


def refused(made: Stage, version: str, name: str) -> Row:
    """Publish what a host refuses, or never answers for; it is withdrawn, and the next one goes through."""
    mark, plane = made.taken(), made.plane
    began = time.time()
    generation = plane.publish(with_fraud_model(made.variant(), version))
    became = plane.outcome(generation, CONVERGE_SECONDS)
    following = plane.publish(made.variant())
    if plane.outcome(following, CONVERGE_SECONDS) != "active":
        became += f", the next one withdrawn: {plane.status().failure}"
    made.settle(following)
    verdict = judge(made.since(mark), plane.rules, lambda _: False)
    return Row(
        fault=name,
        moment="loading",
        verdict=verdict,
        publish=became,
        expected="withdrawn",
        converged=time.time() - began,
    )


def _wait_for_phase(plane: Plane, generation: int, phase: int) -> None:
    """Return as soon as an activation is in a phase, or past it: some last milliseconds only."""
    order = [pb.PHASE_RELEASING, *MOMENTS.values()]
    for status in plane.watch(CONVERGE_SECONDS):
        if generation not in {status.target_generation, status.active_generation}:
            return
        if order.index(status.phase) >= order.index(phase):
            return
