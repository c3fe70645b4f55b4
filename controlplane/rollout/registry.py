"""Who is there: what each replica says of its consumers, put together. Pure.

A consumer that is out of sight is remembered: a sidecar that can't reach us goes on routing what it has, a
Lightbulb goes on answering, and a host whose replica ended is about to reconnect.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from controlplane.rollout.state import Policy

NOTHING: Mapping[str, str] = MappingProxyType({})

REPLICA_SECONDS = 4.0
"""A replica that hasn't been heard of for so long has ended, and its consumers look for another."""

Address = tuple[str, int]
"""IP address and port."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumer:
    """One stream of a consumer, as its replica sees it; times in seconds of the store's clock.

    `since`: when it came, or went if it is `gone`. `orphaned`: it is gone because its replica ended.
    `in_step_since`: when it last had nothing left to acknowledge; 0.0 while it has. `routes`: a sidecar's
    generations when it was last in step. `loaded`: ids of a host's models.
    """

    id: str
    kind: str
    shard: str = ""
    address: Address | None = None
    waiting_for: tuple[str, ...] = ()
    rejected: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    loaded: frozenset[str] = frozenset()
    routes: tuple[int, ...] = ()
    since: float = 0.0
    in_step_since: float = 0.0
    gone: bool = False
    orphaned: bool = False
    shown: bool = True
    """Its replica shows it the newest version of the rollout."""

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"

    def lost(self, at: float, *, orphaned: bool) -> Consumer:
        """Return what is left of it once its stream has ended."""
        if self.gone:
            return self
        return replace(self, gone=True, orphaned=orphaned, since=at, waiting_for=(), rejected=NOTHING)

    def there(self, now: float, policy: Policy) -> bool:
        """Say whether it is connected, or may be about to reconnect to another replica."""
        return not self.gone or (self.orphaned and now - self.since < policy.reconnect)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What one replica knows. `version` of the rollout is what it shows; `heartbeat` in seconds."""

    replica: str
    heartbeat: float
    version: int
    consumers: tuple[Consumer, ...]

    def ended(self, now: float) -> bool:
        """Say whether the replica is to be taken for dead."""
        return now - self.heartbeat > REPLICA_SECONDS


def merge(reports: Iterable[Report], version: int, now: float, policy: Policy) -> tuple[Consumer, ...]:
    """Return every consumer once: its streams if it has any, else the latest trace of it within its lease."""
    found: dict[tuple[str, str], list[Consumer]] = defaultdict(list)
    for report in reports:
        ended, shown = report.ended(now), report.version == version
        for consumer in report.consumers:
            seen = consumer.lost(report.heartbeat, orphaned=True) if ended else consumer
            found[consumer.kind, consumer.id].append(
                seen if seen.shown == shown else replace(seen, shown=shown)
            )
    merged: list[Consumer] = []
    for entries in found.values():
        streams = [entry for entry in entries if not entry.gone]
        if not streams:
            latest = max(entries, key=lambda entry: entry.since)
            streams = [latest] if now - latest.since < policy.lease else []
        merged.extend(streams)
    return tuple(sorted(merged, key=lambda each: (each.kind, each.id, each.since)))


def adopt(
    own: Iterable[Consumer], ended: Iterable[Report], now: float, policy: Policy
) -> tuple[Consumer, ...]:
    """Return `own` and what is left of the consumers of replicas that ended, from now on out of sight.

    Without it a control plane that comes back after an outage would take everybody for long gone.
    """
    known = {(consumer.kind, consumer.id) for consumer in own}
    orphans = {
        (consumer.kind, consumer.id): consumer.lost(now, orphaned=True)
        for report in ended
        for consumer in report.consumers
        if not consumer.gone or now - consumer.since < policy.lease
    }
    return (*own, *(orphan for key, orphan in orphans.items() if key not in known))
