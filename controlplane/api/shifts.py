"""Shifts, as the API takes them and tells of them."""

from __future__ import annotations

from collections.abc import Iterator

from controlplane.admin.commits import Caller
from controlplane.admin.shifts import Asked, Verb
from controlplane.api.errors import InvalidRequest
from controlplane.api.named import check_named
from controlplane.lifecycle.events import model_of
from controlplane.lifecycle.guards import (
    DEFAULT_ALPHA,
    DEFAULT_INTERVAL,
    DEFAULT_MIN_SAMPLE,
    BadGuards,
    Guards,
    parse_guards,
)
from controlplane.lifecycle.operations import InvalidShift, Wanted
from controlplane.lifecycle.scene import Scene
from controlplane.lifecycle.state import Control, ShiftState, percent
from controlplane.lifecycle.watching import NOT_JUDGED, Judged
from controlplane.planning.schedules import steps_text
from controlplane.replica.replica import Replica
from controlplane.rollout.by_rules import waits_for
from controlplane.rollout.controlled import NOBODY_LAGS, scene_of
from controlplane.rollout.failure import MAX_LISTED, MAX_NAME, printable
from controlplane.rollout.lanes import Lanes
from lightbulb.model import BASIS_POINTS, ObjectiveTable, model_id
from lightbulb.v1 import control_plane_pb2 as pb

_STATES = {state: getattr(pb, f"SHIFT_STATE_{state.name}") for state in ShiftState}
_VERBS = {getattr(pb, f"SHIFT_VERB_{verb.name}"): verb for verb in Verb}


def asked_of(request: pb.ShiftRequest, caller: Caller) -> Asked:
    """Return what is asked; raise InvalidRequest."""
    if request.WhichOneof("what") != "start":
        verb = _VERBS.get(request.verb)
        if verb is None:
            raise InvalidRequest("say what is to be done: start, or a verb that is known here", path="verb")
        return Asked(objective=request.objective, verb=verb)
    start = request.start
    check_named(start, "start")
    if not start.model:
        raise InvalidRequest("name the model that users are to get", path="start.model")
    wanted = Wanted(
        objective=request.objective,
        model=start.model,
        version=start.version,
        steps=tuple(start.steps),
        every=start.every,
        guards=_guards(request.objective, start),
        author=caller.author,
        tenant=caller.tenant,
    )
    return Asked(objective=request.objective, start=wanted)


def _guards(objective: str, start: pb.StartShift) -> Guards | None:
    """Return what is to guard a shift; raise InvalidShift with all that is wrong with it."""
    if not start.guards:
        return None
    try:
        return parse_guards(
            start.guards,
            alpha=start.alpha or DEFAULT_ALPHA,
            interval=start.interval or DEFAULT_INTERVAL,
            min_sample=start.min_sample or DEFAULT_MIN_SAMPLE,
        )
    except BadGuards as error:
        raise InvalidShift(f"{objective}: {error}", objective=objective, path="start.guards") from error


def notes(replica: Replica, asked: Asked, tenant: str) -> tuple[str, ...]:
    """Return what is to be said of the guards that a shift is started with."""
    if asked.start is None or asked.start.guards is None:
        return ()
    known = replica.known
    table = scene_of(known.lanes, known.generations, tenant, asked.objective, replica.policy).table
    deadline = 0.0 if table is None else table.deadline
    guards, everybody = asked.start.guards, asked.start.steps[-1] == BASIS_POINTS
    return (*guards.notes, *guards.blind_spots(deadline, everybody=everybody))


def shifts(replica: Replica) -> Iterator[pb.Shift]:
    """Yield each shift that stands, as far as a replica knows."""
    known, policy = replica.known, replica.policy
    for control in known.lanes.controls.values():
        scene = scene_of(known.lanes, known.generations, control.tenant, control.objective, policy)
        acked = replica.acked.get(control.objective, NOBODY_LAGS)
        of_sidecars = control.shift.state in {ShiftState.STARTING, ShiftState.CLEARING}
        behind = acked.sidecars if of_sidecars else acked.lightbulbs
        told = _shift(control, scene, () if control.shift.in_force else behind)
        told.guards.extend(_verdicts(control.shift.guards, replica.judged.get(control.objective, NOT_JUDGED)))
        yield told


