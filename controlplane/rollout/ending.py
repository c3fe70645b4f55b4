"""How the rollout of a tenant ends that the platform has left out, and that has no objectives any more. Pure.

What old answers lead to goes first, as after any publish, but nothing is kept for a rollback. Then nothing of
it is active, so that Lightbulbs let go of its generation. Its lane is taken out once another has changed
later: the version at which what is shown last changed must never fall.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from controlplane.rollout.desired_state import Generations
from controlplane.rollout.lanes import Lanes
from controlplane.rollout.state import Moment, Phase, Rollout


def end(lanes: Lanes, tenant: str, generations: Generations, at: Moment) -> Lanes:
    """Return the lanes after the next step of the end of one; the same while that waits for something."""
    rollout = lanes.rollouts[tenant]
    if rollout.target or (rollout.active and generations[rollout.active].plan.tables):
        return lanes
    if rollout.phase is Phase.SETTLED and not rollout.live:
        return _without(lanes, tenant)
    following = _next(replace(rollout, pinned=()), at)
    return lanes if following == rollout else lanes.after(tenant, following)


def _next(rollout: Rollout, at: Moment) -> Rollout:
    if rollout.phase is not Phase.SETTLED:
        return rollout
    if len(rollout.live) > 1:
        return replace(rollout, phase=Phase.RETIRING, entered=at.now)
    return Rollout(phase=Phase.SETTLED, entered=at.now, fence=at.version, desired_version=at.version)


def _without(lanes: Lanes, tenant: str) -> Lanes:
    others = {name: rollout for name, rollout in lanes if name != tenant}
    left = replace(lanes, rollouts=MappingProxyType(others))
    return left if left.desired_version >= lanes.desired_version else lanes
