"""Where a tenant's rollout stands: one immutable value, kept in the store, shared by all replicas.

    WAITING     clients may still hold what must make room for the target, its own     (only if it must be)
                or what another tenant is about to let go of
    RELEASING   sidecars let go of old generations, to make room for the target       (only if it must be)
    LOADING     hosts load and validate the target's models beside the live ones
    ROUTING     sidecars get the target's clusters, endpoints and routes, Lightbulbs its tables
    RETIRING    the target is active; what was active before stays until no client can hold it
    UNLOADING   sidecars let go of what leaves; hosts keep its models while requests end
    SETTLED     hosts let go too

A publish is withdrawn from WAITING, RELEASING, LOADING or ROUTING: what was active stays so, and what was
added goes the way of RETIRING and UNLOADING.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from controlplane.model import Plan, Platform
from controlplane.rollout.failure import NOBODY_MISSING, Failure, Missing
from lightbulb.model import DEFAULT_TENANT


class Phase(Enum):
    """A step; each waits for the acknowledgements of its consumers."""

    WAITING = "waiting"
    RELEASING = "releasing"
    LOADING = "loading"
    ROUTING = "routing"
    RETIRING = "retiring"
    UNLOADING = "unloading"
    SETTLED = "settled"


UNDER_WAY = frozenset({Phase.WAITING, Phase.RELEASING, Phase.LOADING, Phase.ROUTING})
"""Phases with a target."""

OUTLIVING = frozenset({Phase.RETIRING, Phase.WAITING})
"""Phases that last until clients can't hold what was active before."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Generation:
    """One published, immutable, numbered state of all that is a tenant's.

    Compared by identity: its plan is large.
    """

    number: int
    content_hash: str
    plan: Plan
    tenant: str = DEFAULT_TENANT
    platform: Platform | None = None
    """Of the platform's own generations, which have an empty plan."""
    table_bytes: Sequence[int] = ()
    """Of each of the plan's tables, in that order; empty where nobody has measured them."""
    author: str = ""
    """Who published it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """The state. Numbers are those of generations; `entered` is in seconds of the store's clock.

    `live`: routed and loaded, in the order in which they were last active. `held`: those of `live` that
    clients may hold answers from; `oldest`: that of them which a caller gets whose sidecar isn't known.
    `leaving`: loaded still, routed no more. `fence`: the version at which `active` was last set;
    `desired_version`: the version at which what any consumer should have last changed. `failure` says why the
    newest publish was withdrawn; `passed_over`, whom it went on without. `undone`: generations that were
    rolled back from, the newest mark last; a rollback without a number passes them over. `release`: those of
    `live` that leave to make room for the target once nobody can hold them; of WAITING alone. `awaits`, of
    WAITING too: other tenants' generations that leave by themselves, and take the target's room; until
    `awaits_until`, by the store's clock. `again`: the store lost what nobody knows any more, and consumers
    may need it until the target is active and all old is gone.
    """

    phase: Phase
    entered: float
    active: int = 0
    target: int = 0
    oldest: int = 0
    live: tuple[int, ...] = ()
    held: tuple[int, ...] = ()
    leaving: tuple[int, ...] = ()
    pinned: tuple[int, ...] = ()
    passed_over: Missing = NOBODY_MISSING
    failure: Failure | None = None
    withdrawn: int = 0
    undone: tuple[int, ...] = ()
    release: tuple[int, ...] = ()
    awaits: tuple[int, ...] = ()
    awaits_until: float = 0.0
    fence: int = 0
    desired_version: int = 0
    again: bool = False

    @property
    def newest(self) -> int:
        """The generation that a publish is compared with: the one on its way, else the active one."""
        return self.target or self.active

    @property
    def held_back(self) -> frozenset[int]:
        """Generations that clients may hold answers from, though others have replaced them."""
        return frozenset(self.held) - {self.active}

    @property
    def routed(self) -> tuple[int, ...]:
        """Generations whose keys sidecars and whose tables Lightbulbs have; the last one's VIPs count."""
        return (*self.live, self.target) if self.phase is Phase.ROUTING else self.live

    @property
    def loaded(self) -> tuple[int, ...]:
        """Generations whose models hosts must have; never fewer than are routed."""
        beside = (*self.leaving, *self.live)
        comes = self.phase is Phase.LOADING or self.phase is Phase.ROUTING
        return (*beside, self.target) if comes else beside

    @property
    def needed(self) -> frozenset[int]:
        """Generations whose plans are needed to show all this."""
        return frozenset((*self.loaded, self.target)) - {0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How long is waited, in seconds, for whom, and what is kept.

    `loading`, `routing`: deadlines; to the first is added what new models say that they take to load.
    `unload`: how long hosts keep models that nothing routes to any more. `margin`: added to the longest
    client cache and the longest request before old keys go. `lease`: how long a sidecar or Lightbulb that is
    disconnected is taken to be serving. `reconnect`: how long one is waited for before a step goes on without
    it. `window`: generations that stay loaded for a rollback, beside the active one. `max_unavailable`: the
    share of sidecars and Lightbulbs that ROUTING may pass over once its deadline has passed.
    """

    loading: float = 60.0
    routing: float = 15.0
    unload: float = 10.0
    margin: float = 5.0
    lease: float = 600.0
    reconnect: float = 15.0
    window: int = 2
    max_unavailable: float = 0.1


@dataclass(frozen=True, slots=True)
class Moment:
    """Seconds of the store's clock, and the version that another state will have.

    `led_since`: since when whoever decides has led without a break. Nobody is late for a time before that: in
    it what consumers said may not have been read, and who is disconnected may have had nobody to connect to.
    """

    now: float
    version: int
    led_since: float = 0.0


MAX_LIVE = 256
"""Generations of a tenant that are live or leaving when a publish sets out; what comes then waits.

The store's head, reports and what sidecars are told of have so many numbers and no more. How much is in these
generations `bounds` bounds.
"""

MAX_WINDOW = 7
"""Generations that a window may keep: they stay loaded for good."""

MAX_UNDONE = MAX_LIVE
"""Marks of a rollback that are kept: those of what is live, then the newest."""

MAX_PINNED = 3
"""Pinned generations at once."""
