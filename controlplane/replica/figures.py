"""What relays told this replica of the routes that are counted: added up, since it started."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from google.protobuf.message import DecodeError

from controlplane.lifecycle.agreement import NOTHING_COMPARED, AllCompared, Compared, Models, heard
from controlplane.lifecycle.bins import Latencies
from controlplane.lifecycle.counters import Sum
from controlplane.lifecycle.events import model_of
from controlplane.lifecycle.evidence_codec import counts_from_proto, counts_to_proto
from controlplane.lifecycle.figures import NOTHING, Answer, Arms, Counts, answer_of
from controlplane.lifecycle.shadow import Copies, Shadowed
from controlplane.lifecycle.state import Control, NewDefault, ShiftState
from controlplane.lifecycle.views import cluster_of, operator_shift, route_of, route_of_default
from lightbulb.model import SHADOW_CLUSTERS
from lightbulb.resolution.codec import Malformed
from lightbulb.sidecar.counters import (
    ANSWERED,
    BROKEN_OFF,
    COPIES,
    LATE,
    NO_HOST,
    RESET,
    SHED,
    SHED_WAITING,
    UNREACHABLE,
)
from lightbulb.v1 import evidence_pb2
from lightbulb.v1 import telemetry_pb2 as pb

INTERVAL_SECONDS = 10.0
"""How long relays wait between two messages, unless somebody wants it sooner."""

UNTIL_PAIRS_SECONDS = 1.0
"""While some shadow is to end after so many pairs."""

SILENT_INTERVALS = 3
"""A sidecar that told nothing for so many intervals isn't reporting."""

MAX_ROUTES = 1_000
"""Routes and shadows that are counted at once: two arms of 500 shifts."""

MAX_COUNT = 2**40
"""Requests that one message may tell of, by route and end: more than any Envoy serves."""

MAX_BINS = 2_000
"""Bins of one route in one message; Envoy has 757 up to an hour."""


