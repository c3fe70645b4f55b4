"""What operators decided about objectives: values, kept in the store's head beside the rollouts.

A control is never a generation: it is laid over whichever generation is active.

    STARTING    sidecars get the routes that count its arms; Lightbulbs know nothing of it yet. A guard of
                agreement keeps it there until enough answers were compared
    RUNNING     Lightbulbs shift its share of the users; the next step comes by itself, if there is one
    HELD        the same share, until somebody says so
    FINISHED    all users, until the rules say so themselves
    ABORTING    no user; Lightbulbs are told
    CLEARING    no Lightbulb hands out its key any more; sidecars refuse it while clients may still hold it
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from types import MappingProxyType

from controlplane.lifecycle.guards import Guards
from lightbulb.model import BASIS_POINTS, DEFAULT_TENANT, Source

MAX_STEPS = 20
"""Steps of a schedule."""

MAX_CONTROLS = 1_000
"""Objectives with a control at once: the store's head has them all."""

MAX_EVERY = 30 * 86_400.0
"""Seconds from one step to the next."""

MAX_WHY = 500
"""Characters of a note that is kept."""


class ShiftState(Enum):
    """Where a shift stands."""

    STARTING = "starting"
    RUNNING = "running"
    HELD = "held"
    FINISHED = "finished"
    ABORTING = "aborting"
    CLEARING = "clearing"


SHIFTING = frozenset({ShiftState.RUNNING, ShiftState.HELD, ShiftState.FINISHED})
"""States in which users are shifted."""

ENDING = frozenset({ShiftState.ABORTING, ShiftState.CLEARING})
"""States from which no user is ever shifted again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """A share of an objective's users who get `key` in place of `default_key`, in steps.

    `number` is the version of the head that it began with. `steps` are basis points that rise, and `at` is
    the one that it stands at; `every` is how many seconds each lasts at least (0.0: by hand alone).
    `entered`: when it came to its state or step; `in_force`: when every Lightbulb had acknowledged that, or
    of CLEARING every sidecar (0.0: not yet), both in seconds of the store's clock. `generation` is the active
    one that it was last looked at with, and `table` the hash of the objective's table in it. `why` says what
    brought it to where it stands. `until`: of CLEARING, when no client can hold its key any more; `refused`:
    sidecars refuse it until then, since nothing else leads to it. `guards` may undo it. `rule`: the one that
    it began by, in a generation that `author` published; None: an operator began it.
    """

    number: int
    key: str
    default_key: str
    salt: str
    steps: tuple[int, ...]
    generation: int
    table: str
    entered: float
    every: float = 0.0
    at: int = 0
    in_force: float = 0.0
    state: ShiftState = ShiftState.STARTING
    author: str = ""
    why: str = ""
    until: float = 0.0
    refused: bool = False
    guards: Guards = field(default=Guards())
    rule: Source | None = None

    @property
    def basis_points(self) -> int:
        """The share of the users who are shifted, in its state."""
        if self.state is ShiftState.FINISHED:
            return BASIS_POINTS
        return self.steps[self.at] if self.state in SHIFTING else 0

    @property
    def next_step(self) -> int | None:
        """The basis points of the step after this one; None at the last."""
        return self.steps[self.at + 1] if self.at + 1 < len(self.steps) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """What is decided about one objective, which is the tenant's.

    `version`: that of the head which last changed what anybody is shown of it.
    """

    objective: str
    shift: Shift
    tenant: str = DEFAULT_TENANT
    version: int = 0


Controls = Mapping[str, Control]
"""By objective, sorted."""

NO_CONTROLS: Controls = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldBack:
    """One objective of a tenant that is answered from generation `answer_from`, though another is active.

    `rejected` was active then, and `table` is the hash of the objective's table in it, which is rejected in
    every generation that has it. `pins`: `answer_from` is pinned for this alone. `version` is as of Control.
    `until`: it is over, and clients may hold answers from `answer_from` up to then (0.0: it isn't over).
    """

    objective: str
    tenant: str = DEFAULT_TENANT
    version: int
    rejected: int
    table: str
    answer_from: int
    pins: bool
    entered: float
    author: str = ""
    why: str = ""
    until: float = 0.0


HoldBacks = Mapping[str, HoldBack]
"""By objective, sorted."""

NO_HOLD_BACKS: HoldBacks = MappingProxyType({})


MAX_TABLES = 8
"""Tables of an objective whose own shift was begun, that are remembered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """Which tables of a tenant's objective had their own shift begun, or passed over: none does so again.

    `tables` are hashes, the newest last. `waits`: the last of them can't begin yet.
    """

    objective: str
    tenant: str = DEFAULT_TENANT
    tables: tuple[str, ...]
    waits: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDefault:
    """A tenant's objective whose default is judged, since another table of it became active.

    `number` is the version of the head that it began with; 0: it hasn't yet. The requests with `key`, the
    default's, are counted. `table` is the hash of the objective's table, and `generation` the active one that
    it is new in, which `author` published, and `rule` says so. It is judged by `guards` up to `until`, by the
    store's clock, or until another table is active.
    """

    objective: str
    tenant: str = DEFAULT_TENANT
    number: int = 0
    key: str
    generation: int
    table: str
    guards: Guards
    entered: float
    until: float
    rule: Source
    author: str = ""


NewDefaults = Mapping[str, NewDefault]
"""By objective, sorted."""

NO_NEW_DEFAULTS: NewDefaults = MappingProxyType({})


AllBegun = Mapping[str, Begun]
"""By objective, sorted."""

NOTHING_BEGUN: AllBegun = MappingProxyType({})


def clock(seconds: float) -> str:
    """Return the time of day, in UTC."""
    return f"{datetime.fromtimestamp(seconds, UTC):%H:%M:%S} UTC"


def percent(basis_points: int) -> str:
    """Return basis points as people write them: 25 %, 0.5 %."""
    return f"{basis_points / 100:g} %"


def stands(shift: Shift) -> str:
    """Return the state of a shift as people call it."""
    if shift.state is ShiftState.CLEARING:
        return f"aborted, and over at {clock(shift.until)}"
    return str(shift.state.value)
