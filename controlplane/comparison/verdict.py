"""What a comparison comes to, in words. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from controlplane.comparison.bootstrap import FEW, Interval

SLACK = 0.02
"""By so much a candidate may agree less with the primary than the primary with itself."""

FINEST = 0.005
"""No finer half-width is asked for, however near to the bound a figure lies."""


class Word(StrEnum):
    """In a word."""

    AGREES = "agrees"
    DIFFERS = "differs"
    TOO_FEW = "too few"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A word, why, and about how many more pairs it takes to say more (0: none)."""

    word: Word
    why: str
    missing: int = 0


def judge(
    agreement: Interval, above_floor: Interval | None, *, least: float, pairs: int, groups: int
) -> Verdict:
    """Say whether answers agree: on average by `least`, or by as much as the noise floor, but for SLACK.

    `above_floor` is the interval of the agreement less the floor's.
    """
    if not pairs or math.isnan(agreement.value):
        return Verdict(word=Word.TOO_FEW, why="no pair has two answers to compare")
    judged, bound, what = agreement, least, f"agreement {_told(agreement)}"
    against = f"the {least:g} that it should reach"
    if above_floor is not None:
        judged, bound = above_floor, -SLACK
        what = f"agreement less the noise floor's is {_told(above_floor)}"
        against = f"{-SLACK:g}, down to which it is taken for equal"
    if groups < FEW:
        missing = math.ceil(pairs * FEW / groups) - pairs
        why = f"{what}, of {groups} users: an interval takes {FEW} at least"
        return Verdict(word=Word.TOO_FEW, why=why, missing=missing)
    if judged.low >= bound:
        return Verdict(word=Word.AGREES, why=f"{what}, not below {against}")
    if judged.high < bound:
        return Verdict(word=Word.DIFFERS, why=f"{what}, below {against}")
    wanted = max(abs(judged.value - bound), FINEST)
    return Verdict(
        word=Word.TOO_FEW,
        why=f"{what}, which may be above or below {against}",
        missing=max(1, math.ceil(pairs * (judged.half / wanted) ** 2) - pairs),
    )


def _told(interval: Interval) -> str:
    return f"{interval.value:.3f} ({interval.low:.3f} to {interval.high:.3f})"
