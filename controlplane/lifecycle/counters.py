"""Cumulative figures to what they rose by: some may be lost, none is ever counted twice. Pure.

Envoy's own counters begin anew when it does: `risen`. Everybody after it says what it has counted since it
began, under an id and an epoch that rises with each beginning: `Ledger`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from controlplane.lifecycle.bins import Latencies
from controlplane.lifecycle.figures import NO_FIGURES, Arms, Counts

N = TypeVar("N", int, float)

MAX_SENDERS = 64
"""Senders that a ledger remembers."""


def risen(before: Counts, now: Counts) -> Counts:
    """Return by how much Envoy's counters rose between two readings, the later one after `before`.

    One that fell began anew, so all of it came since. One that began anew and is higher again by now, rose by
    less than was counted.
    """
    return _by_field(before, now, _since)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """All that a sender has counted of a shift since its `epoch` began."""

    sender: str
    epoch: int
    arms: Arms


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """The highest sum of each sender's newest epoch; who told something last is last.

    `forgotten`: sums were counted that aren't here, so whoever isn't known is counted from where it is now. A
    driver that finds evidence without its ledger begins with `Ledger(forgotten=True)`.
    """

    sums: tuple[Sum, ...] = field(default=())
    forgotten: bool = False

    def take(self, told: Iterable[Sum]) -> tuple[Ledger, Arms]:
        """Return the ledger after what was told, and what it brought that was never counted before.

        Sums may be lost, come twice, and come late: one that is lower than what is known brings nothing, and
        so does one of an epoch that is over.
        """
        known = {each.sender: each for each in self.sums}
        forgotten, brought = self.forgotten, NO_FIGURES
        for each in told:
            before = known.pop(each.sender, None)
            known[each.sender], rise = _step(before, each, forgotten=forgotten)
            brought += rise
            if len(known) > MAX_SENDERS:
                del known[next(iter(known))]
                forgotten = True
        return Ledger(sums=tuple(known.values()), forgotten=forgotten), brought


NOTHING_COUNTED = Ledger()


def _step(before: Sum | None, now: Sum, *, forgotten: bool) -> tuple[Sum, Arms]:
    """Return what is known of a sender after a sum, and by how much that rose."""
    if before is None:
        return now, NO_FIGURES if forgotten else now.arms
    if now.epoch > before.epoch:
        return now, now.arms
    if now.epoch < before.epoch:
        return before, NO_FIGURES
    rise = _arms_above(before.arms, now.arms)
    return Sum(sender=now.sender, epoch=now.epoch, arms=before.arms + rise), rise


def _arms_above(before: Arms, now: Arms) -> Arms:
    return Arms(
        candidate=_above(before.candidate, now.candidate), control=_above(before.control, now.control)
    )


def _above(before: Counts, now: Counts) -> Counts:
    return _by_field(before, now, _beyond)


def _by_field(before: Counts, now: Counts, rise: Callable[[Any, Any], Any]) -> Counts:
    """Return by how much each number rose, as `rise` has it."""
    known = dict(before.latencies.bins)
    bins = ((edge, rise(known.get(edge, 0), count)) for edge, count in now.latencies.bins)
    return Counts(
        requests=rise(before.requests, now.requests),
        bad=rise(before.bad, now.bad),
        latencies=Latencies.of(bins),
        compared=rise(before.compared, now.compared),
        disagreed=rise(before.disagreed, now.disagreed),
    )


def _beyond(before: N, now: N) -> N:
    return max(now - before, type(now)(0))


def _since(before: N, now: N) -> N:
    return now - before if now >= before else now
