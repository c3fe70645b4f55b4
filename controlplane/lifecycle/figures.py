"""What was counted of the two arms of a shift. Pure values; who counts, and where, is another's business."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from controlplane.lifecycle.bins import Latencies

NOBODYS = frozenset({"RL", "UO"})
"""Envoy's flags of a request that a rate limit or a full breaker refused: they say nothing of a model."""

NO_STATUS = frozenset({"", "-"})
NO_FLAGS = frozenset({"", "-"})


class Answer(StrEnum):
    """What a request says about the model that it was for."""

    GOOD = "good"
    BAD = "bad"
    LEFT_OUT = "left out"
    """Nothing: it counts in neither arm, and in no histogram."""


def answer_of(grpc: str, flags: str) -> Answer:
    """Return what a request says, by Envoy's `%GRPC_STATUS_NUMBER%` and `%RESPONSE_FLAGS%`.

    A call that was given up at its deadline, or by its client, has no status but a flag: it is bad, or a
    model that hangs would look fine. Neither of them: that was no gRPC call.
    """
    raised = frozenset(flags.split(",")) - NO_FLAGS
    if raised & NOBODYS:
        return Answer.LEFT_OUT
    if grpc in NO_STATUS:
        return Answer.BAD if raised else Answer.LEFT_OUT
    return Answer.GOOD if grpc == "0" else Answer.BAD


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What was counted of one arm; what an interval brought, or all of it.

    `latencies` may lag behind `requests`: Envoy's histograms do, by a scrape. `compared` are pairs of answers
    of a shadow, and `disagreed` is the sum of their disagreements, each from 0 to 1.
    """

    requests: int = 0
    bad: int = 0
    latencies: Latencies = field(default=Latencies())
    compared: int = 0
    disagreed: float = 0.0

    def __add__(self, other: Counts) -> Counts:
        """Return both together."""
        return Counts(
            requests=self.requests + other.requests,
            bad=self.bad + other.bad,
            latencies=self.latencies + other.latencies,
            compared=self.compared + other.compared,
            disagreed=self.disagreed + other.disagreed,
        )


NOTHING = Counts()


@dataclass(frozen=True, slots=True, kw_only=True)
class Arms:
    """The figures of both arms, over the same time. Where there is no control arm, it is empty."""

    candidate: Counts = NOTHING
    control: Counts = NOTHING

    def __add__(self, other: Arms) -> Arms:
        """Return both together."""
        return Arms(candidate=self.candidate + other.candidate, control=self.control + other.control)


NO_FIGURES = Arms()


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """What an interval brought: the figures of both arms, and of how many of the live sidecars they are."""

    arms: Arms = NO_FIGURES
    reporting: int
    live: int
