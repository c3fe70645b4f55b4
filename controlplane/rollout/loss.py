"""A store that lost commits that somebody has seen: how that is told, and how the rollouts go on. Pure.

A store is taken back when its server fails over to a replica that didn't have all yet, or when a backup is
put in its place. Whoever has seen more takes nothing older, and what has a number must not get another
meaning. So everything goes on above what was seen: versions, fences, and numbers of generations.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from controlplane.lifecycle.shadow import NOTHING_SHADOWED
from controlplane.lifecycle.state import NO_CONTROLS, NO_HOLD_BACKS
from controlplane.rollout.failure import superseded
from controlplane.rollout.lanes import Lanes
from controlplane.rollout.operations import Refused
from controlplane.rollout.state import Moment, Phase, Rollout

MARGIN = 1_000
"""Versions that are left out above what is known to have been seen, for those who are cut off now."""

MAX_LOST = 10_000
"""Numbers of generations that are given up at once, at most, for versions of which nobody knows more."""

SPARE = 10
"""Numbers that are given up besides then: who is cut off now may have heard of more than who told."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The version of a head that somebody has seen, and who.

    Of a fork, which has other commits than the store under the same versions, it is one above all of these.
    """

    version: int = 0
    by: str = ""
    is_fork: bool = False


NOTHING_SEEN = Seen()


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """A store at `version`, where somebody has `seen` a higher one."""

    version: int
    seen: Seen

    def __str__(self) -> str:
        """Say what it is, and what to do."""
        other = "others" if self.seen.is_fork else f"version {self.seen.version}"
        return (
            f"the store lost commits: it is at version {self.version}, and {self.seen.by} has seen {other}. "
            "What serves goes on, and nothing is changed. Bring back the server or the file that has them, "
            "or go on without: lightbulb store resume"
        )


class KnowsLess(Refused):
    """Another replica knows more of what was lost: it is the one to ask."""


def most(*seen: Seen) -> Seen:
    """Return the highest; of equal ones the first."""
    return max(seen, key=lambda each: each.version, default=NOTHING_SEEN)


def continues(before: Lanes, version: int, after: Lanes) -> bool:
    """Say whether `after` may have come of `before`, which was the head's `version`.

    A lane whose fence is above that version may be anything: it was set since, above all that was seen. One
    that isn't there any more may have ended since; the generations that `witnesses` names tell.
    """
    return all(_lane_continues(rollout, after.of(tenant), version) for tenant, rollout in before)


def _lane_continues(before: Rollout, after: Rollout | None, version: int) -> bool:
    if after is None or after is before or after.fence > version:
        return True
    if after.fence < before.fence or after.desired_version < before.desired_version:
        return False
    same_fence, same_desired = after.fence == before.fence, after.desired_version == before.desired_version
    return not (same_fence and after.active != before.active) and not (
        same_desired and _shown(after) != _shown(before)
    )


def witnesses(before: Lanes, after: Lanes, known: Iterable[int]) -> frozenset[int]:
    """Return the numbers of those generations that the store has, too, if `after` came of `before`.

    They are the newest of the `known`, and of each lane that isn't there any more: it has ended since, or was
    lost with all that it had.
    """
    gone = (max(rollout.needed, default=0) for tenant, rollout in before if after.of(tenant) is None)
    return frozenset({max(known, default=0), *gone} - {0})


def is_above(lanes: Lanes, version: int) -> bool:
    """Say whether every lane was set anew above `version`: whoever has seen that one may take any of them."""
    return all(rollout.fence > version for _, rollout in lanes)


def _shown(rollout: Rollout) -> tuple[object, ...]:
    return rollout.active, rollout.oldest, rollout.routed, rollout.loaded


def raised(lanes: Lanes, at: Moment) -> Lanes:
    """Return the lanes as they are, above all that was seen: whoever has them is shown nothing new."""
    for tenant, rollout in lanes:
        fenced = replace(rollout, fence=at.version, desired_version=at.version)
        lanes = lanes.after(tenant, fenced)
    return lanes


def begun_again(lanes: Lanes, at: Moment) -> Lanes:
    """Return the lanes of a store of which nobody knows what it lost, above all that was seen.

    Controls are of what was active: none of them is brought back.

    Consumers have generations that nobody can show them any more, and may need them for what is active there.
    So each lane's active generation is loaded and routed first, as the very first one is: for as long as it
    takes. Until then nobody is told what is active, and everybody goes on with what they have.
    """
    lanes = replace(lanes, controls=NO_CONTROLS, held_back=NO_HOLD_BACKS, shadows=NOTHING_SHADOWED)
    for tenant, rollout in lanes:
        wanted = rollout.active or rollout.target
        given_up = rollout.target not in {0, wanted}
        lanes = lanes.after(
            tenant,
            Rollout(
                phase=Phase.LOADING,
                entered=at.now,
                target=wanted,
                failure=superseded(wanted, rollback=True) if given_up else rollout.failure,
                withdrawn=rollout.target if given_up else rollout.withdrawn,
                undone=rollout.undone,
                fence=at.version,
                desired_version=at.version,
                again=True,
            ),
        )
    return lanes


def newest_number(lanes: Lanes, numbers: Iterable[int] = ()) -> int:
    """Return the highest number of a generation that is known of, in `lanes` or in `numbers`."""
    known = {0, *numbers}
    for _, rollout in lanes:
        known |= {*rollout.needed, *rollout.undone, rollout.withdrawn, rollout.active}
    return max(known)


def last_lost(newest: int, known: int, seen: Seen) -> int:
    """Return the highest number that a lost generation may have.

    `newest` is the highest that some replica knows of, at a version up to `known`. Each commit after that, up
    to what a consumer has `seen`, may have published one, and so may some that nobody who is there has seen.
    """
    lost = 0 if seen.is_fork else seen.version - known
    return newest + min(lost + SPARE, MAX_LOST) if lost > 0 else newest
