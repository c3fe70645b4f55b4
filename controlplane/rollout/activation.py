"""How a generation becomes active: make before break, every step gated on acknowledgements.

    LOADING -> ROUTING -> RETIRING -> UNLOADING -> SETTLED
       |          |
       +----------+---> FAILED (what served before goes on serving)

Pure: what the consumers said and what time it is go in, the next activation comes out. Never touches
a stream; `views` says what each consumer is shown in each phase.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from controlplane.model import Plan


class Phase(Enum):
    """Where an activation stands."""

    LOADING = "loading"
    ROUTING = "routing"
    RETIRING = "retiring"
    UNLOADING = "unloading"
    SETTLED = "settled"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """One published, immutable, numbered state of everything."""

    number: int
    content_hash: str
    plan: Plan


MAX_RETAINED = 8
"""Older generations held at once; each may keep models loaded."""

MAX_LISTED = 10
"""Consumers that a detail names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """Seconds: deadlines of loading and routing, and how long what is old is kept.

    Hosts keep models that nothing routes to any more for `unload`; `margin` is added to the longest
    client cache and the longest request before old keys go.
    """

    loading: float = 60.0
    routing: float = 15.0
    unload: float = 10.0
    margin: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What a step's consumers say about it: who hasn't acknowledged yet, and who refused, and why."""

    lagging: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Activation:
    """A generation on its way. `entered` is when its phase began; `detail` is for people.

    `retained` are older generations, oldest first, whose keys a client may still hold.
    """

    target: Generation
    previous: Generation | None
    phase: Phase
    entered: float
    retained: tuple[Generation, ...] = ()
    detail: str = ""

    @property
    def active(self) -> Generation | None:
        """The generation that Lightbulb answers from."""
        if self.phase in {Phase.LOADING, Phase.ROUTING, Phase.FAILED}:
            return self.previous
        return self.target

    @property
    def old(self) -> tuple[Generation, ...]:
        """The generations before the target that are still held, oldest first."""
        return self.retained if self.previous is None else (*self.retained, self.previous)


class Busy(Exception):
    """A publish came while another can't be followed up yet."""


def begin(target: Generation, current: Activation | None, now: float) -> Activation:
    """Return the activation of `target` after `current`; raise Busy when it must wait.

    Until the current target is active there is nothing safe to build on. Once it is, the next publish
    needn't wait for retirement: what is being retired is held along.
    """
    if current is None:
        return Activation(target=target, previous=None, phase=Phase.LOADING, entered=now)
    if current.phase in {Phase.LOADING, Phase.ROUTING}:
        raise Busy(f"generation {current.target.number} is still {current.phase.value}; {current.detail}")
    match current.phase:
        case Phase.SETTLED:
            retained: tuple[Generation, ...] = ()
        case Phase.FAILED:
            retained = current.retained
        case _:
            retained = current.old
    if len(retained) >= MAX_RETAINED:
        raise Busy(f"{len(retained)} older generations are still being retired; try again in a minute")
    return Activation(
        target=target, previous=current.active, phase=Phase.LOADING, entered=now, retained=retained
    )


def advance(activation: Activation, progress: Progress, timings: Timings, now: float) -> Activation:
    """Return the activation after one look at its consumers; itself when nothing changes.

    `progress` is that of the consumers which the current phase waits for.
    """
    match activation.phase:
        case Phase.LOADING:
            return _gate(activation, progress, timings.loading, Phase.ROUTING, now)
        case Phase.ROUTING:
            return _gate(activation, progress, timings.routing, Phase.RETIRING, now)
        case Phase.RETIRING:
            return _linger(activation, progress, retire_after(activation, timings), Phase.UNLOADING, now)
        case Phase.UNLOADING:
            return _linger(activation, progress, timings.unload, Phase.SETTLED, now)
        case Phase.SETTLED | Phase.FAILED:
            return activation


def retire_after(activation: Activation, timings: Timings) -> float:
    """Return how long old keys must live on: the longest that a client may cache and then use one."""
    tables = [table for generation in activation.old for table in generation.plan.tables]
    if not tables:
        return 0.0
    cache = max(table.cache_lifetime for table in tables)
    request = max(table.deadline for table in tables)
    return cache + request + timings.margin


def _gate(
    activation: Activation, progress: Progress, limit: float, following: Phase, now: float
) -> Activation:
    """Move on when all have acknowledged; fail when one refuses, or lags past the deadline."""
    # The first generation has nothing to fall back to: it waits for as long as it takes.
    first = activation.previous is None
    if progress.refused and not first:
        return _enter(activation, Phase.FAILED, now, f"refused: {_listed(progress.refused)}")
    missing = (*progress.refused, *progress.lagging)
    if not missing:
        return _enter(activation, following, now, "")
    detail = f"waiting for {_listed(missing)}"
    if not first and now - activation.entered >= limit:
        return _enter(activation, Phase.FAILED, now, f"{detail} for more than {limit:g} s")
    return activation if activation.detail == detail else replace(activation, detail=detail)


def _linger(
    activation: Activation, progress: Progress, delay: float, following: Phase, now: float
) -> Activation:
    """Move on when `delay` is over since somebody last lagged: nothing is retired while one does."""
    if progress.lagging:
        detail = f"waiting for {_listed(progress.lagging)}"
        return replace(activation, entered=now, detail=detail)
    if now - activation.entered < delay:
        return activation if not activation.detail else replace(activation, detail="")
    return _enter(activation, following, now, "")


def _listed(names: tuple[str, ...]) -> str:
    """Return names for people to read: a thousand of them would tell less."""
    more = len(names) - MAX_LISTED
    return "; ".join(names[:MAX_LISTED]) + (f"; and {more} more" if more > 0 else "")


def _enter(activation: Activation, phase: Phase, now: float, detail: str) -> Activation:
    return replace(activation, phase=phase, entered=now, detail=detail)
