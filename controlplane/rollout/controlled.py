"""Controls beside the rollouts: what they are laid over, who has acknowledged, how they move on. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from controlplane.lifecycle.advance import Acked, advance, reconciled
from controlplane.lifecycle.events import event
from controlplane.lifecycle.operations import At
from controlplane.lifecycle.scene import Scene
from controlplane.lifecycle.state import Control
from controlplane.lifecycle.watching import NOT_JUDGED, Judged
from controlplane.rollout.desired_state import Generations
from controlplane.rollout.failure import listed
from controlplane.rollout.lanes import Lanes
from controlplane.rollout.operations import Refused
from controlplane.rollout.registry import Consumer
from controlplane.rollout.state import Moment, Phase, Policy
from controlplane.rollout.taking import table_of
from controlplane.store.contract import Event
from lightbulb.ads.values import OBJECTIVE_CONTROL, ROUTE
from lightbulb.model import ObjectiveTable

NOBODY_LAGS = Acked()


def scene_of(lanes: Lanes, generations: Generations, tenant: str, objective: str, policy: Policy) -> Scene:
    """Return what there is of a tenant's objective."""
    rollout = lanes.of(tenant)
    if rollout is None:
        return Scene(active=0, table=None, tables=(), held=(), settled=True, margin=policy.margin)
    found = {
        number: table_of(generations[number], objective)
        for number in rollout.needed
        if number in generations  # one that was just published is read once it is committed
    }
    return Scene(
        active=rollout.active,
        table=found.get(rollout.active),
        tables=_distinct(found.values()),
        held=_distinct(found.get(number) for number in {*rollout.held, rollout.active}),
        settled=rollout.phase is Phase.SETTLED,
        margin=policy.margin,
    )


def _distinct(tables: Iterable[ObjectiveTable | None]) -> tuple[ObjectiveTable, ...]:
    return tuple({id(each): each for each in tables if each is not None}.values())


def beside(
    lanes: Lanes, generations: Generations, policy: Policy, at: Moment
) -> tuple[Lanes, tuple[Event, ...]]:
    """Return lanes whose controls fit the generations that are active, and what became of these.

    Whoever makes another generation active does so in the same commit.
    """
    return _reconciled(lanes, _scenes(lanes, generations, policy), at)


def _scenes(lanes: Lanes, generations: Generations, policy: Policy) -> Mapping[str, Scene]:
    """Return what is beside each control, by objective."""
    return {
        name: scene_of(lanes, generations, each.tenant, name, policy) for name, each in lanes.controls.items()
    }


def _reconciled(lanes: Lanes, scenes: Mapping[str, Scene], at: Moment) -> tuple[Lanes, tuple[Event, ...]]:
    happened: list[Event] = []
    for control in lanes.controls.values():
        following = reconciled(control, scenes[control.objective], At(at.now, at.version))
        if following != control:
            lanes = lanes.with_control(following, at.version)
            happened += _told(control, following, at)
    return lanes, tuple(happened)


def moved_on(  # noqa: PLR0913, PLR0917 - a pure function of all that counts
    lanes: Lanes,
    generations: Generations,
    acked: Mapping[str, Acked],
    judged: Mapping[str, Judged],
    policy: Policy,
    at: Moment,
) -> tuple[Lanes, tuple[Event, ...]]:
    """Return the lanes once each control has taken the step that it can take, and what happened.

    `acked` is by objective, and so is what guards have `judged`.
    """
    scenes = _scenes(lanes, generations, policy)
    lanes, told = _reconciled(lanes, scenes, at)
    happened = [*told]
    for control in lanes.controls.values():
        name, when = control.objective, At(at.now, at.version)
        seen = judged.get(name, NOT_JUDGED)
        following = advance(control, scenes[name], acked[name], policy.routing, when, seen)
        if following is None:
            lanes = lanes.without_control(control, at.version)
        elif following != control:
            lanes = lanes.with_control(following, at.version)
        if following != control:
            happened += _told(control, following, at)
    return lanes, tuple(happened)


def _told(before: Control, after: Control | None, at: Moment) -> list[Event]:
    found = event(before, after, at.now)
    return [] if found is None else [found]


def acknowledgements(
    lanes: Lanes, consumers: Collection[Consumer], now: float, policy: Policy
) -> Mapping[str, Acked]:
    """Return, by objective that has a control, who hasn't acknowledged what is shown of it.

    Who lags with one of a tenant's lags with all of them; of those that are in force nobody is asked.
    """
    controls = lanes.controls.values()
    waiting = {each.tenant for each in controls if not each.shift.in_force}
    found = {tenant: acknowledged(tenant, consumers, now, policy) for tenant in waiting}
    return {each.objective: found.get(each.tenant, NOBODY_LAGS) for each in controls}


class NotObeyed(Refused):
    """A control while some Lightbulb is connected that knows none."""


def check_obeyed(consumers: Iterable[Consumer], tenant: str) -> None:
    """Raise NotObeyed for a Lightbulb that would answer as the rules alone say, beside others that obey."""
    found = sorted(
        str(each) for each in consumers if each.disobeys and not each.disconnected and each.concerns(tenant)
    )
    if found:
        raise NotObeyed(
            f"{listed(found)}: from before there were shifts, and would answer as the rules alone say, so "
            "that users went back and forth; upgrade it first"
        )


def acknowledged(tenant: str, consumers: Iterable[Consumer], now: float, policy: Policy) -> Acked:
    """Return who hasn't acknowledged what is shown of a tenant's controls and shadows.

    A Lightbulb that is out of reach goes on as before: it counts until its lease is over. One that is
    connected and takes nothing counts for as long.
    """
    own = [each.for_tenant(tenant) for each in consumers if each.concerns(tenant)]
    return Acked(
        sidecars=tuple(
            str(each)
            for each in own
            if each.kind == "sidecar" and each.there(now, policy) and _lags(each, ROUTE)
        ),
        lightbulbs=tuple(
            str(each)
            for each in own
            if each.kind == "lightbulb"
            and not each.left
            and (each.disconnected or _lags(each, OBJECTIVE_CONTROL))
            and not (0.0 < each.unsynced_since <= now - policy.lease)
        ),
    )


def _lags(consumer: Consumer, type_url: str) -> bool:
    return (
        not consumer.up_to_date
        or type_url in consumer.waiting_for
        or any(each.resource_type == type_url for each in consumer.refusals)
    )
