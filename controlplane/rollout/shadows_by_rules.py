"""The shadows that a table's rules begin, in the commit that makes it active. Pure."""

from __future__ import annotations

from dataclasses import replace

from controlplane.lifecycle.events import ControlEventKind, by_itself
from controlplane.lifecycle.operations import At, ControlRefused
from controlplane.lifecycle.shadow import Ends
from controlplane.lifecycle.shadow_advance import beside
from controlplane.lifecycle.shadow_events import events
from controlplane.lifecycle.shadow_operations import WantedShadow
from controlplane.rollout.desired_state import Generations
from controlplane.rollout.lanes import Lanes
from controlplane.rollout.shadowed import stage_of, started
from controlplane.rollout.state import Moment
from controlplane.store.contract import Event
from lightbulb.model import ObjectiveTable, ShadowRule


def shadows_begun(
    lanes: Lanes, generations: Generations, tenant: str, table: ObjectiveTable, at: Moment
) -> tuple[Lanes, tuple[Event, ...]]:
    """Return lanes in which the shadows of a table's rules stand, if they can, and what happened."""
    happened: list[Event] = []
    stage = stage_of(lanes, generations, tenant, table.objective)
    author = generations[stage.generation].author
    for rule in table.shadows:
        before = lanes.shadows.get(table.objective)
        if before is not None:
            before = beside(before, stage, At(at.now, at.version))
        wanted = _wanted(table, rule, tenant, author, _part(lanes, at.version))
        try:
            after = started(lanes, before, wanted, stage, At(at.now, at.version))
        except ControlRefused as error:
            detail = f"the shadow of {rule.source} isn't begun: {error}"
            happened.append(by_itself(ControlEventKind.SHADOW_PASSED_OVER, detail, tenant, at.now))
            continue
        if after != lanes.shadows.get(table.objective):
            by = f"; by {rule.source}, generation {stage.generation} of {author}"
            told = events(before, after, at.now)
            happened += (replace(each, detail=each.detail + by) for each in told)
            lanes = lanes.with_shadows(after, at.version)
    return lanes, tuple(happened)


def _wanted(table: ObjectiveTable, rule: ShadowRule, tenant: str, author: str, part: int) -> WantedShadow:
    target = table.models[rule.model]
    return WantedShadow(
        objective=table.objective,
        model=target.name,
        version=target.version,
        basis_points=rule.basis_points,
        noise_floor=rule.noise_floor,
        max_body=rule.max_body,
        ends=Ends(pairs=rule.pairs, lasts=rule.lasts),
        author=author,
        tenant=tenant,
        part=part,
    )


def _part(lanes: Lanes, version: int) -> int:
    """Return what tells a shadow from those that began in the same version of the head."""
    parts = [
        each.part
        for shadowed in lanes.shadows.values()
        for each in shadowed.shadows
        if each.number == version
    ]
    return max(parts) + 1 if parts else 0
