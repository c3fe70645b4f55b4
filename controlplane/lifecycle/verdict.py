"""What a guard says, with the figures that it says it by. Pure values."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """What to do: a step needs FINE of every guard; BREACH and CATASTROPHE undo; BLIND holds."""

    NONE = "none"
    """Too little was seen to say anything: silence is no success."""
    FINE = "fine"
    """Enough was seen, and no breach so far."""
    BLIND = "blind"
    """Too many sidecars told nothing in the last interval."""
    BREACH = "breach"
    """The evidence is there, and stays."""
    CATASTROPHE = "catastrophe"
    """Most requests of one interval were bad: no statistics needed."""

    @property
    def undoes(self) -> bool:
        """Whether what is guarded is to be undone."""
        return self in {Outcome.BREACH, Outcome.CATASTROPHE}


_ORDER = (Outcome.FINE, Outcome.NONE, Outcome.BLIND, Outcome.BREACH, Outcome.CATASTROPHE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """So many of one arm, and how many of them were bad in the sense of a guard."""

    total: int = 0
    bad: float = 0.0

    @property
    def share(self) -> float:
        """The bad share; 0.0 of nothing."""
        return self.bad / self.total if self.total else 0.0

    def __add__(self, other: Tally) -> Tally:
        """Return both together."""
        return Tally(total=self.total + other.total, bad=self.bad + other.bad)

    def __str__(self) -> str:
        return f"{number(self.bad)} of {self.total:,} ({percent(self.share)})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """The tallies of both arms."""

    candidate: Tally = Tally()
    control: Tally = Tally()

    def __add__(self, other: Pair) -> Pair:
        """Return both together."""
        return Pair(candidate=self.candidate + other.candidate, control=self.control + other.control)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What one guard says. `text` is for people, and begins with the guard's name.

    `log_evidence` is the natural logarithm of e, and `pair` what was counted since it began; of a
    catastrophe what one interval brought.
    """

    guard: str
    outcome: Outcome
    log_evidence: float
    pair: Pair
    text: str

    def __str__(self) -> str:
        return self.text


def worst(verdicts: Iterable[Verdict]) -> Verdict | None:
    """Return the verdict that counts; the first of equal ones; None without guards."""
    return max(verdicts, key=lambda each: _ORDER.index(each.outcome), default=None)


def number(value: float) -> str:
    """Return a count, or a sum of shares, for people."""
    return f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"


def percent(share: float) -> str:
    """Return a share for people: at least two digits that say something."""
    points = share * 100
    if points == 0:
        return "0 %"
    digits = min(max(1 - math.floor(math.log10(points)), 0), 6)
    return f"{points:.{max(digits, 2 if points < 10 else 1)}f} %"  # 0.10 %, 1.31 %, 52.3 %
