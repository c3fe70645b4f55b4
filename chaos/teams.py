"""Several tenants at once: each publishes, rolls back and pins, and the platform moves them all.

Each tenant's operator looks before and after each of its operations, while the others' are under way: what is
active must be what it has asked for itself, and nobody else has changed it.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import count as numbers

import grpc

from chaos.fleet import NotInTime, wait_for
from chaos.plane import Plane
from chaos.scenarios import CONVERGE_SECONDS, Row, Stage, under_load
from chaos.tenants import TENANTS
from chaos.verdict import judge
from chaos.workspaces import objectives_of, platform_variant, tenant_variant, without_fleet
from controlplane.cli.expectation import Expectations
from controlplane.model import PLATFORM, Workspace
from controlplane.planning.layers import Layers, in_layers
from controlplane.planning.plan import make_plan
from controlplane.rules.compile import compile_workspace
from controlplane.rules.workspace import content_hash
from controlplane.store.contract import Store
from lightbulb.v1 import control_plane_pb2 as pb

MOVES = 0.12
ROLLBACKS = 0.3
PINS = 0.12
"""Shares of a tenant's operations; the others are publishes."""


class OthersChanged(Exception):
    """What is active for a tenant isn't what it asked for."""


@dataclass
class Team:
    """One tenant's operator. `asked`: content hash of the workspace that is to be active."""

    plane: Plane
    dice: random.Random
    sources: Sources
    asked: str = ""
    pinned: int = 0

    @property
    def tenant(self) -> str:
        return self.plane.tenant

    def publish(self) -> None:
        """Publish, and return once that is active; raise OthersChanged when it was withdrawn."""
        number = self.start()
        wait_for(f"{self.tenant}'s {number}", lambda: self._became(number), CONVERGE_SECONDS)

    def start(self) -> int:
        """Publish, and return the number at once."""
        whole = tenant_variant(self.tenant, self.dice)
        workspace = without_fleet(whole)
        self.asked = self.sources.learn(workspace, whole, self.tenant)
        return self.plane.publish_files(workspace)

    def roll_back(self) -> bool:
        """Roll back to something live; say whether there was anything, and it still was."""
        live = list(self.plane.status().live_generations)
        return len(live) > 1 and self._roll_back(self.dice.choice(live))

    def _roll_back(self, number: int) -> bool:
        if not _possible(lambda: self.plane.roll_back(number, seconds=0)):
            return False
        self.asked = self.sources.of(number)
        return True

    def pin(self) -> bool:
        """Release what is pinned, or else pin something live; say whether it still was."""
        if self.pinned:
            number, self.pinned = self.pinned, 0
            return _possible(lambda: self.plane.pin(number, seconds=0, release=True))
        number = self.dice.choice(list(self.plane.status().live_generations))
        pinned = _possible(lambda: self.plane.pin(number, seconds=0))
        self.pinned = number if pinned else 0
        return pinned

    def check(self) -> None:
        """Raise OthersChanged unless this tenant is answered from what it asked for."""
        status = self.status()
        if self.sources.of(status.active_generation) != self.asked:
            raise OthersChanged(f"{self.tenant} is at {status.active_generation}: {status.failure or 'why?'}")

    def status(self) -> pb.GetStatusResponse:
        """Return the status of a replica that has heard of this tenant's newest operation."""
        found: list[pb.GetStatusResponse] = []

        def heard() -> bool:
            found[:] = [self.plane.status()]
            return found[0].version >= self.plane.version

        wait_for("a replica that knows", heard, CONVERGE_SECONDS)
        return found[0]

    def _became(self, number: int) -> bool:
        status = self.status()
        if self.sources.of(status.active_generation) == self.asked:
            return True
        # The platform may have planned it anew meanwhile: under another number, and of the same files.
        if not status.target_generation or self.sources.of(status.target_generation) != self.asked:
            raise OthersChanged(f"{self.tenant}'s {number} was withdrawn: {status.failure or 'why?'}")
        return False


