"""What each kind of consumer is shown in each phase of an activation. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from controlplane.model import RoutingRule
from controlplane.rollout.activation import Activation, Generation, Phase
from lightbulb.model import ModelAssignment

Address = tuple[str, int]
"""IP address and port."""

ModelsByShard = Mapping[str, tuple[ModelAssignment, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A serving host with an open stream, and the ids of the models that it says it has loaded."""

    id: str
    shard: str
    address: Address
    loaded: frozenset[str]


def routed(activation: Activation) -> tuple[Generation, ...]:
    """Return the generations whose keys sidecars know, oldest first."""
    match activation.phase:
        case Phase.LOADING | Phase.FAILED:
            return activation.old
        case Phase.ROUTING | Phase.RETIRING:
            return (*activation.old, activation.target)
        case Phase.UNLOADING | Phase.SETTLED:
            return (activation.target,)


def loaded(activation: Activation) -> tuple[Generation, ...]:
    """Return the generations whose models hosts must have, oldest first; never fewer than are routed."""
    match activation.phase:
        case Phase.FAILED:
            return activation.old
        case Phase.SETTLED:
            return (activation.target,)
        case _:
            return (*activation.old, activation.target)


def routing_rules(generations: Iterable[Generation]) -> tuple[RoutingRule, ...]:
    """Return every key of `generations`, sorted; where a key moved, its newest VIP."""
    merged = {rule.key: rule for generation in generations for rule in generation.plan.routes}
    return tuple(merged[key] for key in sorted(merged))


def models_by_shard(generations: Iterable[Generation]) -> ModelsByShard:
    """Return shard -> every model that some of `generations` places on it, sorted by id."""
    merged: dict[str, dict[str, ModelAssignment]] = {}
    for generation in generations:
        for assignment in generation.plan.assignments:
            models = merged.setdefault(assignment.shard, {})
            models.update({model.id: model for model in assignment.models})
    return {shard: tuple(models[name] for name in sorted(models)) for shard, models in merged.items()}


def vips(generations: Iterable[Generation]) -> Mapping[str, str]:
    """Return shard -> VIP."""
    return {
        assignment.shard: assignment.vip
        for generation in generations
        for assignment in generation.plan.assignments
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What an activation shows in its phase, whoever is connected.

    `vips` is by shard; `required` are the ids of the models that a shard's hosts need to be sent
    requests; `models` is what they should have. `active` is None before the first generation is.
    """

    rules: tuple[RoutingRule, ...]
    vips: Mapping[str, str]
    required: Mapping[str, frozenset[str]]
    models: ModelsByShard
    active: Generation | None


def layout(activation: Activation) -> Layout:
    """Return what an activation shows in its phase; O(keys + models), so once a phase."""
    routable = routed(activation)
    return Layout(
        rules=routing_rules(routable),
        vips=vips(routable),
        required={
            shard: frozenset(model.id for model in models)
            for shard, models in models_by_shard(routable).items()
        },
        models=models_by_shard(loaded(activation)),
        active=activation.active,
    )


def ready_addresses(
    shown: Layout, hosts: Iterable[Host], last: Mapping[str, tuple[Address, ...]]
) -> Mapping[str, tuple[Address, ...]]:
    """Return VIP -> addresses of the hosts that have loaded all that is routed to their shard.

    A VIP whose hosts are all gone keeps the `last` ones: should only *our* sight of them be lost,
    traffic goes on; should they be down, the sidecar says so itself.
    """
    ready: dict[str, set[Address]] = {vip: set() for vip in shown.vips.values()}
    for host in hosts:
        if host.shard in shown.vips and host.loaded >= shown.required[host.shard]:
            ready[shown.vips[host.shard]].add(host.address)
    return {vip: tuple(sorted(addresses)) or last.get(vip, ()) for vip, addresses in ready.items()}
