"""Who refuses what, who is waited for, and why a generation was withdrawn: values. Pure.

They stay values from the registry to the API and the screen; `str()` gives the text that people read. What is
kept in the store is bounded, in count and in characters, and printable, whatever a consumer calls itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

from lightbulb.ads.values import LISTENER, LISTENER_NAME

MAX_LISTED = 10
"""Consumers that a text names, and that a Missing holds."""

MAX_NAME = 200
"""Characters of a name that is kept or shown."""

MAX_REASON = 500
"""Characters of a reason that is kept or shown."""


def listed(names: Sequence[str], more: int = 0) -> str:
    """Return names for people to read, and how many `more` there are: a thousand would tell less."""
    more += max(0, len(names) - MAX_LISTED)
    return "; ".join(names[:MAX_LISTED]) + (f"; and {more} more" if more else "")


def printable(text: str, limit: int) -> str:
    """Return a text that others wrote as one line of at most `limit` characters, harmless to a terminal."""
    line = "".join(each if each.isprintable() else "?" for each in text[:limit])
    return f"{line[: limit - 1]}…" if len(text) > limit else line


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Refusal:
    """A consumer can't use a resource. `resource_type` is a type URL, empty when it isn't known.

    `resource` is empty for a refusal of all that was sent of the type.
    """

    consumer_kind: str
    consumer_id: str
    resource_type: str = ""
    resource: str = ""
    reason: str = ""

    @property
    def what(self) -> str:
        """The resource's name, or else its type."""
        return self.resource or self.resource_type

    @property
    def of_listener(self) -> bool:
        """Whether a sidecar can't listen, say because its port is taken: no publish can mend that."""
        return self.resource_type == LISTENER or (not self.resource_type and self.resource == LISTENER_NAME)

    def __str__(self) -> str:
        return f"{self.consumer_kind} {self.consumer_id}: {self.what}: {self.reason}"

    def bounded(self) -> Refusal:
        """Return it as it may be kept and shown."""
        return Refusal(
            consumer_kind=printable(self.consumer_kind, MAX_NAME),
            consumer_id=printable(self.consumer_id, MAX_NAME),
            resource_type=printable(self.resource_type, MAX_NAME),
            resource=printable(self.resource, MAX_NAME),
            reason=printable(self.reason, MAX_REASON),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Laggard:
    """A consumer whose acknowledgement of `resource_types` (type URLs) is waited for.

    Without an id: any host of `shard`, which has none. `resource_types` is empty when what it owes isn't
    known, as of one that is disconnected.
    """

    consumer_kind: str
    consumer_id: str = ""
    shard: str = ""
    resource_types: tuple[str, ...] = ()
    disconnected: bool = False

    def __str__(self) -> str:
        if not self.consumer_id:
            return f"a {self.consumer_kind} for shard {self.shard}"
        return f"{self.consumer_kind} {self.consumer_id}" + (" (disconnected)" if self.disconnected else "")

    def bounded(self) -> Laggard:
        """Return it as it may be kept and shown."""
        return replace(
            self,
            consumer_kind=printable(self.consumer_kind, MAX_NAME),
            consumer_id=printable(self.consumer_id, MAX_NAME),
            shard=printable(self.shard, MAX_NAME),
            resource_types=tuple(printable(each, MAX_NAME) for each in self.resource_types[:MAX_LISTED]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """Whose acknowledgements are missing: at most MAX_LISTED of them, and how many `more`.

    `told` is what a control plane wrote that knew texts alone; the rest is empty then.
    """

    refusals: tuple[Refusal, ...] = ()
    laggards: tuple[Laggard, ...] = ()
    more: int = 0
    told: str = ""

    def __bool__(self) -> bool:
        return bool(self.refusals or self.laggards or self.more or self.told)

    def __str__(self) -> str:
        # What is refused as two types, a route and its scope say, reads the same.
        texts = dict.fromkeys(str(each) for each in (*self.refusals, *self.laggards))
        return self.told or listed(tuple(texts), self.more)


NOBODY_MISSING = Missing()

WITHOUT = "went on without "
"""Begins the text that says whom a publish went on without."""


def missing(refusals: Sequence[Refusal] = (), laggards: Sequence[Laggard] = ()) -> Missing:
    """Return the first of those whose acknowledgements are missing, and how many more there are."""
    room = max(0, MAX_LISTED - len(refusals))
    return Missing(
        refusals=tuple(each.bounded() for each in refusals[:MAX_LISTED]),
        laggards=tuple(each.bounded() for each in laggards[:room]),
        more=max(0, len(refusals) + len(laggards) - MAX_LISTED),
    )


def without(passed_over: Missing) -> str:
    """Return whom a publish went on without, as people read it; empty when it waited for everybody."""
    return f"{WITHOUT}{passed_over}" if passed_over else ""


class FailureKind(Enum):
    """Why a generation was withdrawn. The numbers are those of protos/lightbulb/v1/failure.proto."""

    TOLD = 0
    """An older control plane withdrew it, and kept a text alone."""

    REFUSED = 1
    DEADLINE = 2
    SUPERSEDED = 3
    OVERTAKEN = 4
    NO_ROOM = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a generation was withdrawn.

    REFUSED: `missing` refuse it. DEADLINE: `missing` had not acknowledged it after `seconds`. SUPERSEDED: by
    generation `by`, which was published, or to which somebody rolled back (`rollback`). OVERTAKEN: it was to
    take an objective from another tenant, whose generation `by` is active now, and has it otherwise, or isn't
    everywhere; or who has taken the offer back. NO_ROOM: it waited for room that another tenant's generation
    `by` takes, which stays, or didn't leave in time.
    """

    kind: FailureKind
    missing: Missing = NOBODY_MISSING
    seconds: float = 0.0
    by: int = 0
    rollback: bool = False

    def __str__(self) -> str:
        match self.kind:
            case FailureKind.REFUSED:
                return f"refused: {self.missing}"
            case FailureKind.DEADLINE:
                return f"waiting for {self.missing} for more than {self.seconds:g} s"
            case FailureKind.SUPERSEDED:
                return f"superseded by {'the rollback to ' if self.rollback else ''}generation {self.by}"
            case FailureKind.OVERTAKEN:
                return (
                    "what it was to take is offered no more, or its owner changed it meanwhile with "
                    f"generation {self.by}; see `lightbulb status`, then take it again"
                )
            case FailureKind.NO_ROOM:
                return (
                    f"there was no room beside generation {self.by} of another tenant, which stays, or "
                    "didn't leave in time; see `lightbulb status`, then publish again"
                )
            case FailureKind.TOLD:
                return self.missing.told


def superseded(by: int, *, rollback: bool = False) -> Failure:
    """Return the failure of a generation that another took the place of."""
    return Failure(kind=FailureKind.SUPERSEDED, by=by, rollback=rollback)
