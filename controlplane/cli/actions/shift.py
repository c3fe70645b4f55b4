"""Starts shifts, and does to them what is asked; says when every Lightbulb obeys."""

from __future__ import annotations

import time
from dataclasses import dataclass

import click

from controlplane.cli.actions.control import Wanted, exit_behind, make_request, when_decided
from controlplane.cli.control_options import Model
from controlplane.cli.control_plane import CALL_SECONDS, Addresses, call
from controlplane.cli.problems import printable
from controlplane.lifecycle.guards import Kind
from controlplane.lifecycle.state import clock, percent
from controlplane.lifecycle.verdict import Outcome
from lightbulb.v1 import control_plane_pb2 as pb


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The shift that is asked for; a 0 leaves a value to the control plane."""

    to: Model
    steps: tuple[int, ...]
    every: float
    guards: tuple[str, ...]
    alpha: float
    interval: float
    min_sample: int


def start(control_planes: Addresses, wanted: Wanted, asked: Asked) -> None:
    """Start a shift, or have it go on to more, and see it in force. Raises CallFailed."""
    request = make_request(pb.ShiftRequest, wanted)
    request.start.CopyFrom(
        pb.StartShift(
            model=asked.to.name,
            version=asked.to.version,
            steps=asked.steps,
            every=asked.every,
            guards=asked.guards,
            alpha=asked.alpha,
            interval=asked.interval,
            min_sample=asked.min_sample,
        )
    )
    _see(control_planes, wanted, request, "start")


def act(control_planes: Addresses, wanted: Wanted, verb: str) -> None:
    """Do something to a shift, and see it in force. Raises CallFailed."""
    request = make_request(pb.ShiftRequest, wanted)
    request.verb = getattr(pb, f"SHIFT_VERB_{verb.upper()}")
    _see(control_planes, wanted, request, verb)


def _see(control_planes: Addresses, wanted: Wanted, request: pb.ShiftRequest, verb: str) -> None:
    began = time.monotonic()
    response = call(control_planes, lambda stub: stub.Shift(request, timeout=CALL_SECONDS))
    for note in response.notes:
        click.echo(printable(f"note: {note}"))
    shift = _when_in_force(control_planes, wanted, response)
    if shift is None:
        click.echo(f"{wanted.objective}: shift {response.shift} is over")
        return
    is_so = _is_in_force(shift)
    for line in _told(shift, verb, time.monotonic() - began if is_so else None):
        click.echo(printable(line))
    if not (is_so or _awaited(shift)):
        exit_behind(shift.waiting_for)


def _when_in_force(control_planes: Addresses, wanted: Wanted, response: pb.ShiftResponse) -> pb.Shift | None:
    """Return the shift once every Lightbulb obeys, or as it is when the time is over; None: it is gone."""

    def found(status: pb.GetStatusResponse) -> pb.Shift | None:
        return next((each for each in status.shifts if each.number == response.shift), None)

    def is_decided(status: pb.GetStatusResponse) -> bool:
        shift = found(status)
        return shift is None or _is_in_force(shift) or bool(_awaited(shift))

    return found(when_decided(control_planes, wanted, response.version, is_decided))


def _awaited(shift: pb.Shift) -> str:
    """Return what its guard of agreement says while it keeps a shift from beginning; empty: it doesn't."""
    if shift.state != pb.SHIFT_STATE_STARTING or shift.waiting_for:
        return ""
    kept = (each for each in shift.guards if each.guard.startswith(f"{Kind.AGREEMENT}:"))
    unsure = (each for each in kept if each.outcome != Outcome.FINE)
    return next(
        (each.text or f"{each.guard} isn't judged yet; `lightbulb status` tells" for each in unsure), ""
    )


def _is_in_force(shift: pb.Shift) -> bool:
    if shift.state == pb.SHIFT_STATE_CLEARING and not shift.refused:
        return True
    return bool(shift.in_force) and shift.state != pb.SHIFT_STATE_ABORTING


def _told(shift: pb.Shift, verb: str, seconds: float | None) -> list[str]:
    """Return what to say of a shift after a verb; `seconds` is when it was in force, None: it isn't."""
    after = "" if seconds is None else f" at every Lightbulb, after {seconds:.2f} s"
    where = f"{shift.objective}: shift {shift.number} to {shift.model}"
    if awaited := _awaited(shift):
        return [f"{where} moves nobody yet: {awaited}"]
    if shift.state in {pb.SHIFT_STATE_ABORTING, pb.SHIFT_STATE_CLEARING}:
        lines = [f"{where} is aborted{after}"]
        if shift.state == pb.SHIFT_STATE_CLEARING:
            until = clock(shift.until)
            lines.append(
                f"sidecars refuse its key until {until}: who holds an answer asks again"
                if shift.refused
                else f"the rules lead to {shift.model} too: who holds an answer may use it until {until}"
            )
        return lines
    held = ", held" if shift.state == pb.SHIFT_STATE_HELD else ""
    lines = [f"{where}: {percent(shift.basis_points)} of the users{held}{after}"]
    if verb == "finish":
        lines.append(
            f"it stands until the rules say so: make {shift.model} the default of {shift.objective}, in "
            "place of " + shift.default_model + ", and publish"
        )
    return lines
