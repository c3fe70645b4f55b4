"""The bins that Envoy counts durations in, and what can be told from them. Pure.

Envoy's histograms are log-linear: an edge is a whole number of two digits times a power of ten, so that a bin
is at most a tenth as wide as its lower edge. A duration is a whole number of microseconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

MAX_MICROSECONDS = 3_600_000_000
"""An hour; whatever took longer is counted as if it took this long, so that there are at most 757 bins."""

Bin = tuple[int, int]
"""The lower edge in microseconds, and how many there are."""


def edge_at_most(microseconds: float) -> int:
    """Return the lower edge of the bin that a duration is in."""
    whole = min(max(int(microseconds), 0), MAX_MICROSECONDS)
    width = width_at(whole)
    return whole // width * width


@lru_cache(maxsize=4_096)
def _edge_of(microseconds: int) -> int:
    """Return the lower edge of a bin: the same few hundred are told again and again."""
    return edge_at_most(microseconds)


def edge_at_least(microseconds: float) -> int:
    """Return the first edge that a duration doesn't exceed."""
    edge = edge_at_most(microseconds)
    return edge if edge >= min(microseconds, MAX_MICROSECONDS) else edge + width_at(edge)


def width_at(microseconds: int) -> int:
    """Return how wide the bin is that a duration is in."""
    return int(10 ** max(len(str(microseconds)) - 2, 0))


@dataclass(frozen=True, slots=True)
class Latencies:
    """Durations in bins: ascending, each edge once, none of them empty. `Latencies.of` sees to that."""

    bins: tuple[Bin, ...] = ()

    @classmethod
    def of(cls, bins: Iterable[tuple[float, int]]) -> Latencies:
        """Return durations by lower edge, in any order; equal edges add up.

        Envoy tells some edges as a hair less than they are: 459999.99999999994 for 460000.
        """
        counted: dict[int, int] = {}
        for told, count in bins:
            edge = _edge_of(round(told))
            counted[edge] = counted.get(edge, 0) + count
        return cls(tuple(sorted((edge, count) for edge, count in counted.items() if count > 0)))

    @property
    def total(self) -> int:
        """How many there are."""
        return sum(count for _, count in self.bins)

    def at_least(self, threshold: int) -> int:
        """Return how many took `threshold` microseconds, which is an edge, or longer."""
        return sum(count for edge, count in self.bins if edge >= threshold)

    def quantile(self, share: float) -> float:
        """Return what `share` of them took at most, in microseconds, as if a bin were evenly filled.

        0.0 when there are none.
        """
        wanted = share * self.total
        for edge, count in self.bins:
            if count >= wanted:
                return edge + width_at(edge) * wanted / count
            wanted -= count
        return 0.0

    def __add__(self, other: Latencies) -> Latencies:
        """Return both together."""
        if not self.bins or not other.bins:
            return self if self.bins else other
        counted = dict(self.bins)
        for edge, count in other.bins:
            counted[edge] = counted.get(edge, 0) + count
        return Latencies(tuple(sorted(counted.items())))
