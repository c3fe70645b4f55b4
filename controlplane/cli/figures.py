"""Figures of a shift's arms as people read them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from controlplane.lifecycle.bins import Latencies
from controlplane.lifecycle.counters import risen
from controlplane.lifecycle.figures import Counts
from lightbulb.v1 import telemetry_pb2 as pb

BARS = "▁▂▃▄▅▆▇█"
COLUMNS = ("arm", "requests", "failed", "p50", "p99")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One arm: what was counted in so many `seconds`; of 0.0 seconds: since its shift began."""

    arm: str
    counts: Counts
    seconds: float = 0.0

    @property
    def cells(self) -> tuple[str, ...]:
        """What a table shows, by COLUMNS."""
        counts, number = self.counts, f"{self.counts.requests:,}"
        if self.seconds:
            number = f"{counts.requests / self.seconds:,.1f}/s"
        return (self.arm, number, f"{counts.bad:,} ({share(counts):.2%})", *map(self._took, (0.5, 0.99)))

    def _took(self, part: float) -> str:
        return f"{self.counts.latencies.quantile(part) / 1000:.1f} ms" if self.counts.latencies.bins else "-"


def share(counts: Counts) -> float:
    """Return the share of requests that failed."""
    return counts.bad / counts.requests if counts.requests else 0.0


def counts_of(response: pb.GetFiguresResponse) -> Mapping[str, Counts]:
    """Return what was counted, by arm."""
    return {
        each.arm: Counts(
            requests=each.requests,
            bad=each.bad,
            latencies=Latencies.of((bin_.microseconds, bin_.requests) for bin_ in each.durations),
        )
        for each in response.arms
    }


def since(before: Mapping[str, Counts], now: Mapping[str, Counts]) -> Mapping[str, Counts]:
    """Return what came to each arm."""
    return {arm: risen(before[arm], counts) for arm, counts in now.items() if arm in before}


def lines(counts: Mapping[str, Counts], seconds: float = 0.0) -> tuple[Line, ...]:
    """Return a line for each arm."""
    return tuple(Line(arm=arm, counts=each, seconds=seconds) for arm, each in counts.items())


def plot(values: Sequence[float], highest: float) -> str:
    """Return values as a row of bars; `highest` is a whole one."""
    top = len(BARS) - 1
    return "".join(BARS[round(top * min(1.0, value / highest))] if highest else BARS[0] for value in values)


def plots(history: Iterable[Mapping[str, Counts]]) -> Mapping[str, tuple[tuple[str, str, str], ...]]:
    """Return, for failures and for p99, each arm's bars and the most that a whole one stands for.

    Both arms of a plot have one scale, so that they can be compared.
    """
    told = tuple(history)
    return {
        "failed": _plots(told, share, "{:.2%}"),
        "p99": _plots(told, _p99, "{:.1f} ms"),
    }


def _p99(counts: Counts) -> float:
    return counts.latencies.quantile(0.99) / 1000


def _plots(
    told: tuple[Mapping[str, Counts], ...], measure: Callable[[Counts], float], written: str
) -> tuple[tuple[str, str, str], ...]:
    names = told[-1] if told else ()
    arms = {arm: [measure(each[arm]) for each in told if arm in each] for arm in names}
    highest = max((value for values in arms.values() for value in values), default=0.0)
    return tuple((arm, plot(values, highest), written.format(highest)) for arm, values in arms.items())
