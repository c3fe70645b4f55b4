"""Room that other tenants' generations take, and are about to make by themselves. Pure.

A tenant lets go of its own generations alone. What another tenant lets go of anyhow, once clients can't hold
it, a publish may wait for: not for ever, and not for what stays after all.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from controlplane.rollout.advance import Occupant, kept, retire_after
from controlplane.rollout.desired_state import Generations
from controlplane.rollout.lanes import Lanes
from controlplane.rollout.operations import publish
from controlplane.rollout.state import Moment, Phase, Policy, Rollout

_RETIRED = frozenset({Phase.UNLOADING, Phase.SETTLED})
"""Phases in which all that is live stays so until somebody does something."""


def outgoing(rollout: Rollout, window: int) -> tuple[int, ...]:
    """Return the loaded generations that leave by themselves, whatever becomes of the one on its way."""
    live = () if rollout.phase in _RETIRED else rollout.live
    stay = kept(rollout, window)
    return (*rollout.leaving, *(number for number in live if number not in stay))


def outgoing_of_others(lanes: Lanes, tenant: str, window: int) -> frozenset[int]:
    """Return the generations of other tenants that leave by themselves."""
    found = (outgoing(rollout, window) for name, rollout in lanes if name != tenant)
    return frozenset().union(*found)


def occupants(lanes: Lanes, tenant: str, window: int) -> tuple[Occupant, ...]:
    """Return those generations that a tenant's publish waits for which are loaded still."""
    awaited = frozenset(lanes.rollouts[tenant].awaits)
    return tuple(_occupants(lanes, awaited, window)) if awaited else ()


def _occupants(lanes: Lanes, awaited: Collection[int], window: int) -> Iterator[Occupant]:
    for name, rollout in lanes:
        leaves = outgoing(rollout, window)
        for number in rollout.loaded:
            if number in awaited:
                yield Occupant(tenant=name, generation=number, stays=number not in leaves)


def patience(lanes: Lanes, awaited: Collection[int], generations: Generations, policy: Policy) -> float:
    """Return for how many seconds others are waited for: as long as it takes if they publish nothing more.

    That is until the last consumer that is cut off is taken to serve nobody, then what old keys and requests
    take.
    """
    delays = (
        retire_after([generations[number] for number in rollout.held], rollout.active, policy)
        for _, rollout in lanes
        if not frozenset(awaited).isdisjoint(rollout.loaded)
    )
    return policy.lease + max(delays, default=0.0) + policy.unload


def set_out(  # noqa: PLR0913, PLR0917 - all that it is decided on
    lanes: Lanes,
    tenant: str,
    target: int,
    release: tuple[int, ...] | None,
    generations: Generations,
    at: Moment,
    policy: Policy,
) -> Rollout:
    """Return a tenant's rollout with `target` on its way, as of `operations.publish`.

    Of `release`, which is as a plan has it, other tenants' generations are waited for.
    """
    before = lanes.of(tenant)
    own = frozenset(before.live) if before is not None else frozenset()
    awaits = tuple(number for number in release or () if number not in own)
    return publish(
        before,
        target,
        None if release is None else tuple(number for number in release if number in own),
        at,
        awaits=awaits,
        awaits_until=at.now + patience(lanes, awaits, generations, policy) if awaits else 0.0,
    )
