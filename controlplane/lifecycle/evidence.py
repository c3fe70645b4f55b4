"""What the figures of one interval after the other say against a candidate. Pure: no clock, no randomness.

Each guard is a game that nobody wins in the long run while the candidate keeps to its limit. In an interval
some share of what was seen is bad, and there is a share that it should not exceed on average. Bets that it
does are paid fairly; e is what a wealth of 1 has become. That e ever reaches 1/alpha, looked at as often as
one likes, has a chance of at most alpha (Ville's inequality). An interval is one bet, however many failures
it holds: those that come together, say since a client repeats what failed, are one event.

Part of the wealth is kept back and put on the bets bit by bit, so that a candidate that was fine for a day,
and lost its bets, is still found out when it turns bad.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from controlplane.lifecycle.bins import Latencies, edge_at_least
from controlplane.lifecycle.figures import Arms, Counts, Interval
from controlplane.lifecycle.guards import Guard, Guards, Kind
from controlplane.lifecycle.verdict import Pair, Tally

ODDS = (1.25, 1.5, 2.0, 3.0, 5.0, 8.0, 15.0, 40.0)
"""What the bets are on: the odds of bad against good are this many times what they should be at most."""

KEPT = 0.5
"""Of the wealth that a guard begins with; the bets share the rest."""

SMALL = 0.05
"""A bound below it is bet on with higher stakes, as if it were this one: its odds have further to go."""

LEARNING_SLOW = 50
"""A latency is learnt from so many requests of the control that are slower than it."""

CATASTROPHE = 0.5
CATASTROPHE_REQUESTS = 50
CATASTROPHE_CONTROL = 0.1
CATASTROPHE_CONTROL_REQUESTS = 10

_STAKES = tuple(odds - 1.0 for odds in ODDS)
_BEGIN = (KEPT, *((1.0 - KEPT) / len(ODDS) for _ in ODDS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Wealth:
    """What a wealth of 1 has become.

    `log_evidence`: the natural logarithm of it, which is e; `log_peak`: of the most that it has been.
    `parts` of it: what is kept, then what is on each bet. `intervals`: those that something was bet in.
    """

    log_evidence: float = 0.0
    log_peak: float = 0.0
    parts: tuple[float, ...] = _BEGIN
    intervals: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bets:
    """What one guard has come to.

    `pair`: all that was counted since the shift began; `sample`: the candidate's since its step. `learning`:
    the control's latencies, until they suffice to fix `threshold`. `catastrophe`: the interval that was one.
    """

    wealth: Wealth = field(default=Wealth())
    pair: Pair = field(default=Pair())
    sample: int = 0
    learning: Latencies = field(default=Latencies())
    threshold: int = 0
    catastrophe: Pair | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that was learnt of one shift: of each of its guards, in their order.

    `reporting` of `live` sidecars told something in the last interval; in `blind` intervals in a row too few
    did.
    """

    shift: int
    step: int = 0
    bets: tuple[Bets, ...] = ()
    blind: int = 0
    reporting: int = 0
    live: int = 0


def begin(guards: Guards, shift: int) -> Evidence:
    """Return the evidence of a shift that nothing was seen of."""
    bets = tuple(Bets(threshold=guard.threshold) for guard in guards.each)
    return Evidence(shift=shift, bets=bets)


def observe(guards: Guards, evidence: Evidence, interval: Interval, *, step: int) -> Evidence:
    """Return the evidence after one more interval, which was of a step of the shift.

    Figures count though others are missing: what is lost is lost of both arms alike. An interval that brought
    nothing changes no bet.
    """
    bets = evidence.bets
    if step != evidence.step:
        bets = tuple(replace(each, sample=0) for each in bets)
    blind = is_blind(interval.reporting, interval.live)
    return Evidence(
        shift=evidence.shift,
        step=step,
        bets=tuple(_after(guard, each, interval.arms) for guard, each in zip(guards.each, bets, strict=True)),
        blind=evidence.blind + 1 if blind else 0,
        reporting=interval.reporting,
        live=interval.live,
    )


def is_blind(reporting: int, live: int) -> bool:
    """Say whether more than a fifth of the live sidecars told nothing."""
    return (live - reporting) * 5 > live


def to_learn(guard: Guard) -> int:
    """Return of how many requests of the control a latency is learnt."""
    return math.ceil(LEARNING_SLOW / (guard.bound or 1.0)) if guard.kind is Kind.SLOW else 0


