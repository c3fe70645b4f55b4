"""The one place where controls meet protos/lightbulb/v1/store.proto."""

from __future__ import annotations

from controlplane.lifecycle.guards import BadGuards, Guards, parse_guards
from controlplane.lifecycle.shadow import LEAST_BODY, Shadow, Shadowed
from controlplane.lifecycle.state import Begun, Control, HoldBack, NewDefault, Shift, ShiftState
from lightbulb.resolution.codec import Malformed, source_from_proto, source_to_proto
from lightbulb.v1 import store_pb2 as pb


def control_to_proto(control: Control) -> pb.StoredControl:
    """Return a control for the store."""
    return pb.StoredControl(
        objective=control.objective,
        tenant=control.tenant,
        version=control.version,
        shift=_shift_to_proto(control.shift),
    )


def control_from_proto(message: pb.StoredControl) -> Control:
    """Return a control; raise Malformed."""
    return Control(
        objective=message.objective,
        tenant=message.tenant,
        version=message.version,
        shift=_shift_from_proto(message.shift),
    )


def _shift_to_proto(shift: Shift) -> pb.StoredShift:
    return pb.StoredShift(
        number=shift.number,
        key=shift.key,
        default_key=shift.default_key,
        salt=shift.salt,
        steps=shift.steps,
        generation=shift.generation,
        table=shift.table,
        entered=shift.entered,
        every=shift.every,
        at=shift.at,
        in_force=shift.in_force,
        state=shift.state.value,
        author=shift.author,
        why=shift.why,
        until=shift.until,
        refused=shift.refused,
        guards=_guards_to_proto(shift.guards) if shift.guards.each else None,
        rule=None if shift.rule is None else source_to_proto(shift.rule),
    )


def _guards_to_proto(guards: Guards) -> pb.StoredGuards:
    return pb.StoredGuards(
        guards=map(str, guards.each),
        alpha=guards.alpha,
        interval=guards.interval,
        min_sample=guards.each[0].min_sample,
    )


def _guards_from_proto(message: pb.StoredGuards) -> Guards:
    if not message.guards:
        return Guards()
    try:
        return parse_guards(
            message.guards,
            alpha=message.alpha,
            interval=message.interval,
            min_sample=message.min_sample,
        )
    except BadGuards as error:
        raise Malformed(f"guards that aren't known here: {error}") from error


def _shift_from_proto(message: pb.StoredShift) -> Shift:
    try:
        state = ShiftState(message.state)
    except ValueError as error:
        raise Malformed(f"shift {message.number} is in an unknown state {message.state!r}") from error
    if message.at >= len(message.steps):
        raise Malformed(f"shift {message.number} is at step {message.at}, of {len(message.steps)}")
    return Shift(
        number=message.number,
        key=message.key,
        default_key=message.default_key,
        salt=message.salt,
        steps=tuple(message.steps),
        generation=message.generation,
        table=message.table,
        entered=message.entered,
        every=message.every,
        at=message.at,
        in_force=message.in_force,
        state=state,
        author=message.author,
        why=message.why,
        until=message.until,
        refused=message.refused,
        guards=_guards_from_proto(message.guards),
        rule=source_from_proto(message.rule) if message.HasField("rule") else None,
    )


def begun_to_proto(begun: Begun) -> pb.StoredBegun:
    """Return which tables had their own shift begun, for the store."""
    return pb.StoredBegun(
        objective=begun.objective, tenant=begun.tenant, tables=begun.tables, waits=begun.waits
    )


def begun_from_proto(message: pb.StoredBegun) -> Begun:
    """Return which tables had their own shift begun; raise Malformed."""
    if message.waits and not message.tables:
        raise Malformed(f"{message.objective}: no table is that which waits")
    return Begun(
        objective=message.objective,
        tenant=message.tenant,
        tables=tuple(message.tables),
        waits=message.waits,
    )


def new_default_to_proto(new: NewDefault) -> pb.StoredNewDefault:
    """Return a default that is judged, for the store."""
    return pb.StoredNewDefault(
        objective=new.objective,
        tenant=new.tenant,
        number=new.number,
        key=new.key,
        generation=new.generation,
        table=new.table,
        guards=_guards_to_proto(new.guards),
        entered=new.entered,
        until=new.until,
        rule=source_to_proto(new.rule),
        author=new.author,
    )


def new_default_from_proto(message: pb.StoredNewDefault) -> NewDefault:
    """Return a default that is judged; raise Malformed."""
    return NewDefault(
        objective=message.objective,
        tenant=message.tenant,
        number=message.number,
        key=message.key,
        generation=message.generation,
        table=message.table,
        guards=_guards_from_proto(message.guards),
        entered=message.entered,
        until=message.until,
        rule=source_from_proto(message.rule),
        author=message.author,
    )


def hold_back_to_proto(hold_back: HoldBack) -> pb.StoredHeldBack:
    """Return what is held back, for the store."""
    return pb.StoredHeldBack(
        objective=hold_back.objective,
        tenant=hold_back.tenant,
        version=hold_back.version,
        rejected=hold_back.rejected,
        table=hold_back.table,
        answer_from=hold_back.answer_from,
        pins=hold_back.pins,
        entered=hold_back.entered,
        author=hold_back.author,
        why=hold_back.why,
        until=hold_back.until,
    )


def hold_back_from_proto(message: pb.StoredHeldBack) -> HoldBack:
    """Return what is held back."""
    return HoldBack(
        objective=message.objective,
        tenant=message.tenant,
        version=message.version,
        rejected=message.rejected,
        table=message.table,
        answer_from=message.answer_from,
        pins=message.pins,
        entered=message.entered,
        author=message.author,
        why=message.why,
        until=message.until,
    )


def shadowed_to_proto(shadowed: Shadowed) -> pb.StoredShadowed:
    """Return an objective's shadows, for the store."""
    return pb.StoredShadowed(
        objective=shadowed.objective,
        tenant=shadowed.tenant,
        version=shadowed.version,
        primary=shadowed.primary,
        deadline=shadowed.deadline,
        shadows=map(_shadow_to_proto, shadowed.shadows),
    )


def shadowed_from_proto(message: pb.StoredShadowed) -> Shadowed:
    """Return an objective's shadows; raise Malformed."""
    return Shadowed(
        objective=message.objective,
        tenant=message.tenant,
        version=message.version,
        primary=message.primary,
        deadline=message.deadline,
        shadows=tuple(map(_shadow_from_proto, message.shadows)),
    )


def _shadow_to_proto(shadow: Shadow) -> pb.StoredShadow:
    return pb.StoredShadow(
        number=shadow.number,
        key=shadow.key,
        basis_points=shadow.basis_points,
        entered=shadow.entered,
        is_noise=shadow.is_noise,
        max_body=shadow.max_body,
        pairs=shadow.pairs,
        until=shadow.until,
        in_force=shadow.in_force,
        stopped=shadow.stopped,
        author=shadow.author,
        why=shadow.why,
        parameters=shadow.parameters,
        part=shadow.part,
    )


def _shadow_from_proto(message: pb.StoredShadow) -> Shadow:
    if message.max_body < LEAST_BODY:
        raise Malformed(f"shadow {message.number} copies bodies up to {message.max_body} bytes")
    return Shadow(
        number=message.number,
        key=message.key,
        basis_points=message.basis_points,
        entered=message.entered,
        is_noise=message.is_noise,
        max_body=message.max_body,
        pairs=message.pairs,
        until=message.until,
        in_force=message.in_force,
        stopped=message.stopped,
        author=message.author,
        why=message.why,
        parameters=message.parameters,
        part=message.part,
    )
