"""Two tenants on their way at once, each in a phase of its own, and a fault at that moment.

The pairs are every phase of one with every phase of the other. Phases are short: both are published so that
they should meet, by what it took the last times, and again if they didn't. Which of the two is in which phase
says nothing, since tenants are alike: a run must have met each phase with each, in either order.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

import grpc

from chaos.faults import FAULTS, Fault
from chaos.fleet import LINK, NotInTime, wait_for
from chaos.scenarios import CONVERGE_SECONDS, MOMENTS, Row
from chaos.teams import OthersChanged, Team, Teams
from chaos.verdict import judge, together
from controlplane.cli.control_plane import phase_name
from lightbulb.v1 import control_plane_pb2 as pb

ATTEMPTS = 4
"""How often two tenants are published until they meet in the phases that they should."""

AND = " and "
"""Between the two phases of a pair."""

SHARE = 0.5
"""How much the last attempt counts for where a phase's middle is expected."""

LOOK_SECONDS = 30.0
"""How long the status is followed before it is asked for anew."""

AGAIN = 3
"""How often a pair is tried anew that no row has met."""

PAIRS = tuple(product(MOMENTS, MOMENTS))

Pair = frozenset[str]
"""Two phases, or one that both are in."""


@dataclass
class Middles:
    """When a phase is at its middle, in seconds from when the publish was asked for: learned on the way."""

    known: dict[str, float] = field(default_factory=lambda: {name: 0.5 + n for n, name in enumerate(MOMENTS)})

    def learn(self, entered: Mapping[str, float]) -> None:
        """Take when an attempt entered its phases."""
        moments = sorted(entered.values())
        for name, begin in entered.items():
            later = [each for each in moments if each > begin]
            if name in self.known and later:
                middle = (begin + later[0]) / 2
                self.known[name] += SHARE * (middle - self.known[name])


@dataclass
class Sighting:
    """One tenant's way through an attempt: `target` is its publish, once that has a number."""

    team: Team
    wanted: str
    began: float = 0.0
    target: int = 0
    failed: bool = False
    entered: dict[str, float] = field(default_factory=dict)

    @property
    def publishes(self) -> bool:
        """Whether it is to be on its way: for "settled" it stays as it is."""
        return self.wanted != "settled"

    def see(self, lane: pb.Lane) -> bool:
        """Take a status; say whether the tenant is in the phase that it should be in."""
        if not self.publishes:
            return lane.phase == pb.PHASE_SETTLED
        if not self.target or self.target not in {lane.active_generation, lane.target_generation}:
            return False
        self.entered.setdefault(phase_name(lane.phase), time.monotonic() - self.began)
        return phase_name(lane.phase) == self.wanted

    @property
    def lets_hold(self) -> bool:
        """Whether nothing that it still needs comes through the link that `routing` waits for."""
        return self.wanted in {"loading", "routing", "settled", *self.entered}

    @property
    def over(self) -> bool:
        """Whether it can't get there any more."""
        later = list(MOMENTS)[list(MOMENTS).index(self.wanted) + 1 :]
        return self.failed or not self.entered.keys().isdisjoint(later)

    def publish(self) -> None:
        """Set it on its way, if it is to be."""
        if not self.publishes:
            return
        self.began = time.monotonic()
        try:
            self.target = self.team.start()
        finally:
            self.failed = not self.target


def pairs(it: Teams, *, every: int = 1) -> Iterator[Row]:
    """Yield a row for each pair of phases, or for one in `every`; the faults take turns.

    Those that were not met are tried again. The last row is `coverage`.
    """
    middles, rows, numbers = Middles(), [], range(0, len(PAIRS), every)
    todo = list(numbers)
    for _ in range(1 + AGAIN):
        for number in todo:
            rows.append(strike_pair(it, FAULTS[number % len(FAULTS)], PAIRS[number], middles))
            yield rows[-1]
        left = unmet(rows, numbers)
        todo = list({pair: number for number in numbers if (pair := Pair(PAIRS[number])) in left}.values())
    yield coverage(rows, numbers)


