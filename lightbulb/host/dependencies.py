"""Which model is to be loaded before which. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lightbulb.model import ModelAssignment


def in_order(
    assignments: Sequence[ModelAssignment],
) -> tuple[Sequence[ModelAssignment], Sequence[ModelAssignment]]:
    """Return each after those that it depends on, and those for which there is no such order."""
    waiting = {assignment.id: assignment for assignment in assignments}
    ordered: list[ModelAssignment] = []
    while ready := [each for each in waiting.values() if not waiting.keys() & set(each.depends_on)]:
        ordered += ready
        for assignment in ready:
            del waiting[assignment.id]
    return ordered, tuple(waiting.values())


def builds_on(assignments: Mapping[str, ModelAssignment], model: str, other: str) -> bool:
    """Say whether a model depends on another, directly or through others."""
    seen: set[str] = set()
    waiting = [model]
    while waiting:
        name = waiting.pop()
        if name == other:
            return True
        if name not in seen and name in assignments:
            seen.add(name)
            waiting += assignments[name].depends_on
    return False


def needs(assignment: ModelAssignment) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what a model is handed: another load of it is needed when this changes."""
    return assignment.facts, assignment.depends_on
