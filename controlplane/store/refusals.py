"""What both stores refuse, in the same words."""

from __future__ import annotations

import re

from controlplane.store.contract import Conflict, Fenced, WrongStore

FORMAT = 1
"""Of what is kept. A store of a newer one is refused, not guessed at."""

_CLUSTER = re.compile(r"[A-Za-z0-9._-]{1,64}")


def check_cluster(name: str) -> None:
    """Raise ValueError for a name that can't stand in keys and messages as it is."""
    if not _CLUSTER.fullmatch(name):
        raise ValueError(
            f"{name[:80]!r} can't be a cluster's name; use up to 64 letters, digits and any of . _ -"
        )


def conflict(expected: int, version: int) -> Conflict:
    """Say that somebody else was first."""
    return Conflict(
        f"the rollout is at version {version}, not {expected} any more; read it again, and decide again"
    )


def not_next(number: int, following: int) -> Conflict:
    """Say that an entry would leave a gap in the log, or write over it."""
    return Conflict(f"generation {number} isn't the log's next, which is {following}; read the log again")


def repeated(request_id: str) -> Conflict:
    """Say that a request was carried out, perhaps by a call whose answer was lost."""
    return Conflict(f"request {request_id!r} was carried out already; ask for its outcome")


def fenced(token: int, current: int, holder: str) -> Fenced:
    """Say who leads, to one who doesn't any more."""
    now = f"{holder!r} leads with token {current}" if holder else "nobody holds the lease"
    return Fenced(f"the lease with token {token} has ended: {now}; take it again before the next step")


def other_cluster(place: str, theirs: str, ours: str) -> WrongStore:
    """Say that two clusters are mixed up."""
    return WrongStore(
        f"{place} is the store of cluster {theirs!r}, not of {ours!r}; "
        "correct the cluster's name, or give each cluster a store of its own"
    )


def newer_format(place: str, theirs: str) -> WrongStore:
    """Say that a later version wrote the store."""
    return WrongStore(
        f"{place} has format {theirs}, and this version knows up to {FORMAT}; run the version that wrote it"
    )