def unmet(rows: Iterable[Row], numbers: Iterable[int]) -> frozenset[Pair]:
    """Return those of some PAIRS, by their numbers, that no row has met."""
    return frozenset(Pair(PAIRS[number]) for number in numbers) - {Pair(row.hit.split(AND)) for row in rows}


def coverage(rows: Sequence[Row], numbers: Iterable[int]) -> Row:
    """Return a row that is as it should be if every one of the pairs was met."""
    left = sorted(AND.join(sorted(pair if len(pair) > 1 else [*pair] * 2)) for pair in unmet(rows, numbers))
    return Row(
        fault="every phase of one tenant with every phase of another",
        moment="met",
        verdict=together(row.verdict for row in rows),
        publish=f"never met: {', '.join(left)}" if left else "active",
        converged=max((row.converged or 0.0 for row in rows), default=0.0),
    )


def strike_pair(it: Teams, fault: Fault, moments: tuple[str, str], middles: Middles) -> Row:
    """Break something while two tenants are each in a phase; mend it, and see both get there."""
    pace, first, second = it.made.fleet.pace, it.teams[-2], it.teams[-1]
    it.adopt()
    mark = it.made.taken()
    hit = _meet(it, (first, second), moments, middles)
    begin = time.time()
    mend = fault.strike(it.made.fleet, first.plane)
    time.sleep(fault.seconds(pace))  # not for anything to happen: this is how long it stays broken
    mend()
    end = back = time.time()
    converged, became = None, "active"
    try:
        wait_for(f"{fault.name}: back again", lambda: fault.back(it.made.fleet), CONVERGE_SECONDS)
        back = time.time()
        for team in (first, second):
            team.publish()  # what went under has left nothing behind: the next one goes through
        it.settle()
        for team in it.teams:
            team.check()
        converged = time.time() - end
    except (NotInTime, OthersChanged, grpc.RpcError) as error:
        became = str(error)
    it.share()
    found = it.made.since(mark)
    rules = it.sources.rules_of(each.generation for each in found)
    return Row(
        fault=fault.name,
        moment=AND.join(moments),
        hit=hit,
        verdict=judge(found, rules, lambda outcome: fault.down(outcome, begin, back, pace)),
        publish=became,
        converged=converged,
    )


def _meet(it: Teams, teams: tuple[Team, Team], moments: tuple[str, str], middles: Middles) -> str:
    """Return the phases that the two were last seen in together: those wanted, if they met in time."""
    seen = ""
    for _ in range(ATTEMPTS):
        it.settle()
        ways = [Sighting(team, wanted) for team, wanted in zip(teams, moments, strict=True)]
        lag = middles.known[moments[0]] - middles.known[moments[1]] if all(w.publishes for w in ways) else 0
        waits = (max(0.0, -lag), max(0.0, lag))
        timers = [
            threading.Timer(wait, way.publish) for wait, way in zip(waits, ways, strict=True) if way.publishes
        ]
        for timer in timers:
            timer.start()
        met, seen = _watch(it, ways)
        for timer in timers:
            timer.join()
        for way in ways:
            middles.learn(way.entered)
        if met:
            return seen
    return seen


def _watch(it: Teams, ways: list[Sighting]) -> tuple[bool, str]:
    """Return whether the two met in their phases, once they do or can't any more, and where they were.

    Where one is to be met in `routing`, which is short, the link that it waits for stands still meanwhile.
    """
    fleet, seen = it.made.fleet, ""
    routing = any(way.wanted == "routing" for way in ways)
    try:
        while not any(way.over for way in ways):
            for status in it.teams[0].plane.watch(LOOK_SECONDS):
                lanes = {lane.tenant: lane for lane in status.lanes}
                met = [way.see(lanes[way.team.tenant]) for way in ways]
                seen = AND.join(phase_name(lanes[way.team.tenant].phase) for way in ways)
                if all(met):
                    return True, seen
                if any(way.over for way in ways):
                    break
                if routing and all(way.lets_hold for way in ways):
                    fleet.signal(LINK, signal.SIGSTOP)
        return False, seen
    finally:
        fleet.signal(LINK, signal.SIGCONT)
