"""How a shift is watched: what was counted so far, and what its guards make of it. Pure.

Whoever leads looks once an interval. What it has learnt is bytes for the store: another goes on with them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from controlplane.lifecycle.counters import Ledger, Sum
from controlplane.lifecycle.evidence import Evidence, begin, observe
from controlplane.lifecycle.evidence_codec import evidence_from_bytes, evidence_to_bytes
from controlplane.lifecycle.figures import Interval
from controlplane.lifecycle.guards import Guards, Kind
from controlplane.lifecycle.judging import judge
from controlplane.lifecycle.state import NewDefault, Shift
from controlplane.lifecycle.verdict import Outcome, Verdict
from lightbulb.model import BASIS_POINTS
from lightbulb.resolution.codec import Malformed

BLIND_INTERVALS = 5
"""A shift of whose sidecars too few told anything for so many intervals is held."""


Guarded = Shift | NewDefault
"""What may be undone by guards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What was counted of it by now: by everybody since they began, and by how many of its sidecars."""

    sums: tuple[Sum, ...] = ()
    reporting: int = 0
    live: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What guards say. `blind`: in so many intervals in a row too few sidecars told anything.

    `step` is the share, in basis points, at which they saw their samples.
    """

    verdicts: tuple[Verdict, ...] = ()
    blind: int = 0
    step: int = 0

    @property
    def agreed(self) -> bool:
        """Whether enough answers were compared, and they agree."""
        compared = [each for each in self.verdicts if each.guard == Kind.AGREEMENT]
        return bool(compared) and all(each.outcome is Outcome.FINE for each in compared)


NOT_JUDGED = Judged()


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What was learnt of a shift up to `at`, by the store's clock."""

    shift: int
    guards: Guards
    evidence: Evidence
    ledger: Ledger
    at: float

    @property
    def judged(self) -> Judged:
        """What its guards say of it."""
        evidence = self.evidence
        return Judged(verdicts=judge(self.guards, evidence), blind=evidence.blind, step=evidence.step)

    def to_bytes(self) -> bytes:
        """Return it for the store."""
        return evidence_to_bytes(self.evidence, self.ledger)


def watch(shift: Guarded, kept: bytes, now: float) -> Watch:
    """Return how it is watched from now on, with what was `kept` of it; empty: nothing was.

    What can't be read counts for nothing. Then nobody knows what was counted: that isn't counted again.
    """
    counted = (
        bool(shift.in_force) if isinstance(shift, Shift) else now - shift.entered > shift.guards.interval
    )
    evidence, ledger = begin(shift.guards, shift.number), Ledger(forgotten=counted)
    if kept:
        try:
            known, its = evidence_from_bytes(kept)
        except Malformed:
            known = None
        if known is not None and known.shift == shift.number:
            ledger = its
            if len(known.bets) == len(shift.guards.each):
                evidence = known
    return Watch(shift=shift.number, guards=shift.guards, evidence=evidence, ledger=ledger, at=now)


def watched(before: Watch, shift: Guarded, told: Told, now: float) -> Watch:
    """Return it after one more look; itself while an interval isn't over."""
    if shift.guards != before.guards:  # an operator gave it others: they begin anew
        evidence = begin(shift.guards, shift.number)
        return replace(before, guards=shift.guards, evidence=evidence, at=now)
    if now - before.at < before.guards.interval:
        return before
    ledger, arms = before.ledger.take(told.sums)
    interval = Interval(arms=arms, reporting=min(told.reporting, told.live), live=told.live)
    # By its share, not by its number: a schedule may be replaced by another.
    step = shift.basis_points if isinstance(shift, Shift) else BASIS_POINTS
    evidence = observe(before.guards, before.evidence, interval, step=step)
    return replace(before, ledger=ledger, evidence=evidence, at=now)