def _after(guard: Guard, bets: Bets, arms: Arms) -> Bets:
    if guard.kind is Kind.SLOW and not bets.threshold:
        return _learn(guard, bets, arms.control.latencies)
    pair = Pair(
        candidate=_tally(guard, bets.threshold, arms.candidate),
        control=_tally(guard, bets.threshold, arms.control),
    )
    if not (pair.candidate.total or pair.control.total):
        return bets
    factors = _factors(guard, pair)
    return Bets(
        wealth=bets.wealth if factors is None else _settle(bets.wealth, factors),
        pair=bets.pair + pair,
        sample=bets.sample + pair.candidate.total,
        threshold=bets.threshold,
        catastrophe=pair if _is_catastrophe(guard, pair) else bets.catastrophe,
    )


def _learn(guard: Guard, bets: Bets, control: Latencies) -> Bets:
    """Take in the control's latencies; once they are enough, fix the threshold, for good."""
    known = bets.learning + control
    if known.total < to_learn(guard):
        return replace(bets, learning=known)
    threshold = edge_at_least(known.quantile(guard.quantile) * (guard.margin or 1.0))
    return replace(bets, learning=Latencies(), threshold=max(threshold, 1))


def _tally(guard: Guard, threshold: int, counts: Counts) -> Tally:
    match guard.kind:
        case Kind.ERRORS:
            total, bad = counts.requests, float(counts.bad)
        case Kind.SLOW:
            total, bad = counts.latencies.total, float(counts.latencies.at_least(threshold))
        case Kind.AGREEMENT:
            total, bad = counts.compared, counts.disagreed
    return Tally(total=total, bad=min(max(bad, 0.0), float(total)))


def _is_catastrophe(guard: Guard, pair: Pair) -> bool:
    if guard.kind is not Kind.ERRORS:
        return False
    candidate, control = pair.candidate, pair.control
    if candidate.total < CATASTROPHE_REQUESTS or candidate.share <= CATASTROPHE:
        return False
    if control.total < CATASTROPHE_CONTROL_REQUESTS:
        return not guard.relative  # nothing says that it is the candidate
    return control.share < CATASTROPHE_CONTROL


Factors = tuple[float, ...]
"""What an interval makes of a wealth of 1 on each bet."""


def _factors(guard: Guard, pair: Pair) -> Factors | None:
    """Return what the interval makes of each bet; None: there was nothing to bet on."""
    if guard.kind is Kind.SLOW and guard.relative:
        return _either(_against_bound(guard, pair), _against_control(1.0, pair))
    if guard.margin is not None:
        return _against_control(guard.margin, pair)
    return _against_bound(guard, pair)


def _against_bound(guard: Guard, pair: Pair) -> Factors | None:
    """Bet on the candidate's bad share, which should be `bound` at most."""
    if not pair.candidate.total or guard.bound is None:
        return None
    return _paid(pair.candidate.share, guard.bound, max(1.0, SMALL / guard.bound))


def _against_control(margin: float, pair: Pair) -> Factors | None:
    """Bet on the candidate's share of what is bad in both arms.

    With odds of bad that are `margin` times the control's, it is by its share of the requests.
    """
    candidate, control = pair.candidate, pair.control
    bad = candidate.bad + control.bad
    if not bad:
        return None
    weight = margin * candidate.total
    return _paid(candidate.bad / bad, weight / (weight + control.total), 1.0)


def _either(one: Factors | None, other: Factors | None) -> Factors | None:
    """Return what is fair if either limit is kept: of each bet the smaller factor."""
    if one is None:
        return None
    return tuple(map(min, one, other or (1.0,) * len(one)))


def _paid(share: float, expected: float, scale: float) -> Factors:
    """Return (1 + s·share) / (1 + s·expected) of every stake s.

    That is 1 + lambda·(share - expected), with lambda = s / (1 + s·expected): on average at most 1 if the
    share is on average at most `expected`. A share is from 0 to 1, so that a wealth falls to 1 / (1 + s) of
    itself at worst, never to nothing.
    """
    return tuple((1.0 + stake * scale * share) / (1.0 + stake * scale * expected) for stake in _STAKES)


def _settle(wealth: Wealth, factors: Factors) -> Wealth:
    """Put a part of what is kept on the bets, then pay them."""
    kept, *put = wealth.parts
    part = 1.0 / (2.0 * (wealth.intervals + 2))
    added = kept * part / len(put)
    paid = [(each + added) * factor for each, factor in zip(put, factors, strict=True)]
    kept *= 1.0 - part
    grown = kept + sum(paid)
    log_evidence = wealth.log_evidence + math.log(grown)
    return Wealth(
        log_evidence=log_evidence,
        log_peak=max(wealth.log_peak, log_evidence),
        parts=(kept / grown, *[each / grown for each in paid]),
        intervals=wealth.intervals + 1,
    )
