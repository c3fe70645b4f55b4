"""What each guard says of the evidence, and in which words. Pure."""

from __future__ import annotations

import math

from controlplane.lifecycle.evidence import Bets, Evidence, is_blind, to_learn
from controlplane.lifecycle.guards import Guard, Guards, Kind, duration
from controlplane.lifecycle.verdict import Outcome, Pair, Verdict, percent

MOST_TOLD = 1e9
"""An e beyond it is told as more than it."""


def judge(guards: Guards, evidence: Evidence) -> tuple[Verdict, ...]:
    """Return the verdict of each guard, in their order."""
    return tuple(
        _verdict(guard, bets, evidence, 1.0 / guards.alpha_of_each)
        for guard, bets in zip(guards.each, evidence.bets, strict=True)
    )


def _verdict(guard: Guard, bets: Bets, evidence: Evidence, needed: float) -> Verdict:
    pair, outcome, text = bets.pair, Outcome.FINE, _figures(guard, bets, needed)
    if bets.catastrophe is not None:
        pair, outcome = bets.catastrophe, Outcome.CATASTROPHE
        text = f"{_against(guard, bets, pair)}, in one interval"
    elif bets.wealth.log_peak >= math.log(needed) and bets.pair.candidate.total >= guard.min_sample:
        outcome = Outcome.BREACH
    elif guard.kind is not Kind.AGREEMENT and is_blind(evidence.reporting, evidence.live):
        outcome = Outcome.BLIND
        text = f"no figures from {evidence.live - evidence.reporting:,} of {evidence.live:,} sidecars"
    elif lacking := _lacking(guard, bets):
        outcome, text = Outcome.NONE, lacking
    return Verdict(
        guard=guard.name,
        outcome=outcome,
        log_evidence=bets.wealth.log_evidence,
        pair=pair,
        text=f"{guard.name}: {text}",
    )


def _lacking(guard: Guard, bets: Bets) -> str:
    """Return what is to be seen before silence of the guard means anything; empty: enough was."""
    if guard.kind is Kind.SLOW and not bets.threshold:
        return f"learns what is slow: {bets.learning.total:,} of {to_learn(guard):,} requests of the control"
    if guard.kind is Kind.AGREEMENT:
        return _lacking_agreement(guard, bets)
    if bets.sample < guard.min_sample:
        return f"{bets.sample:,} of {guard.min_sample:,} requests since the step"
    if guard.relative and bets.pair.control.total < guard.min_sample:
        return f"{bets.pair.control.total:,} of {guard.min_sample:,} requests of the control"
    return ""


def _lacking_agreement(guard: Guard, bets: Bets) -> str:
    """Return the same of agreement, which has to be seen: that it can't be ruled out isn't enough.

    All pairs count: a step changes nothing of them.
    """
    pairs = bets.pair.candidate.total
    if pairs < guard.min_sample:
        return f"{pairs:,} of {guard.min_sample:,} pairs of answers; `lightbulb shadow tell` tells of more"
    if bets.pair.candidate.share > (guard.bound or 0.0):
        return f"{_against(guard, bets, bets.pair)}: nobody is moved before it is within that"
    return ""


def _figures(guard: Guard, bets: Bets, needed: float) -> str:
    reached = bets.wealth.log_peak >= math.log(needed)
    logarithm = bets.wealth.log_peak if reached else bets.wealth.log_evidence
    sign = "≥" if reached else "<"
    return f"{_against(guard, bets, bets.pair)}, e = {_told(logarithm)} {sign} {needed:,.0f}"


def _against(guard: Guard, bets: Bets, pair: Pair) -> str:
    seen = str(pair.candidate)
    if guard.kind is Kind.SLOW:
        seen = f"{seen} took {duration(bets.threshold)} or longer"
    if guard.relative or pair.control.total:
        seen = f"{seen} against {pair.control}"
    if guard.kind is Kind.AGREEMENT:
        return f"disagreement {seen}, bound {percent(guard.bound or 0.0)}"
    return seen if guard.bound is None else f"{seen}, bound {percent(guard.bound)}"


def _told(logarithm: float) -> str:
    if logarithm > math.log(MOST_TOLD):
        return f"more than {MOST_TOLD:,.0f}"
    value = math.exp(logarithm)
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"