@dataclass
class Sources:
    """Which workspace each generation was made of, as the store has it; and what each calls for."""

    store: Store
    rules: dict[str, Expectations] = field(default_factory=dict)
    _known: dict[int, str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def learn(self, workspace: Workspace, whole: Workspace, tenant: str) -> str:
        """Take what a tenant's calls for, worked out from it with a fleet; return its content's hash."""
        source, rules = content_hash(workspace), compile_workspace(whole)
        tables = in_layers(rules.tables, Layers(tenant=tenant))
        self.rules[source] = Expectations(make_plan(replace(rules, tables=tables)))
        return source

    def of(self, number: int) -> str:
        """Return the content's hash of the files that a generation was made of; of 0 there is none."""
        with self._lock:
            if not number:
                return ""
            if number not in self._known:
                self._known[number] = self.store.entry(number).source_hash
            return self._known[number]

    def rules_of(self, numbers: Iterable[int]) -> dict[int, Expectations]:
        """Return what generations call for, of those that are known."""
        return {
            number: self.rules[self.of(number)] for number in set(numbers) if self.of(number) in self.rules
        }


@dataclass
class Teams:
    """Four tenants on a stage, `made`, whose load is on what all of them have."""

    made: Stage
    teams: tuple[Team, ...]
    platform: Plane
    sources: Sources

    def adopt(self) -> None:
        """Take what is active now for what was asked for, whoever did."""
        for number, expected in self.made.plane.rules.items():
            if self.sources.of(number):  # not one that the store lost
                self.sources.rules.setdefault(self.sources.of(number), expected)
        for team in self.teams:
            team.asked = self.sources.of(team.status().active_generation)

    def share(self) -> None:
        """Let the stage's own rows know what was published here."""
        self.made.plane.rules.update(
            self.sources.rules_of(entry.number for entry in self.sources.store.log())
        )

    def move(self) -> None:
        """Let the platform give each tenant other shards than most, or the same."""
        self.platform.publish_files(platform_variant(TENANTS, self.made.dice))

    def settle(self) -> None:
        """Return once every tenant has settled, and everybody is synced."""
        for team in self.teams:
            wait_for(f"{team.tenant} to settle", lambda team=team: _settled(team), CONVERGE_SECONDS)


def _settled(team: Team) -> bool:
    try:
        active = team.status().active_generation
    except grpc.RpcError:
        return False
    return team.plane.synced(active)


@contextmanager
def teams(made: Stage) -> Iterator[Teams]:
    """Turn a stage of one tenant into one of four, each with something active, under load."""
    platform = Plane(made.fleet, tenant=PLATFORM)
    platform.publish_files(platform_variant(TENANTS, made.dice))
    made.plane.fleetless = True
    with made.fleet.store() as store:
        sources = Sources(store)
        found = tuple(
            Team(Plane(made.fleet, tenant=tenant), random.Random(made.dice.random()), sources)
            for tenant in TENANTS
        )
        for team in found:
            team.publish()
        own = replace(made, load=made.fleet.folder / "load-of-teams.jsonl")
        objectives = [name for tenant in TENANTS for name in objectives_of(tenant)]
        with under_load(own, *objectives):
            it = Teams(own, found, platform, sources)
            own.wait_for_requests(50)
            it.share()
            yield it


def at_once(it: Teams, count: int) -> Row:
    """Let four tenants publish, roll back and pin at once, while the platform moves them."""
    it.adopt()
    mark = it.made.taken()
    turns = numbers()
    with ThreadPoolExecutor(len(it.teams)) as pool:
        working = [pool.submit(work, it, team, turns, count) for team in it.teams]
        wrong = [str(error) for each in working if (error := each.exception()) is not None]
    converged = converge(it, wrong)
    found = it.made.since(mark)
    return Row(
        fault="four tenants at once",
        moment=f"{count} at random",
        verdict=judge(found, it.sources.rules_of(each.generation for each in found), lambda _: False),
        publish="; ".join(wrong[:3]) or "active",
        converged=converged,
    )


def converge(it: Teams, wrong: list[str]) -> float | None:
    """Return in how many seconds all settled, each on its own; None when not, and why goes to `wrong`."""
    converged, began = None, time.monotonic()
    try:
        it.settle()
        for team in it.teams:
            team.check()
        converged = time.monotonic() - began
    except (NotInTime, OthersChanged) as error:
        wrong.append(str(error))
    it.share()
    return converged


def work(it: Teams, team: Team, turns: Iterator[int], count: int, *, moves: bool = True) -> None:
    """Do operations until all that there are to be are done; look before and after each."""
    while next(turns) < count:
        team.check()
        _operate(it, team, moves=moves)
        team.check()


def _operate(it: Teams, team: Team, *, moves: bool) -> None:
    drawn = team.dice.random()
    if moves and drawn < MOVES:
        it.move()
        return
    did = (drawn < MOVES + ROLLBACKS and team.roll_back()) or (drawn >= 1 - PINS and team.pin())
    if not did:
        team.publish()


def _possible(call: Callable[[], object]) -> bool:
    """Do it; say whether it could be done: what was live may have left since."""
    try:
        call()
    except NotInTime as error:
        cause = error.__cause__
        if isinstance(cause, grpc.RpcError) and cause.code() is grpc.StatusCode.FAILED_PRECONDITION:
            return False
        raise
    return True
