"""What of a table can never decide on anybody, and who does in its place. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from controlplane.planning.shares.boxes import Space
from controlplane.planning.shares.steps import Outcome, Step, steps_of
from controlplane.planning.shares.walk import TooManyRegions, Walk
from lightbulb.model import BASIS_POINTS, ObjectiveTable, Source

MAX_LOOKS = 300_000
"""What is looked at for all tables of a workspace, see `walk.MAX_LOOKS`; tables after that aren't walked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Never:
    """Outcomes of one rule that decide on nobody: cells, or with `whole` all that it has.

    `instead` are the rules before it that decide on whom it is meant for; empty: it is meant for nobody.
    """

    table: ObjectiveTable
    outcomes: tuple[Outcome, ...]
    whole: bool
    instead: tuple[Source, ...]


def never_of(table: ObjectiveTable, looks: int) -> tuple[tuple[Never, ...], int | None]:
    """Return what of one table can never apply, and the looks that are left; None: they weren't enough.

    A share of 0 that is written down as such isn't told.
    """
    if not (table.ab_rules or table.context_rules or table.shifts):
        return (), looks
    space = Space([table])
    steps = steps_of(table, space)
    walk = Walk(space, steps, looks)
    found: list[Never] = []
    try:
        found.extend(_of_table(table, steps, walk))
    except TooManyRegions:
        return tuple(found), None
    return tuple(found), walk.looks


def _of_table(table: ObjectiveTable, steps: Sequence[Step], walk: Walk) -> Iterator[Never]:
    deciding = {
        each.outcome
        for region in walk.regions(steps, walk.space.everyone, walk.start)
        for each in region.decided
    }
    for index, step in enumerate(steps[:-1]):
        meant = list(dict.fromkeys(outcome for _, outcome in step.ranges if outcome.weight))
        never = tuple(outcome for outcome in meant if outcome not in deciding)
        if never:
            instead = _instead(steps[: index + 1], walk)
            whole = len(never) == len(meant)
            yield Never(table=table, outcomes=never, whole=whole, instead=tuple(instead))


def _instead(steps: Sequence[Step], walk: Walk) -> Mapping[Source, None]:
    """Return who decides on those for whom the last of some steps is meant."""
    *before, last = steps
    nobody = Outcome(reason=last.ranges[0][1].reason, source=last.ranges[0][1].source, model=0)
    gate = Step(when=walk.space.inverse(last.when), ranges=((BASIS_POINTS, nobody),))
    return {
        each.outcome.source: None
        for region in walk.regions((gate, *before), walk.space.everyone, walk.start, forget=1)
        for each in region.decided
    }
