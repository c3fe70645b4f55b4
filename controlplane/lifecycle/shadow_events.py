"""What happened to shadows, for the audit trail. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from controlplane.lifecycle.events import ControlEventKind, by_itself, model_of
from controlplane.lifecycle.shadow import Shadow, Shadowed
from controlplane.lifecycle.state import percent
from controlplane.store.contract import Event

Happened = tuple[ControlEventKind, str]


def happened(before: Shadowed | None, after: Shadowed | None) -> tuple[Happened, ...]:
    """Return what became of an objective's shadows between two states, each with its text."""
    return tuple(_each(before, after))


def _each(before: Shadowed | None, after: Shadowed | None) -> Iterator[Happened]:
    if after is None:
        return  # that they were stopped was told
    known = {} if before is None else {each.id: each for each in before.shadows}
    for shadow in after.shadows:
        found = _became(after, known.get(shadow.id), shadow)
        if found is not None:
            yield found
    if before is not None and before.primary != after.primary and after.standing:
        now, no_more = model_of(after.primary), model_of(before.primary)
        text = f"{after.objective}: requests to {now} are copied from now on, those to {no_more} no more"
        yield ControlEventKind.SHADOW_CHANGED, text


def _became(of: Shadowed, before: Shadow | None, after: Shadow) -> Happened | None:
    if before is None:
        return ControlEventKind.SHADOW_STARTED, f"{told(of, after)}, {settings(after)}"
    if after.stopped and not before.stopped:
        why = f": {after.why}" if after.why else ""
        return ControlEventKind.SHADOW_STOPPED, f"{told(of, after)}{why}"
    if settings(before) != settings(after):
        return ControlEventKind.SHADOW_CHANGED, f"{told(of, after)}, {settings(after)}"
    return None


def told(of: Shadowed, shadow: Shadow) -> str:
    """Return which shadow it is, for people."""
    what = ", the noise floor" if shadow.is_noise else ""
    return f"{of.objective}: shadow {shadow.id} of {model_of(shadow.key)}{what}"


def settings(shadow: Shadow) -> str:
    """Return its share, and when it ends, for people."""
    ends = [f"until {shadow.pairs:,} pairs"] if shadow.pairs else []
    if shadow.until:
        ends.append(f"until {datetime.fromtimestamp(shadow.until, UTC):%Y-%m-%d %H:%M:%S} UTC")
    return ", ".join([f"at {percent(shadow.basis_points)}", *ends])


def events(before: Shadowed | None, after: Shadowed | None, now: float) -> list[Event]:
    """Return the lines of the trail for what the system did by itself."""
    tenant = (after or before).tenant if after or before else ""  # type: ignore[union-attr] # one of them is
    return [by_itself(kind, detail, tenant, now) for kind, detail in happened(before, after)]
