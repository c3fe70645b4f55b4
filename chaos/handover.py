"""An objective goes from one tenant to another and back, while the others publish, under load."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import count as numbers

from chaos.fleet import NotInTime, wait_for
from chaos.scenarios import CONVERGE_SECONDS, Row
from chaos.teams import OthersChanged, Team, Teams, converge, work
from chaos.verdict import judge
from chaos.workspaces import objectives_of
from controlplane.cli.expectation import Expectations, Expected
from lightbulb.model import RequestContext
from lightbulb.v1 import control_plane_pb2 as pb

EACH = 4
"""Operations of the others, for each time that it changes hands."""


class Handed(Expectations):
    """What a generation calls for, but for an objective that came from another tenant, as that one had it."""

    def __init__(self, own: Expectations, objective: str, theirs: Expectations) -> None:
        """`theirs` is what the other's call for."""
        self._own = own
        self._objective = objective
        self._theirs = theirs

    def of(self, objective: str, context: RequestContext) -> Expected:
        """Return what a request of this user must be answered by."""
        return (self._theirs if objective == self._objective else self._own).of(objective, context)


def handed_over(it: Teams, times: int) -> Row:
    """Have an objective change hands, there and back again if `times` is even, while others are at work."""
    it.settle()
    it.adopt()
    first, second = it.teams[-2:]
    objective = objectives_of(first.tenant)[-1]
    as_it_is = it.sources.rules[first.asked]
    it.made.wait_for_requests(20)  # what was cached from before is used up
    mark = it.made.taken()
    turns, others = numbers(), it.teams[:-2]
    wrong: list[str] = []
    with ThreadPoolExecutor(len(others)) as pool:
        working = [pool.submit(work, it, team, turns, times * EACH, moves=False) for team in others]
        try:
            for turn in range(times):
                _hand_over(objective, *((second, first) if turn % 2 else (first, second)))
        except (NotInTime, OthersChanged) as error:
            wrong.append(str(error))
        wrong += [str(error) for each in working if (error := each.exception()) is not None]
    converged = converge(it, wrong)
    found = it.made.since(mark)
    if not wrong:
        for team in (first, second):
            team.publish()  # what was taken isn't in the files of its generation, by which others judge
        converged = converge(it, wrong)
    rules = it.sources.rules_of(each.generation for each in found)
    handed = {number: Handed(own, objective, as_it_is) for number, own in rules.items()}
    return Row(
        fault="an objective changes hands",
        moment=f"{times} times",
        verdict=judge(found, handed, lambda _: False),
        publish="; ".join(wrong[:3]) or "active",
        converged=converged,
    )


def _hand_over(objective: str, owner: Team, taker: Team) -> None:
    for team in (owner, taker):
        wait_for(f"{team.tenant} to settle", lambda team=team: _is_settled(team), CONVERGE_SECONDS)
    owner.plane.offer(objective, taker.tenant)
    number = taker.plane.take(objective)
    wait_for(f"{objective} at {taker.tenant}", lambda: _has(taker, number), CONVERGE_SECONDS)
    owner.roll_back()  # what it has no more isn't its own again by that


def _has(taker: Team, number: int) -> bool:
    status = taker.status()
    if number not in {status.active_generation, status.target_generation}:
        raise OthersChanged(f"{taker.tenant}'s {number} was withdrawn: {status.failure or 'why?'}")
    return bool(number == status.active_generation)


def _is_settled(team: Team) -> bool:
    return bool(team.status().phase == pb.PHASE_SETTLED)
