"""How a rollout moves on by itself: each step gated on acknowledgements, none waited for for ever. Pure.

What the consumers said and what time it is go in, the next state comes out. Never touches a stream or a
store; `desired_state` says what each consumer should have in each state.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from controlplane.rollout.failure import Failure, FailureKind, Laggard, Missing, Refusal, missing
from controlplane.rollout.operations import activate, make_room, withdraw
from controlplane.rollout.state import Generation, Moment, Phase, Policy, Rollout
from lightbulb.model import ModelAssignment


@dataclass(frozen=True, slots=True, kw_only=True)
class Occupant:
    """Another tenant's generation that takes room. `stays`: it won't leave by itself, as it seemed to."""

    tenant: str
    generation: int
    stays: bool = False

    def __str__(self) -> str:
        return f"generation {self.generation} of tenant {self.tenant}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What a phase's consumers say: how many there are, who hasn't acknowledged yet, who refused, and why.

    `since`: when the last of them came into step, in seconds of the store's clock. `load_seconds`: how long
    LOADING waits for what is new, as of `load_seconds`; 0.0: as long as the policy says. `occupants`: other
    tenants' generations that WAITING waits for.
    """

    total: int = 0
    lagging: tuple[Laggard, ...] = ()
    refused: tuple[Refusal, ...] = ()
    since: float = 0.0
    load_seconds: float = 0.0
    occupants: tuple[Occupant, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether nobody's acknowledgement is missing."""
        return not (self.refused or self.lagging)

    @property
    def missing(self) -> Missing:
        """Everybody whose acknowledgement is missing, bounded."""
        return missing(self.refused, self.lagging)


def advance(rollout: Rollout, progress: Progress, policy: Policy, retire_after: float, at: Moment) -> Rollout:
    """Return the state after one look at the phase's consumers; itself when nothing changes.

    `retire_after` is in seconds.
    """
    match rollout.phase:
        case Phase.WAITING:
            following = _wait(rollout, progress, retire_after, at)
        case Phase.RELEASING:
            following = _release(rollout, progress, policy, at)
        case Phase.LOADING:
            following = _load(rollout, progress, policy, at)
        case Phase.ROUTING:
            following = _route(rollout, progress, policy, at)
        case Phase.RETIRING:
            following = _retire(rollout, progress, policy, retire_after, at)
        case Phase.UNLOADING:
            following = _unload(rollout, progress, policy, at)
        case Phase.SETTLED:
            following = rollout
    return following


def retire_after(held: Iterable[Generation], active: int, policy: Policy, *, again: bool = False) -> float:
    """Return how long old keys must live on: the longest that a client may cache and then use one.

    Of what was lost, when all comes `again`, that isn't known: it is taken to be as in the active generation.
    """
    tables = [table for each in held if again or each.number != active for table in each.plan.tables]
    if not tables:
        return 0.0
    cache = max(table.cache_lifetime for table in tables)
    request = max(table.deadline for table in tables)
    return cache + request + policy.margin


def load_seconds(
    target: Mapping[str, tuple[ModelAssignment, ...]], live: Mapping[str, frozenset[str]], policy: Policy
) -> float:
    """Return how long LOADING waits: as the policy says, and what new models say that they take beside that.

    A host loads one after the other, and what a model builds on before it, so what the new models of a shard
    say adds up. The shard that takes longest counts. `live` is as of `gates.progress`.
    """
    said = (
        sum(model.load_timeout for model in models if model.id not in live.get(shard, frozenset()))
        for shard, models in target.items()
    )
    return policy.loading + max(said, default=0.0)


def loading_until(rollout: Rollout, progress: Progress, policy: Policy) -> float:
    """Return when a publish is withdrawn that loads still, by the store's clock; 0.0: none is."""
    if rollout.phase is not Phase.LOADING or _first(rollout):
        return 0.0
    return rollout.entered + _load_within(progress, policy)


def kept(rollout: Rollout, window: int) -> tuple[int, ...]:
    """Return the generations that stay live: the active one, `window` before it, and those pinned."""
    others = [number for number in rollout.live if number != rollout.active]
    recent = others[max(0, len(others) - window) :]
    stay = {rollout.active, *recent, *rollout.pinned}
    return tuple(number for number in rollout.live if number in stay)


def _wait(rollout: Rollout, progress: Progress, delay: float, at: Moment) -> Rollout:
    """Retire as ever; then what must make room leaves, instead of what is beyond the window."""
    if _told_of_older(rollout, progress):
        return _told_of_active(rollout, at)
    staying = next((each for each in progress.occupants if each.stays), None)
    if progress.occupants and (staying is not None or at.now >= rollout.awaits_until):
        in_the_way = staying or progress.occupants[0]
        return withdraw(rollout, Failure(kind=FailureKind.NO_ROOM, by=in_the_way.generation), at)
    if progress.occupants or not _over(rollout, progress, delay, at.now):
        return rollout
    held = (rollout.active,) if rollout.active else ()
    making = make_room(replace(rollout, held=held), rollout.release, at)
    return making if making.leaving else replace(making, phase=Phase.LOADING)


def _release(rollout: Rollout, progress: Progress, policy: Policy, at: Moment) -> Rollout:
    # Nobody holds what is released: a sidecar that lags routes keys that nobody sends it.
    waited = _waited(rollout, at)
    if waited < policy.unload or (progress.lagging and waited < policy.routing):
        return rollout
    return replace(rollout, phase=Phase.LOADING, entered=at.now, leaving=(), desired_version=at.version)


def _load(rollout: Rollout, progress: Progress, policy: Policy, at: Moment) -> Rollout:
    if progress.complete:
        return replace(rollout, phase=Phase.ROUTING, entered=at.now, desired_version=at.version)
    if _first(rollout):
        return rollout
    if progress.refused:
        return withdraw(rollout, _refused(progress), at)
    within = _load_within(progress, policy)
    if _waited(rollout, at) >= within:
        return withdraw(rollout, _late(progress, within), at)
    return rollout


def _route(rollout: Rollout, progress: Progress, policy: Policy, at: Moment) -> Rollout:
    if progress.complete:
        return activate(rollout, rollout.target, at)
    if _first(rollout):
        return rollout
    if progress.refused:
        return withdraw(rollout, _refused(progress), at)
    if _waited(rollout, at) < policy.routing:
        return rollout
    if len(progress.lagging) > policy.max_unavailable * progress.total:
        return withdraw(rollout, _late(progress, policy.routing), at)
    return replace(activate(rollout, rollout.target, at), passed_over=progress.missing)


def _retire(rollout: Rollout, progress: Progress, policy: Policy, delay: float, at: Moment) -> Rollout:
    if _told_of_older(rollout, progress):
        return _told_of_active(rollout, at)
    if not _over(rollout, progress, delay, at.now):
        return rollout
    stay = kept(rollout, policy.window)
    leaving = (*rollout.leaving, *(number for number in rollout.live if number not in stay))
    same = stay == rollout.live and not rollout.again
    return replace(
        rollout,
        phase=Phase.UNLOADING if leaving else Phase.SETTLED,
        entered=at.now,
        live=stay,
        held=(rollout.active,) if rollout.active else (),
        leaving=leaving,
        desired_version=rollout.desired_version if same else at.version,
        again=False,
    )


def _told_of_older(rollout: Rollout, progress: Progress) -> bool:
    """Say whether somebody may be told of what isn't active any more, though everybody has come this far."""
    return rollout.oldest != rollout.active and not progress.lagging


def _told_of_active(rollout: Rollout, at: Moment) -> Rollout:
    """Return the rollout from which on nobody is told of anything older than what is active."""
    return replace(rollout, oldest=rollout.active, entered=at.now, desired_version=at.version)


def _unload(rollout: Rollout, progress: Progress, policy: Policy, at: Moment) -> Rollout:
    if not _over(rollout, progress, policy.unload, at.now):
        return rollout
    return replace(rollout, phase=Phase.SETTLED, entered=at.now, leaving=(), desired_version=at.version)


def _over(rollout: Rollout, progress: Progress, delay: float, now: float) -> bool:
    """Say whether `delay` is over since the phase began and the last consumer came into step."""
    return not progress.lagging and now - max(rollout.entered, progress.since) >= delay


def ends_at(rollout: Rollout, progress: Progress, policy: Policy, delay: float) -> float:
    """Return when a phase ends that waits for time alone, in seconds of the store's clock; 0.0: none does.

    `delay` is `retire_after`'s.
    """
    if progress.lagging or progress.occupants:
        return 0.0
    since = max(rollout.entered, progress.since)
    match rollout.phase:
        case Phase.RETIRING | Phase.WAITING if rollout.oldest == rollout.active:
            return since + delay
        case Phase.UNLOADING:
            return since + policy.unload
        case Phase.RELEASING:
            return rollout.entered + policy.unload
        case _:
            return 0.0


def _waited(rollout: Rollout, at: Moment) -> float:
    """Return how long somebody has waited for this phase's consumers, and could hear them."""
    return at.now - max(rollout.entered, at.led_since)


def _load_within(progress: Progress, policy: Policy) -> float:
    return max(policy.loading, progress.load_seconds)


def _refused(progress: Progress) -> Failure:
    return Failure(kind=FailureKind.REFUSED, missing=missing(progress.refused))


def _late(progress: Progress, seconds: float) -> Failure:
    return Failure(kind=FailureKind.DEADLINE, missing=missing((), progress.lagging), seconds=seconds)


def _first(rollout: Rollout) -> bool:
    """Say whether nothing serves yet: with nothing to fall back to, it takes as long as it takes."""
    return not rollout.live
