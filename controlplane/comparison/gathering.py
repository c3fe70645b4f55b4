"""Records of requests, put into pairs and added up, shadow by shadow. Pure, but that it changes itself."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from controlplane.comparison.pairs import Kind, Outcomes, Pair, measure
from controlplane.comparison.report import Counted, Worst
from controlplane.comparison.totals import Mean, Totals, group_of, no_totals
from lightbulb.comparison.record import LIVE, Record, Side

BATCH = 1000
"""Pairs that are measured together."""

WORST = 10
MAX_SHADOWS = 16
"""Shadows that are compared at a time."""


class TooManyShadows(Exception):
    """More shadows than are compared at a time; `shadows` are some of them."""

    def __init__(self, shadows: Sequence[str]) -> None:
        named = ", ".join(shadows)
        super().__init__(f"there are records of more than {MAX_SHADOWS} shadows, for example {named}")


@dataclass(slots=True, kw_only=True, eq=False)
class Gathered:
    """All that was found of one shadow."""

    shadow: str
    totals: Totals = field(default_factory=no_totals)
    counts: Counter[str] = field(default_factory=Counter)
    kinds: Counter[Kind] = field(default_factory=Counter)
    primaries: Counter[str] = field(default_factory=Counter)
    candidates: Counter[str] = field(default_factory=Counter)
    objectives: Counter[str] = field(default_factory=Counter)
    users: set[int] = field(default_factory=set)
    since: float = float("inf")
    until: float = float("-inf")
    waiting: list[Pair] = field(default_factory=list)
    worst: list[tuple[float, int, Pair]] = field(default_factory=list)

    @property
    def counted(self) -> Counted:
        """What became of its requests."""
        names = ("sent", "arrived", "pairs", "alone_primary", "alone_shadow", "repeated", "not_live")
        return Counted(**{name: self.counts[name] for name in names}, nothing=self.kinds[Kind.NOTHING])

    @property
    def is_floor(self) -> bool:
        """Say whether it runs the primary's own model: then it shows how far equals differ."""
        return bool(self.candidates) and set(self.candidates) <= set(self.primaries)

    @property
    def kind(self) -> Kind:
        """What most answers are."""
        told = Counter({kind: count for kind, count in self.kinds.items() if kind in _TOLD})
        return told.most_common(1)[0][0] if told else Kind.NOTHING

    @property
    def lowest(self) -> tuple[Worst, ...]:
        """The pairs that agree least, the least first."""
        ordered = sorted(self.worst, key=lambda each: (-each[0], each[1]))
        return tuple(Worst(agreement=-lack, pair=pair) for lack, _, pair in ordered)


_TOLD = frozenset({Kind.RANKING, Kind.SCORE, Kind.BYTES, Kind.MIXED})


class Gathering:
    """Takes in the records of one request after the other; `finish` before it is read."""

    def __init__(self, outcomes: Outcomes, only: Iterable[str] = ()) -> None:
        """`only` are the shadows to look at; empty: all."""
        self._outcomes = outcomes
        self._only = frozenset(only)
        self._each: dict[str, Gathered] = {}

    @property
    def each(self) -> Mapping[str, Gathered]:
        """What was found, by shadow."""
        return self._each

    def add(self, records: Sequence[Record]) -> None:
        """Take in all records of one request. Raises TooManyShadows."""
        requests = {each.request for each in records}
        for request in requests:
            self._add([each for each in records if each.request == request] if len(requests) > 1 else records)

    def finish(self) -> None:
        """Measure what waits."""
        for gathered in self._each.values():
            _settle(gathered, self._outcomes)

    def _add(self, records: Sequence[Record]) -> None:
        primary: Record | None = None
        shadows: dict[str, Record] = {}
        for record in records:
            if record.side is Side.PRIMARY:
                if primary is not None:
                    self._count(record.shadows, "repeated")
                primary = primary or record
            else:
                for shadow in record.shadows:
                    if shadow in shadows:
                        self._count((shadow,), "repeated")
                    shadows.setdefault(shadow, record)
        for shadow in dict.fromkeys((*(primary.shadows if primary else ()), *shadows)):
            if not self._only or shadow in self._only:
                self._add_sides(self._of(shadow), primary, shadows.get(shadow))

    def _add_sides(self, gathered: Gathered, primary: Record | None, shadow: Record | None) -> None:
        if primary is not None and gathered.shadow not in primary.shadows:
            primary = None
        if primary is not None and primary.traffic != LIVE:
            gathered.counts["not_live"] += 1
            return
        gathered.counts["sent"] += primary is not None
        gathered.counts["arrived"] += shadow is not None
        if primary is None or shadow is None:
            gathered.counts["alone_primary" if shadow is None else "alone_shadow"] += 1
            return
        gathered.waiting.append(Pair(primary=primary, shadow=shadow))
        if len(gathered.waiting) >= BATCH:
            _settle(gathered, self._outcomes)

    def _count(self, shadows: Iterable[str], what: str) -> None:
        for shadow in shadows:
            if not self._only or shadow in self._only:
                self._of(shadow).counts[what] += 1

    def _of(self, shadow: str) -> Gathered:
        found = self._each.get(shadow)
        if found is None:
            if len(self._each) >= MAX_SHADOWS:
                raise TooManyShadows(sorted(self._each)[:5])
            found = self._each[shadow] = Gathered(shadow=shadow)
        return found


def user_of(pair: Pair) -> str:
    """Return who asked, by a hash; a request whose user isn't known is a user of its own."""
    return pair.primary.user or pair.shadow.user or pair.primary.request


def _count(gathered: Gathered) -> None:
    """Count the pairs that wait; many at once, which takes a third of one by one."""
    pairs = gathered.waiting
    gathered.counts["pairs"] += len(pairs)
    gathered.kinds.update([pair.kind for pair in pairs])
    gathered.primaries.update([pair.primary.model for pair in pairs])
    gathered.candidates.update([pair.shadow.model for pair in pairs])
    gathered.objectives.update([pair.primary.objective for pair in pairs])
    gathered.users.update([hash(user_of(pair)) for pair in pairs])
    gathered.since = min(gathered.since, *[pair.primary.at for pair in pairs])
    gathered.until = max(gathered.until, *[pair.primary.at for pair in pairs])


def _settle(gathered: Gathered, outcomes: Outcomes) -> None:
    pairs = gathered.waiting
    if not pairs:
        return
    _count(gathered)
    measured = measure(pairs, outcomes)
    groups = np.fromiter((group_of(user_of(pair)) for pair in pairs), dtype=np.int64, count=len(pairs))
    gathered.totals.add(measured, groups)
    # A shadow that failed is told of among the errors; here a person is to see two answers.
    failed = measured.means[:, Mean.SHADOW_FAILED] > 0
    lacks = np.where(failed, np.nan, -measured.means[:, Mean.AGREEMENT])
    number = gathered.counts["pairs"]
    for row in np.argsort(-lacks)[:WORST].tolist():  # NaN comes last
        if lacks[row] > -1.0:
            heapq.heappush(gathered.worst, (float(lacks[row]), row - number, pairs[row]))
    while len(gathered.worst) > WORST:
        heapq.heappop(gathered.worst)
    gathered.waiting = []
