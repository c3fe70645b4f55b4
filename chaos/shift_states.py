"""Faults in every state of a shift: it comes, goes on and is taken back, whoever dies meanwhile.

Each answer must be what the shift gives that user as it stands: by either of two shares while one follows the
other, and by none once the shift is seen clearing. Some consumers are far away, so that states that wait for
acknowledgements last long enough to be met. Which state was met is looked up after the strike.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import grpc

from chaos.faults import BY_NAME, Fault, frozen
from chaos.fleet import LINKED, Fleet, NotInTime, wait_for
from chaos.load import Outcome
from chaos.plane import Plane
from chaos.scenarios import CONVERGE_SECONDS, Row, Stage, on_stage
from chaos.shift import CANDIDATE, MODEL, OBJECTIVE, SALT, VERSION
from chaos.verdict import by_rules, judge_by, together
from chaos.workspaces import shifting_nobody
from controlplane.planning.plan import make_plan
from controlplane.rules.compile import compile_workspace
from lightbulb.model import OperatorShift, RequestContext, model_id, routing_key
from lightbulb.resolution.resolve import Resolver
from lightbulb.v1 import control_plane_pb2 as pb

SHARE, ALL = 3_000, 10_000

FAR = (LINKED, "lightbulb-2")
FAR_SECONDS = 0.3
"""Each way: so long are they in coming that a state which waits for them is met."""

TRIES = 3
NEAR_SECONDS = 1.0
"""Until a control plane that is asked for the state has answered: less than until another leads."""

STATES = ("starting", "running", "held", "finished", "aborting", "clearing")
ENDING = ("aborting", "clearing")
LASTS = {"starting": "running", "running": "running", "held": "held", "finished": "finished"}
"""Where a shift of a state stands afterwards; of the others none does."""
OVER, BEHIND = "over", "not known"
NAMES = {getattr(pb, f"SHIFT_STATE_{name.upper()}"): name for name in STATES}

SHIFT_FAULTS = (
    BY_NAME["kill -9: leading control plane"],
    BY_NAME["frozen: leading control plane"],
    BY_NAME["kill -9: a sidecar"],
    BY_NAME["slow: a sidecar's relay"],
    BY_NAME["cut off: a sidecar's relay"],
    BY_NAME["kill -9: a Lightbulb"],
    Fault("frozen: a Lightbulb", frozen("lightbulb-1", alone=False)),
    BY_NAME["kill -9: Redis"],
    BY_NAME["frozen: Redis"],
)


def row_name(fault: Fault) -> str:
    """Return how the rows of a fault are named, other than those of it in an activation."""
    return f"{fault.name}, in a shift"


@dataclass
class Shares:
    """Which shares of the users could have been shifted, from when on: basis points by Unix seconds."""

    resolver: Resolver
    number: int = 0
    marks: list[tuple[float, frozenset[int]]] = field(default_factory=lambda: [(0.0, frozenset({0}))])

    def may_be(self, *shares: int) -> None:
        """Note that from now on it may be any of some."""
        self.marks.append((time.time(), frozenset(shares)))

    def wrong(self, outcome: Outcome) -> str:
        """Say what is wrong with an outcome of the objective; empty: nothing."""
        if outcome.error:
            return f"failed: {outcome.error}"
        user = RequestContext(user_id=outcome.user, country="US", device="web", surface="home")
        shares = self._between(outcome.began, outcome.ended)
        expected = {self.model(share, user) for share in shares}
        if outcome.answered_by == outcome.resolved and outcome.resolved in expected:
            return ""
        return (
            f"misrouted: at {sorted(shares)} of 10000 {sorted(expected)} was expected, resolved was "
            f"{outcome.resolved}, answered by {outcome.answered_by}"
        )

    def _between(self, began: float, ended: float) -> frozenset[int]:
        begun = [shares for at, shares in self.marks if at <= began][-1]
        return begun.union(*(shares for at, shares in self.marks if began < at <= ended))

    def model(self, share: int, user: RequestContext) -> str:
        """Return the model that a user gets at a share."""
        key = routing_key(OBJECTIVE, MODEL, VERSION)
        shift = OperatorShift(number=self.number, key=key, basis_points=share, salt=SALT)
        target = self.resolver.under(shift).resolve(user).target
        return model_id(target.name, target.version)


@dataclass(frozen=True)
class Shifting:
    """A stage whose rules shift nobody, and what they say of the objective."""

    made: Stage
    resolver: Resolver


def shifting(made: Stage) -> Shifting:
    """Publish rules that shift nobody, and return once everybody is synced with them."""
    workspace = shifting_nobody(made.variant())
    made.settle(made.plane.publish(workspace))
    tables = make_plan(compile_workspace(workspace)).tables
    return Shifting(made, next(Resolver(each) for each in tables if each.objective == OBJECTIVE))


@contextmanager
def far_stage(folder: Path, seed: int, pace: float) -> Iterator[Stage]:
    """Start a system some of whose consumers are far away, and put it under load."""
    with Fleet(folder, pace=pace, far=FAR, link_seconds=FAR_SECONDS) as fleet, on_stage(fleet, seed) as made:
        yield made


def in_shifts(it: Shifting, faults: Iterable[Fault], *, short: bool) -> Iterator[Row]:
    """Yield a row for each fault in each state of a shift; with `short` in one state each."""
    for number, fault in enumerate(faults):
        for state in [STATES[number % len(STATES)]] if short else STATES:
            yield strike_in_shift(it, fault, state)


def strike_in_shift(it: Shifting, fault: Fault, state: str) -> Row:
    """Break something in a state of a shift, again until it was in that state; mend it, and see it end."""
    rows = [_strike(it, fault, state)]
    while rows[-1].hit != state and len(rows) < TRIES:
        rows.append(_strike(it, fault, state))
    return rows[0] if len(rows) == 1 else replace(rows[-1], verdict=together(row.verdict for row in rows))


def _strike(it: Shifting, fault: Fault, state: str) -> Row:
    made, plane, pace = it.made, it.made.plane, it.made.fleet.pace
    shares, mark, hit, became, converged = Shares(it.resolver), made.taken(), "", "", None
    begin = back = end = time.time()
    try:
        _bring(made, shares, state)
        begin = time.time()
        mend = fault.strike(made.fleet, plane)
        try:
            hit = _state_after(plane)
            time.sleep(fault.seconds(pace))  # not for anything to happen: this is how long it stays broken
        finally:
            mend()
        end = time.time()
        wait_for(f"{fault.name}: back again", lambda: fault.back(made.fleet), CONVERGE_SECONDS)
        back = time.time()
        became = _goes_on(made, shares, state)
        _take_back(plane, shares)
        made.settle(plane.status().active_generation)
        converged = time.time() - end
    except (NotInTime, grpc.RpcError) as error:
        became = f"{became} ({error})"
    verdict = judge_by(
        made.since(mark),
        lambda each: shares.wrong(each) if each.objective == OBJECTIVE else by_rules(each, plane.rules),
        lambda each: fault.down(each, begin, back, pace),
    )
    return Row(
        fault=row_name(fault),
        moment=state,
        hit=hit,
        verdict=verdict,
        publish=became if hit == state else f"{became}; the state wasn't met",
        expected=LASTS.get(state, OVER),
        converged=converged,
    )


def _bring(made: Stage, shares: Shares, state: str) -> None:
    """Bring a new shift to a state."""
    plane = made.plane
    shares.may_be(0, SHARE)
    start = pb.StartShift(model=MODEL, version=VERSION, steps=[SHARE])
    shares.number = plane.shift(OBJECTIVE, start=start)
    if state == "starting":
        return
    _wait_until(plane, "running")
    shares.may_be(SHARE)
    _wait_for_somebody(made)
    if state == "held":
        plane.shift(OBJECTIVE, verb=pb.SHIFT_VERB_HOLD)
    elif state == "finished":
        shares.may_be(SHARE, ALL)
        plane.shift(OBJECTIVE, verb=pb.SHIFT_VERB_FINISH)
    elif state in ENDING:
        _abort(plane, shares)
        if state == "clearing":
            _wait_until_cleared(plane, shares)


def _goes_on(made: Stage, shares: Shares, state: str) -> str:
    """Return where a shift stands that was struck in a state, once it has come there."""
    plane = made.plane
    if state in ENDING:
        _wait_until_cleared(plane, shares)
        wait_for("the shift to be over", lambda: _state(plane) == "", CONVERGE_SECONDS)
        return OVER
    _wait_until(plane, LASTS[state])
    shares.may_be(ALL if state == "finished" else SHARE)
    _wait_for_somebody(made)
    return LASTS[state]


def _wait_for_somebody(made: Stage) -> None:
    """Return once somebody is answered by the candidate; else nothing is shown."""
    mark = made.taken()

    def is_somebody() -> bool:
        return any(each.answered_by == CANDIDATE for each in made.since(mark))

    wait_for("somebody to be shifted", is_somebody, CONVERGE_SECONDS)


def _take_back(plane: Plane, shares: Shares) -> None:
    """Abort the shift, if it stands, and return once it is over."""
    if _state(plane) not in {"", *ENDING}:
        _abort(plane, shares)
        _wait_until_cleared(plane, shares)
    wait_for("the shift to be over", lambda: _state(plane) == "", CONVERGE_SECONDS)


def _abort(plane: Plane, shares: Shares) -> None:
    shares.may_be(0, *shares.marks[-1][1])
    plane.shift(OBJECTIVE, verb=pb.SHIFT_VERB_ABORT)


def _wait_until_cleared(plane: Plane, shares: Shares) -> None:
    """Return once nobody is shifted any more, as every Lightbulb has acknowledged."""
    wait_for("the shift to be cleared", lambda: _state(plane) in {"clearing", ""}, CONVERGE_SECONDS)
    shares.may_be(0)


def _wait_until(plane: Plane, state: str) -> None:
    """Return once the shift is in a state, and every Lightbulb obeys it."""
    wait_for(f"the shift to be {state}", lambda: _state(plane, in_force=True) == state, CONVERGE_SECONDS)


def _state_after(plane: Plane) -> str:
    """Return the state that the shift was struck in, as a replica has it that isn't struck itself."""
    found: list[str] = []

    def heard() -> bool:
        found[:] = [_state(plane)]
        return found[0] != BEHIND

    wait_for("a replica that knows the state", heard, CONVERGE_SECONDS)
    return found[0]


def _state(plane: Plane, *, in_force: bool = False) -> str:
    """Return the shift's state; empty without one, BEHIND while no replica is there that knows the newest.

    With `in_force` a state isn't told before every Lightbulb obeys it.
    """
    status = plane.known(NEAR_SECONDS)
    if status is None:
        return BEHIND
    plane.version = status.version
    shift = next((each for each in status.shifts if each.objective == OBJECTIVE), None)
    if shift is None:
        return ""
    return BEHIND if in_force and not shift.in_force else NAMES[shift.state]
