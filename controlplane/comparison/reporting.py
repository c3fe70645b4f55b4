"""Makes reports of what was gathered. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from controlplane.comparison.bootstrap import Interval, Sample, interval_of, resample
from controlplane.comparison.figures import AGREEMENT, PRIMARY, SHADOW, Told, Unit, figures_of
from controlplane.comparison.gathering import Gathered
from controlplane.comparison.report import Band, Bar, Line, Plots, Report
from controlplane.comparison.totals import BANDS, STRIPES, Array, Totals, latency_edges
from controlplane.comparison.verdict import judge

SEED = 20261130
LATENCY_BARS = 7
"""Of the bins of latencies, so many make a bar: 40 % wide."""


def make_reports(each: Mapping[str, Gathered], *, least: float) -> tuple[Report, ...]:
    """Return a report a shadow; a noise floor has one of its own only if there is nothing else.

    `least` is the agreement that a candidate should reach.
    """
    floors = [gathered for gathered in each.values() if gathered.is_floor]
    candidates = [gathered for gathered in each.values() if not gathered.is_floor] or floors
    return tuple(_report(gathered, _floor_of(gathered, floors), least) for gathered in candidates)


def _floor_of(gathered: Gathered, floors: Sequence[Gathered]) -> Gathered | None:
    """Return the noise floor of the same objective and primary, which isn't the shadow itself."""
    return next(
        (
            floor
            for floor in floors
            if floor is not gathered
            and _most(floor.objectives) == _most(gathered.objectives)
            and _most(floor.primaries) == _most(gathered.primaries)
        ),
        None,
    )


def _report(gathered: Gathered, floor: Gathered | None, least: float) -> Report:
    samples = resample((gathered.totals, *([floor.totals] if floor else [])), seed=SEED)
    sample, below = samples[0], samples[1] if floor else None
    lines = tuple(
        line for told in figures_of(gathered.kind) if (line := _line(told, sample, below)) is not None
    )
    agreement = next((line for line in lines if line.name == AGREEMENT.name), None)
    counted = gathered.counted
    verdict = judge(
        agreement.candidate if agreement else Interval(value=np.nan, low=np.nan, high=np.nan),
        agreement.difference if agreement else None,
        least=least,
        pairs=agreement.pairs if agreement else 0,
        groups=sample.groups,
    )
    return Report(
        shadow=gathered.shadow,
        objective=_all(gathered.objectives),
        primary=_all(gathered.primaries),
        candidate=_all(gathered.candidates),
        floor=floor.shadow if floor else "",
        kind=gathered.kind,
        since=gathered.since if counted.pairs else 0.0,
        until=gathered.until if counted.pairs else 0.0,
        users=len(gathered.users),
        groups=sample.groups,
        counted=counted,
        verdict=verdict,
        lines=lines,
        plots=_plots(sample.whole, below.whole if below else None),
        worst=gathered.lowest,
    )


def _line(told: Told, sample: Sample, below: Sample | None) -> Line | None:
    """Return a line; None if no pair has that figure."""
    pairs = int(told.pairs(sample.whole)[0])
    if not pairs:
        return None
    share = told.unit is Unit.SHARE
    found = sample.worked_out(told.figure)
    floor = difference = None
    if below is not None and told.apart and told.pairs(below.whole)[0]:
        under = below.worked_out(told.figure)
        floor = interval_of(under, sample.groups, share=share)
        difference = interval_of(found - under, sample.groups)
    candidate = interval_of(found, sample.groups, share=share)
    if np.isnan(candidate.value):
        return None
    return Line(
        name=told.name, unit=told.unit, pairs=pairs, candidate=candidate, floor=floor, difference=difference
    )


def _plots(whole: Totals, floor: Totals | None) -> Plots:
    latency = _shares(whole.latency[0])
    bars = _merged(latency, LATENCY_BARS)
    edges = latency_edges()[::LATENCY_BARS] / 1000.0
    stripes = _shares(whole.agreement)[0]
    under = _shares(floor.agreement)[0] if floor is not None else np.zeros(STRIPES)
    return Plots(
        agreement=tuple(
            Bar(
                low=at / STRIPES, high=(at + 1) / STRIPES, primary=float(under[at]), shadow=float(stripes[at])
            )
            for at in range(STRIPES)
        ),
        latency=tuple(
            Bar(
                low=float(edges[at]),
                high=float(edges[at + 1]),
                primary=float(bars[PRIMARY, at]),
                shadow=float(bars[SHADOW, at]),
            )
            for at in range(bars.shape[1])
        ),
        curve=_bands(whole.curve[0]),
        calibration=(_bands(whole.labelled[0, PRIMARY]), _bands(whole.labelled[0, SHADOW])),
    )


def _shares(counts: Array) -> Array:
    total = counts.sum(axis=1, keepdims=True)
    return np.asarray(counts / np.where(total > 0, total, 1.0))


def _merged(values: Array, size: int) -> Array:
    return np.asarray(values.reshape(len(values), -1, size).sum(axis=2))


def _bands(sums: Array) -> tuple[Band, ...]:
    return tuple(
        Band(
            low=at / BANDS,
            high=(at + 1) / BANDS,
            scores=int(count),
            foretold=float(scores / count),
            found=float(found / count),
        )
        for at, (count, scores, found) in enumerate(sums)
        if count > 0
    )


def _most(counts: Counter[str]) -> str:
    return counts.most_common(1)[0][0] if counts else ""


def _all(counts: Counter[str]) -> str:
    """Return what was counted, the most frequent first."""
    names = [name for name, _ in counts.most_common(4)]
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
