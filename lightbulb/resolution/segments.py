"""Which segments conditions use: directly, and by other segments. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from lightbulb.model import All, AnyOf, Condition, InSegment, Not, ObjectiveTable, Segment


def segments_of(condition: Condition) -> Iterator[str]:
    """Yield the segments that a condition names itself, in the order written, with repeats."""
    match condition:
        case All(conditions) | AnyOf(conditions):
            for inner in conditions:
                yield from segments_of(inner)
        case Not(inner):
            yield from segments_of(inner)
        case InSegment(name):
            yield name


def conditions_of(table: ObjectiveTable) -> Iterator[Condition]:
    """Yield every condition of a table's rules."""
    yield from (rule.eligible for rule in table.ab_rules if rule.eligible is not None)
    yield from (rule.when for rule in table.context_rules)
    yield from (rule.when for rule in table.shifts if rule.when is not None)


def needed(conditions: Iterable[Condition], known: Mapping[str, Segment]) -> tuple[Segment, ...]:
    """Return the segments that conditions use, each once, after those that it uses itself.

    The order follows from the names. Segments that aren't known are left out, and so is what ends a loop.
    """
    found: dict[str, Segment] = {}
    entered: set[str] = set()
    stack = [(name, False) for name in sorted(_names(conditions), reverse=True)]
    while stack:
        name, leaving = stack.pop()
        if leaving:
            found[name] = known[name]
        elif name in known and name not in entered:
            entered.add(name)
            stack.append((name, True))
            inner = sorted(_names((known[name].when,)), reverse=True)
            stack.extend((each, False) for each in inner)
    return tuple(found.values())


def _names(conditions: Iterable[Condition]) -> set[str]:
    return {name for condition in conditions for name in segments_of(condition)}