class NothingCounted(Exception):
    """An objective of which nothing is counted."""

    def __init__(self, objective: str) -> None:
        """Hold its name."""
        self.about = {"objective": objective}
        super().__init__(
            f"nothing is counted of {objective!r}: figures are of a shift, until it is aborted, or of a "
            "default that is judged; `lightbulb shift` begins one, and `lightbulb events` says what became "
            "of the last"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """A shift whose arms are counted, by the names of its routes; a new default has no `control`.

    `models`: those whose answers its guards want compared; None: they don't.
    """

    objective: str
    shift: int
    candidate: str
    control: str
    models: Models | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """All that a replica was told since its `epoch` began, by route, and by how many sidecars of late."""

    epoch: int
    by_route: Mapping[str, Counts]
    reporting: int = 0
    compared: AllCompared = field(default_factory=lambda: NOTHING_COMPARED)

    @property
    def is_nothing(self) -> bool:
        """Whether there is nothing that others need to know."""
        return not (self.by_route or self.compared)

    def copies_of(self, shadow: str) -> Copies:
        """Return what it was told of a shadow's copies, by its id."""
        names = {name: _copies(cluster_of(shadow), name) for name in COPIES}
        count = {name: self.by_route.get(kept, NOTHING).requests for name, kept in names.items()}
        return Copies(
            answered=count[ANSWERED],
            shed=count[SHED] + count[SHED_WAITING],
            too_large=max(0, count[RESET] - count[LATE]),
            late=count[LATE],
            failed=count[UNREACHABLE] + count[BROKEN_OFF] + count[NO_HOST],
        )

    def sum_of(self, counted: Counted, sender: str) -> Sum:
        """Return what it was told of a shift."""
        candidate = self.by_route.get(counted.candidate, NOTHING)
        control = self.by_route.get(counted.control, NOTHING)
        return Sum(sender=sender, epoch=self.epoch, arms=Arms(candidate=candidate, control=control))


def _copies(cluster: str, counter: str) -> str:
    """Return the name that one counter of a shadow's copies is kept under."""
    return f"{cluster}.{counter}"


def counted_of(controls: Iterable[Control]) -> tuple[Counted, ...]:
    """Return the shifts whose arms sidecars tell apart."""
    return tuple(
        Counted(
            objective=each.objective,
            shift=each.shift.number,
            candidate=route_of(arms.candidate_arm),
            control=route_of(arms.control_arm),
            models=_compared_for(each),
        )
        for each in controls
        if each.shift.state is not ShiftState.CLEARING
        for arms in (operator_shift(each),)
    )


def _compared_for(control: Control) -> Models | None:
    shift = control.shift
    if not shift.guards.want_agreement:
        return None
    primary, candidate = model_of(shift.default_key), model_of(shift.key)
    return Models(objective=control.objective, primary=primary, candidate=candidate)


def counted_default(new: NewDefault) -> tuple[Counted, ...]:
    """Return the new default that sidecars count, once they do."""
    if not new.number:
        return ()
    route = route_of_default(new)
    return (Counted(objective=new.objective, shift=new.number, candidate=route, control=""),)


def interval_of(
    controls: Iterable[Control],
    shadows: Iterable[Shadowed] = (),
    new_defaults: Iterable[NewDefault] = (),
) -> float:
    """Return how often relays tell: as often as the most impatient guards, or a shadow that ends, want."""
    guards = (*(each.shift.guards for each in controls), *(each.guards for each in new_defaults))
    wanted = [each.interval for each in guards if each.each]
    if any(shadow.pairs for each in shadows for shadow in each.standing):
        wanted.append(UNTIL_PAIRS_SECONDS)
    return min(wanted, default=INTERVAL_SECONDS)


class Figures:
    """Adds up what relays tell. `epoch` rises from one life of the replica to the next."""

    def __init__(self, epoch: int) -> None:
        """Want nothing yet."""
        self.interval = INTERVAL_SECONDS
        self._epoch = epoch
        self.routes: tuple[str, ...] = ()
        """The routes that are wanted, and then the shadows."""
        self._counted: tuple[Counted, ...] = ()
        self._shadows: tuple[str, ...] = ()
        self._names: frozenset[str] = frozenset()
        self._sums: dict[str, Counts] = {}
        self._heard: dict[str, float] = {}
        self._compared = NOTHING_COMPARED
        self._wanted = asyncio.Event()

    @property
    def counted(self) -> tuple[Counted, ...]:
        """The shifts that are counted."""
        return self._counted

    @property
    def other_routes(self) -> asyncio.Event:
        """Is set once other routes are wanted than now."""
        return self._wanted

    def count(self, counted: Iterable[Counted], shadows: Iterable[str] = ()) -> None:
        """Count these shifts, and shadows by id, from now on; what was counted of others is forgotten."""
        counted, shadows = tuple(counted), tuple(shadows)
        if (counted, shadows) == (self._counted, self._shadows):
            return
        self._counted, self._shadows = counted, shadows
        judged = sorted({name for each in counted for name in (each.candidate, each.control) if name})
        # Shadows after those, which guards judge by.
        self.routes = tuple([*judged, *map(cluster_of, shadows)][:MAX_ROUTES])
        copies = (_copies(cluster_of(each), counter) for each in shadows for counter in COPIES)
        self._names = frozenset((*self.routes, *copies))
        self._sums = {name: counts for name, counts in self._sums.items() if name in self._names}
        changed, self._wanted = self._wanted, asyncio.Event()
        changed.set()

    def take(self, node_id: str, told: Iterable[pb.RouteFigures], now: float) -> None:
        """Add what a relay tells; raises Malformed. What isn't wanted is left out."""
        wanted = [each for each in told if each.route in self._names]
        counts = {each.route: _counts(each) for each in wanted if not _is_shadow(each)}
        for each in filter(_is_shadow, wanted):
            counts |= _counts_of_copies(each)
        self._heard[node_id] = now
        for route, count in counts.items():
            self._sums[route] = self._sums.get(route, NOTHING) + count

    def take_compared(self, teller: str, told: Compared) -> None:
        """Take what somebody has compared by now. Raises TooMuchCompared."""
        self._compared = heard(self._compared, teller, told)

    def leave(self, node_id: str) -> None:
        """Forget a relay whose stream has ended; what it told stays."""
        self._heard.pop(node_id, None)

    def told(self, now: float) -> Told:
        """Return all that was told."""
        late = now - SILENT_INTERVALS * self.interval
        reporting = sum(at >= late for at in self._heard.values())
        return Told(
            epoch=self._epoch, by_route=dict(self._sums), reporting=reporting, compared=self._compared
        )


def _counts(told: pb.RouteFigures) -> Counts:
    numbers = (*(each.requests for each in told.ends), *(each.requests for each in told.durations))
    if len(told.durations) > MAX_BINS or max(numbers, default=0) > MAX_COUNT:
        raise Malformed(f"figures of {told.route[:100]!r} beyond what an Envoy counts")
    requests = bad = 0
    for end in told.ends:
        answer = answer_of(end.grpc_status, end.flags)
        requests += 0 if answer is Answer.LEFT_OUT else end.requests
        bad += end.requests if answer is Answer.BAD else 0
    bins = ((each.microseconds, each.requests) for each in told.durations)
    return Counts(requests=requests, bad=bad, latencies=Latencies.of(bins))


def _is_shadow(told: pb.RouteFigures) -> bool:
    return told.route.startswith(SHADOW_CLUSTERS)


def _counts_of_copies(told: pb.RouteFigures) -> Mapping[str, Counts]:
    """Return what was told of a shadow's copies, by the name that each counter is kept under."""
    if len(told.ends) > len(COPIES) or max((each.requests for each in told.ends), default=0) > MAX_COUNT:
        raise Malformed(f"copies of {told.route[:100]!r} beyond what an Envoy counts")
    return {
        _copies(told.route, each.flags): Counts(requests=each.requests, bad=0)
        for each in told.ends
        if each.flags in COPIES
    }


def told_to_bytes(told: Told) -> bytes:
    """Return what was told, for the store."""
    message = evidence_pb2.StoredFigures(epoch=told.epoch, reporting=told.reporting)
    for route in sorted(told.by_route):
        message.routes.add(route=route, counts=counts_to_proto(told.by_route[route]))
    for teller in sorted(told.compared):
        for models, counts in told.compared[teller].counts.items():
            message.compared.add(
                teller=teller,
                epoch=told.compared[teller].epoch,
                objective=models.objective,
                primary=models.primary,
                candidate=models.candidate,
                pairs=counts.compared,
                disagreement=counts.disagreed,
            )
    return message.SerializeToString(deterministic=True)


def told_from_bytes(body: bytes) -> Told:
    """Return what a replica was told; raises Malformed."""
    try:
        message = evidence_pb2.StoredFigures.FromString(body)
    except DecodeError as error:
        raise Malformed(f"no figures: {error}") from error
    by_route = {each.route: counts_from_proto(each.counts) for each in message.routes}
    compared = _all_compared(message.compared)
    return Told(epoch=message.epoch, by_route=by_route, reporting=message.reporting, compared=compared)


def _all_compared(stored: Iterable[evidence_pb2.StoredCompared]) -> AllCompared:
    """Return what tellers told; raises Malformed."""
    counts = defaultdict[tuple[str, int], dict[Models, Counts]](dict)
    for each in stored:
        models = Models(objective=each.objective, primary=each.primary, candidate=each.candidate)
        counts[each.teller, each.epoch][models] = compared_counts(each.pairs, each.disagreement)
    return {teller: Compared(epoch=epoch, counts=told) for (teller, epoch), told in counts.items()}


def compared_counts(pairs: int, disagreement: float) -> Counts:
    """Return what was compared; raises Malformed for more disagreement than pairs."""
    if pairs > MAX_COUNT or not 0.0 <= disagreement <= pairs:
        raise Malformed(f"a disagreement of {disagreement:g} in {pairs:,} pairs: it is from 0 to 1 in each")
    return Counts(compared=pairs, disagreed=disagreement)
