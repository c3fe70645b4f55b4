"""Shifts as people read of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from controlplane.cli.consumers import first_of
from controlplane.lifecycle.state import clock, percent
from lightbulb.v1 import control_plane_pb2 as pb


def shift_lines(shifts: Iterable[pb.Shift]) -> Iterator[str]:
    """Yield a line for each shift that stands, and below it one for each of its guards."""
    for each in shifts:
        parts = [f"{each.objective}: shift {each.number} to {each.model}, {_where(each)}"]
        if each.rule:
            published = f", published by {each.author}" if each.author else ""
            parts.append(f"by {each.rule}{published}")
        if each.waiting_for and not each.in_force:
            parts.append(f"waiting for {first_of(each.waiting_for)}")
        if each.why:
            parts.append(each.why)
        if each.rules:
            parts.append(f"the rules say {each.rules}")
        yield "; ".join(parts)
        yield from map(_guard_line, each.guards)


def _guard_line(guard: pb.GuardVerdict) -> str:
    note = f"; {guard.note}" if guard.note else ""
    if not guard.outcome:
        return f"  guard {guard.guard}{note}"
    figures = guard.text.removeprefix(f"{guard.guard.partition(':')[0]}: ")
    return f"  guard {guard.guard} says {guard.outcome}: {figures}{note}"


def new_default_lines(new: Iterable[pb.NewDefault]) -> Iterator[str]:
    """Yield a line for each new default that is judged, and below it one for each of its guards."""
    for each in new:
        published = f", published by {each.author}" if each.author else ""
        parts = [
            f"{each.objective}: the default {each.model} is judged until {clock(each.until)}",
            f"new in generation {each.generation}",
            f"by {each.rule}{published}",
        ]
        yield "; ".join(parts)
        yield from map(_guard_line, each.guards)


def waiting_lines(shifts: Iterable[pb.WaitingShift]) -> Iterator[str]:
    """Yield a line for each shift of rules that can't begin yet."""
    for each in shifts:
        yield f"{each.objective}: the shift of its rules begins later; it waits for {each.waits_for}"


def held_back_lines(held_back: Iterable[pb.HeldBackObjective]) -> Iterator[str]:
    """Yield a line for each objective that is answered from an older generation."""
    for each in held_back:
        if each.until:
            yield f"{each.objective}: held back no more; {each.answered_from} stays until {clock(each.until)}"
        else:
            why = f": {each.why}" if each.why else ""
            yield f"{each.objective}: answered from generation {each.answered_from}, not {each.rejected}{why}"


def _where(shift: pb.Shift) -> str:
    share = percent(shift.basis_points)
    match shift.state:
        case pb.SHIFT_STATE_STARTING:
            return "starting"
        case pb.SHIFT_STATE_HELD:
            return f"held at {share}"
        case pb.SHIFT_STATE_FINISHED:
            return f"finished: stands at {share} until the rules say so"
        case pb.SHIFT_STATE_ABORTING:
            return "aborting"
        case pb.SHIFT_STATE_CLEARING:
            what = "sidecars refuse it" if shift.refused else "clients may use it"
            return f"aborted: {what} until {clock(shift.until)}"
        case _:
            return f"at {share}{_next(shift)}"


def _next(shift: pb.Shift) -> str:
    following, *rest = [percent(each) for each in shift.steps[shift.at + 1 :]] or [""]
    if not following:
        return ""
    then = "".join(f", then {each}" for each in rest)
    if not shift.every:
        return f"; next {following}, by hand{then}"
    at = f" at {clock(shift.in_force + shift.every)} at the earliest" if shift.in_force else ""
    return f"; next {following}{at}{then}"
