"""Shadows: models that get copies of an objective's requests, and whose answers nobody waits for. Values.

Up to four an objective, on the same requests: who gets a smaller share gets a part of what the others get.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from lightbulb.model import DEFAULT_TENANT

MAX_SHADOWS = 4
"""Of one objective at once."""

MAX_SHADOWED = 1_000
"""Objectives with shadows at once: the store's head has them all."""

MAX_PAIRS = 1_000_000_000
MAX_LASTS = 30 * 86_400.0
"""Answers, and seconds, that a shadow may end after."""

LEAST_BODY, DEFAULT_BODY, MAX_BODY = 1024, 1024 * 1024, 16 * 1024 * 1024
"""Bytes of a request's body up to which it is copied."""

MAX_PARAMETERS = 4096
"""Characters of the parameters that are sent along with a copy: they are a header."""

PAYLOAD_BUDGET = 64 * 1024 * 1024
"""Bytes of bodies that one sidecar holds for one shadow at most."""

MOST_COPIES = 256
"""Copies of one shadow under way at one sidecar, however small they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Copies:
    """What became of a shadow's copies, as sidecars counted it.

    `answered`, with whatever status; `shed`, since too many were under way; `too_large` to be copied; `late`:
    not answered in time; `failed`: the host couldn't be reached, or broke off.
    """

    answered: int = 0
    shed: int = 0
    too_large: int = 0
    late: int = 0
    failed: int = 0

    def __add__(self, other: Copies) -> Copies:
        return Copies(
            answered=self.answered + other.answered,
            shed=self.shed + other.shed,
            too_large=self.too_large + other.too_large,
            late=self.late + other.late,
            failed=self.failed + other.failed,
        )

    @property
    def sent(self) -> int:
        """All that are over."""
        return self.answered + self.shed + self.too_large + self.late + self.failed


NO_COPIES = Copies()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """When a shadow ends by itself: after so many answered pairs, or seconds; 0: not so."""

    pairs: int = 0
    lasts: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shadow:
    """A model that gets copies of so many basis points of the requests.

    `number` is the version of the head that it was started with, and `part` tells those of one version apart.
    `is_noise`: it is the primary's own model again, so that one learns how much two equals differ.
    `max_body`: larger requests, in bytes, have no copy. It ends by itself after so many answered `pairs`, or
    at `until` (0: not so). `in_force`: when all sidecars had acknowledged what is shown of it (0.0: not yet).
    `stopped`: it gets no copies; sidecars are told. `parameters` is JSON: its own where the primary's, which
    a request has, are others; null: it has none.
    """

    number: int
    key: str
    basis_points: int
    entered: float
    part: int = 0
    is_noise: bool = False
    max_body: int = DEFAULT_BODY
    pairs: int = 0
    until: float = 0.0
    in_force: float = 0.0
    stopped: bool = False
    parameters: str = ""
    author: str = ""
    why: str = ""

    @property
    def id(self) -> str:
        """What tells it from every other: 17, or 17n for the noise floor that was started with it."""
        part = f"-{self.part}" if self.part else ""
        return f"{self.number}{part}{'n' if self.is_noise else ''}"

    @property
    def most_copies(self) -> int:
        """How many may be under way at one sidecar."""
        return max(1, min(MOST_COPIES, PAYLOAD_BUDGET // self.max_body))


@dataclass(frozen=True, slots=True, kw_only=True)
class Shadowed:
    """The shadows of one objective, which is the tenant's.

    `primary` is the routing key whose requests are copied: that of whoever no rule is meant for. `deadline`:
    how many seconds callers wait; 0: for ever. `version`: that of the head which last changed what is shown.
    """

    objective: str
    primary: str
    deadline: float
    shadows: tuple[Shadow, ...] = field(default=())
    tenant: str = DEFAULT_TENANT
    version: int = 0

    @property
    def standing(self) -> tuple[Shadow, ...]:
        """Those that weren't stopped."""
        return tuple(each for each in self.shadows if not each.stopped)


ByObjective = Mapping[str, Shadowed]
"""Sorted."""

NOTHING_SHADOWED: ByObjective = MappingProxyType({})
