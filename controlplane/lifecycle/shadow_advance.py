"""How shadows move on by themselves, and beside other generations. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from controlplane.lifecycle.operations import At
from controlplane.lifecycle.shadow import MAX_PARAMETERS, NO_COPIES, Copies, Shadow, Shadowed
from controlplane.lifecycle.shadow_operations import Stage, stopped


def beside(before: Shadowed, stage: Stage, at: At) -> Shadowed:
    """Return shadows as they are beside what is answered by now; themselves when that changes none.

    One whose model isn't loaded any more, or is what is copied by now, is stopped: in the very commit that
    makes it so. Others go on, with the requests of whoever is answered by default then.
    """
    why = {each.id: reason for each in before.standing if (reason := _ends(before, each, stage))}
    after = stopped(before, why, at)
    if not stage.primary:
        return after
    shadows = tuple(each if each.stopped else _fitted(each, stage) for each in after.shadows)
    fitted = replace(after, primary=stage.primary, deadline=stage.deadline, shadows=shadows)
    return after if fitted == after else replace(fitted, version=at.version)


def _fitted(shadow: Shadow, stage: Stage) -> Shadow:
    """Return a shadow as it is beside what is answered: a noise floor is of whatever is copied."""
    key = stage.primary if shadow.is_noise else shadow.key
    fitted = replace(shadow, key=key, parameters=stage.parameters(key))
    return shadow if fitted == shadow else replace(fitted, in_force=0.0)


def _ends(before: Shadowed, shadow: Shadow, stage: Stage) -> str:
    """Return why a shadow can't go on; empty: it can."""
    if not stage.tables:
        return f"generation {stage.generation} hasn't the objective"
    if shadow.is_noise:
        return ""
    if not stage.has(shadow.key):
        return f"generation {stage.generation} hasn't its model"
    if shadow.key == stage.primary != before.primary:
        return "it is what users get by now"
    if len(stage.parameters(shadow.key)) > MAX_PARAMETERS:
        return f"generation {stage.generation} gives it more parameters than a copy can be sent with"
    return ""


def advance(
    before: Shadowed, behind: tuple[str, ...], copies: Mapping[str, Copies], at: At
) -> Shadowed | None:
    """Return the shadows after one look; themselves when nothing changes, None when none is left.

    `behind` are the sidecars that haven't acknowledged what is shown; `copies` is by id what was counted.
    """
    why = {each.id: reason for each in before.standing if (reason := _over(each, copies, at.now))}
    if why:
        return stopped(before, why, at)
    if behind:
        return before
    left = tuple(
        replace(each, in_force=each.in_force or at.now) for each in before.shadows if not each.stopped
    )
    if not left:
        return None
    return before if left == before.shadows else replace(before, shadows=left)


def _over(shadow: Shadow, copies: Mapping[str, Copies], now: float) -> str:
    answered = copies.get(shadow.id, NO_COPIES).answered
    if shadow.pairs and answered >= shadow.pairs:
        return f"{answered:,} of its copies were answered"
    return "its time is over" if shadow.until and now >= shadow.until else ""
