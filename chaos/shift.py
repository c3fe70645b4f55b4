"""An operator's shift, while generations come and go and the leading control plane is killed, under load.

Whoever was moved stays moved: while the shift stands at a share, each user's every request is answered by the
model that the user's bucket says, and while it rises nobody goes back.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import grpc

from chaos.faults import BY_NAME
from chaos.fleet import NotInTime, wait_for
from chaos.load import Outcome
from chaos.scenarios import CONVERGE_SECONDS, Row, Stage
from chaos.verdict import judge, together
from chaos.workspaces import shifting_nobody
from controlplane.cli.expectation import Expectations, Expected
from lightbulb.model import RequestContext
from lightbulb.resolution.allocate import bucket
from lightbulb.v1 import control_plane_pb2 as pb

OBJECTIVE, MODEL, VERSION = "PaymentFraudDetection", "payment-fraud-model", "2"
CANDIDATE = f"{MODEL}@{VERSION}"
SALT = f"shift:{OBJECTIVE}:{CANDIDATE}"
"""What users are dealt out by, as docs/shift.md says."""

SHARES = (2_500, 5_000)
"""Of 10,000 users: the first through all publishes and the leader's death, then the second."""

KILLED = BY_NAME["kill -9: leading control plane"]


@dataclass(frozen=True, slots=True)
class Stood:
    """A share that a shift stood at, by the time of day: everywhere from `begin` on, and until `end`."""

    share: int
    begin: float
    end: float

    def saw(self, outcome: Outcome) -> bool:
        """Say whether a request fell into this time, and into no other."""
        return self.begin <= outcome.began and outcome.ended <= self.end


class Shifted(Expectations):
    """What a generation calls for while a shift of everybody's objective stands over it."""

    def __init__(self, own: Expectations, share: int) -> None:
        """`own` is what the generation's rules call for; so many of 10,000 users are shifted."""
        self._own = own
        self._share = share

    def of(self, objective: str, context: RequestContext) -> Expected:
        """Return what a request of this user must be answered by."""
        expected = self._own.of(objective, context)
        if objective == OBJECTIVE and is_shifted(context.user_id, self._share):
            return replace(expected, model=CANDIDATE)
        return expected


def is_shifted(user: str, share: int) -> bool:
    """Say whether a user is among so many of 10,000."""
    return bucket(SALT, user) < share


def went_back(found: Iterable[Outcome], stood: Iterable[Stood]) -> list[Outcome]:
    """Return the requests by which a user came back from the candidate, while the shift stood somewhere."""
    stood = tuple(stood)
    told = sorted((each for each in found if each.objective == OBJECTIVE and not each.error), key=_began)
    moved: dict[str, float] = {}
    back = []
    for each in told:
        if each.answered_by == CANDIDATE:
            moved.setdefault(each.user, each.ended)
        elif each.began > moved.get(each.user, each.began) and any(span.saw(each) for span in stood):
            back.append(each)
    return back


def _began(outcome: Outcome) -> float:
    return outcome.began


def holds_through(made: Stage, publishes: int) -> Row:
    """Shift users, publish so often with the leader killed half-way, shift more, and take it all back."""
    plane, wrong = made.plane, list[str]()
    converged: float | None = None
    made.settle(plane.publish(shifting_nobody(made.variant())))
    mark = made.taken()
    stood: list[Stood] = []
    try:
        plane.shift(OBJECTIVE, start=pb.StartShift(model=MODEL, version=VERSION, steps=SHARES))
        begin = _in_force(made, SHARES[0])
        wrong += _publish(made, publishes - publishes // 2)
        mend = KILLED.strike(made.fleet, plane)
        wrong += _publish(made, publishes // 2)
        mend()
        made.wait_for_requests(50)
        stood.append(Stood(SHARES[0], begin, time.time()))
        plane.shift(OBJECTIVE, verb=pb.SHIFT_VERB_STEP)
        begin = _in_force(made, SHARES[1])
        made.wait_for_requests(50)
        stood.append(Stood(SHARES[1], begin, time.time()))
        began = time.monotonic()
        plane.shift(OBJECTIVE, verb=pb.SHIFT_VERB_ABORT)
        wait_for("the shift to be over", lambda: not _shifts(made), CONVERGE_SECONDS)
        made.settle(plane.publish(made.variant(), CONVERGE_SECONDS))
        converged = time.monotonic() - began
    except (NotInTime, grpc.RpcError) as error:
        wrong.append(str(error))
    found = made.since(mark)
    back = went_back(found, stood)
    if back:
        wrong.append(f"{len(back)} went back, {back[0].user} first")
    return Row(
        fault="a shift, and the leader is killed",
        moment=f"{publishes} publishes",
        verdict=together(
            judge(filter(span.saw, found), _over(plane.rules, span.share), lambda _: False) for span in stood
        ),
        publish="; ".join(wrong[:3]) or "active",
        converged=converged,
    )


def _publish(made: Stage, times: int) -> list[str]:
    """Publish so often, each once the one before is active; return what was wrong."""
    wrong = []
    for _ in range(times):
        number = made.plane.publish(shifting_nobody(made.variant()), CONVERGE_SECONDS)
        became = made.plane.outcome(number, CONVERGE_SECONDS)
        if became != "active":
            wrong.append(f"{number} {became}: {made.plane.status().failure}")
    return wrong


def _in_force(made: Stage, share: int) -> float:
    """Return when every Lightbulb obeyed a shift to that share."""

    def there() -> bool:
        return any(each.basis_points == share and each.in_force for each in _shifts(made))

    wait_for(f"{share} of 10,000 users to be shifted", there, CONVERGE_SECONDS)
    return time.time()


def _shifts(made: Stage) -> list[pb.Shift]:
    """Return the shifts that stand, as a replica has them that knows of the newest operation."""
    found: list[pb.GetStatusResponse] = []

    def heard() -> bool:
        known = made.plane.known()
        found[:] = [] if known is None else [known]
        return known is not None

    wait_for("a replica that knows", heard, CONVERGE_SECONDS)
    return list(found[0].shifts)


def _over(rules: Mapping[int, Expectations], share: int) -> dict[int, Expectations]:
    return {number: Shifted(own, share) for number, own in rules.items()}
