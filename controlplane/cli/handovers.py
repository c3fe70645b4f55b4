"""Objectives that go from one tenant to another, as people read of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from lightbulb.v1 import control_plane_pb2 as pb


def handover_lines(handovers: Iterable[pb.Handover]) -> Iterator[str]:
    """Yield a line for each that is on offer, on its way, or was handed over."""
    for each in handovers:
        if each.taken:
            yield f"{each.objective}: {each.owner}'s, on its way to {each.taker} with generation {each.taken}"
        elif each.taker:
            yield f"{each.objective}: {each.owner}'s, on offer to {each.taker} until {moment(each.until)}"
        elif each.since:
            before = each.former[-1]
            yield f"{each.objective}: {each.owner}'s since generation {each.since}, before {before}'s"


def moment(seconds: float) -> str:
    """Return a moment in UTC, with its day."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"
