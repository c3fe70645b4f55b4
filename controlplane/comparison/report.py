"""What a comparison of two models comes to: a value. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from controlplane.comparison.bootstrap import Interval
from controlplane.comparison.figures import Unit
from controlplane.comparison.pairs import Kind, Pair
from controlplane.comparison.verdict import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A figure of the candidate, of the noise floor if there is one, and the difference of the two.

    `pairs` are those that have it.
    """

    name: str
    unit: Unit
    pairs: int
    candidate: Interval
    floor: Interval | None = None
    difference: Interval | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What became of a shadow's requests, as far as records tell.

    `sent`: records of the primary; `arrived`: of the shadow; `pairs` have both. `not_live` are requests that
    were no user's, and are left out of all else; `repeated` are records that there were already.
    """

    sent: int
    arrived: int
    pairs: int
    alone_primary: int
    alone_shadow: int
    repeated: int
    not_live: int
    nothing: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A bin of a histogram or a band: where it begins and ends, and what each side has there."""

    low: float
    high: float
    primary: float
    shadow: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """Of so many `scores` from `low` to `high`: their mean, and the mean of what they are held against."""

    low: float
    high: float
    scores: int
    foretold: float
    found: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Plots:
    """What is drawn. `latency` has the share of each side's requests that took so long, in milliseconds.

    `agreement` has the share of pairs, of the candidate as `shadow` and of the floor as `primary`. `curve`:
    what the shadow scores where the primary scores so. `calibration`: what came true where a side scored so.
    """

    agreement: tuple[Bar, ...]
    latency: tuple[Bar, ...]
    curve: tuple[Band, ...]
    calibration: tuple[tuple[Band, ...], tuple[Band, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Worst:
    """A pair that agrees little."""

    agreement: float
    pair: Pair


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The comparison of one shadow's answers with the primary's; times in seconds since 1970."""

    shadow: str
    objective: str
    primary: str
    candidate: str
    floor: str
    kind: Kind
    since: float
    until: float
    users: int
    groups: int
    counted: Counted
    verdict: Verdict
    lines: tuple[Line, ...]
    plots: Plots
    worst: tuple[Worst, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reports:
    """All shadows that records were found of, and what is missing.

    Hosts had to drop `dropped` records; `unreadable` lines couldn't be read, for example `faults`.
    """

    each: tuple[Report, ...]
    dropped: int
    unreadable: int
    faults: tuple[str, ...]
