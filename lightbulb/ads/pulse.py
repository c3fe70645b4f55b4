"""Whether a node goes on saying that it lives. Pure.

A connection says little of the process behind it: the kernel takes what comes, and gRPC's own threads answer
pings, while Python hangs. What is said from the event loop itself tells.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from lightbulb.ads.values import BEATS, BadNode, Node

MISSED = 3
"""So many heartbeats that don't come in a row make a node silent."""

MAX_SECONDS = 60.0
"""Between two heartbeats, at most."""


@dataclass(slots=True)
class Pulse:
    """Of a node that says a heartbeat every so many seconds; 0.0: it says none, and is never silent.

    Time is what this end was awake for: one that stood still itself has heard nobody.
    """

    every: float
    waited: float = 0.0

    @property
    def silent(self) -> bool:
        """Whether too many heartbeats are missing."""
        return 0.0 < self.every * MISSED <= self.waited

    def beat(self) -> bool:
        """Take a sign of life; return whether it had been missed."""
        missed, self.waited = self.silent, 0.0
        return missed

    def wait(self, seconds: float) -> bool:
        """Let time pass; return whether it has become silent by that."""
        before = self.silent
        self.waited += seconds
        return self.silent and not before


def pulse_of(node: Node) -> Pulse:
    """Return the pulse that a node declares. Raises BadNode."""
    text = node.metadata.get(BEATS, "")
    if not text:
        return Pulse(0.0)
    try:
        every = float(text)
    except ValueError:
        every = math.nan
    if not 0.0 < every <= MAX_SECONDS:
        raise BadNode(
            f"{node.kind} {node.id}: metadata {BEATS!r} is {text[:20]!r}, "
            f"not a number of seconds up to {MAX_SECONDS:g}"
        )
    return Pulse(every)