def _shift(control: Control, scene: Scene, behind: tuple[str, ...]) -> pb.Shift:
    shift = control.shift
    return pb.Shift(
        number=shift.number,
        objective=control.objective,
        tenant=control.tenant,
        model=model_of(shift.key),
        default_model=model_of(shift.default_key),
        basis_points=shift.basis_points,
        steps=shift.steps,
        at=shift.at,
        every=shift.every,
        state=_STATES[shift.state],
        entered=shift.entered,
        in_force=shift.in_force,
        author=shift.author,
        why=shift.why,
        until=shift.until,
        refused=shift.refused,
        waiting_for=[printable(each, MAX_NAME) for each in behind[:MAX_LISTED]],
        rules=_rules(scene.table),
        rule="" if shift.rule is None else str(shift.rule),
    )


def waiting_shifts(replica: Replica) -> Iterator[pb.WaitingShift]:
    """Yield each shift of rules that can't begin yet, and what it waits for."""
    lanes = replica.known.lanes
    for each in lanes.begun.values():
        if each.waits:
            said = waits_for(lanes, replica.consumers, each) or "the next look at it"
            yield pb.WaitingShift(
                objective=each.objective, tenant=each.tenant, waits_for=printable(said, MAX_NAME)
            )


def new_defaults(replica: Replica) -> Iterator[pb.NewDefault]:
    """Yield each new default that is judged, as far as a replica knows."""
    for each in replica.known.lanes.new_defaults.values():
        yield pb.NewDefault(
            number=each.number,
            objective=each.objective,
            tenant=each.tenant,
            model=model_of(each.key),
            generation=each.generation,
            until=each.until,
            guards=_verdicts(each.guards, replica.judged.get(each.objective, NOT_JUDGED)),
            rule=str(each.rule),
            author=each.author,
        )


def _verdicts(guards: Guards, judged: Judged) -> Iterator[pb.GuardVerdict]:
    """Yield each guard, and what it says; nothing where nobody has looked yet."""
    verdicts = judged.verdicts if len(judged.verdicts) == len(guards.each) else (None,) * len(guards.each)
    for guard, verdict in zip(guards.each, verdicts, strict=True):
        outcome, text = ("", "") if verdict is None else (verdict.outcome.value, verdict.text)
        yield pb.GuardVerdict(guard=str(guard), outcome=outcome, text=text, note=guard.note)


def decided(lanes: Lanes, tenant: str, objective: str, table: ObjectiveTable | None) -> str:
    """Return what an operator decided about a tenant's objective, for people; empty: nothing.

    `table` is the objective's by the rules that are compared with it.
    """
    control, hold_back = lanes.controls.get(objective), lanes.held_back.get(objective)
    if control is not None and control.tenant == tenant:
        shift = control.shift
        stands = f"shift {shift.number} to {model_of(shift.key)} stands at {percent(shift.basis_points)}"
        return stands if table is None else f"{stands}; the rules say {_rules(table) or 'nothing of a shift'}"
    if hold_back is not None and hold_back.tenant == tenant and not hold_back.until:
        rejected, answer_from = hold_back.rejected, hold_back.answer_from
        return f"held back: the table of generation {rejected} is rejected, that of {answer_from} answers"
    return ""


def _rules(table: ObjectiveTable | None) -> str:
    """Return what the rules' own shifts say, for people."""
    if table is None:
        return ""
    said = []
    for rule in table.shifts:
        model = table.models[rule.model]
        of = " of some" if rule.when is not None else ""
        share = percent(rule.basis_points) if rule.schedule is None else steps_text(rule.schedule)
        said.append(f"{share}{of} to {model_id(model.name, model.version)}")
    return ", ".join(said)
