"""Who is there: what each replica says of its consumers, put together. Pure.

A consumer that is disconnected is remembered: a sidecar that can't reach us goes on routing what it has, a
Lightbulb goes on answering, and a host whose replica ended is about to reconnect. One that said goodbye is
remembered too, but holds nothing up: a trace of it that another replica has is older.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from controlplane.rollout.failure import Refusal
from controlplane.rollout.state import Policy

REPLICA_SECONDS = 4.0
"""A replica that hasn't been heard of for so long has ended, and its consumers look for another."""

HOST_LEASE = 86_400.0
"""A shard whose hosts are all disconnected goes on being sent its requests for so many seconds."""

Address = tuple[str, int]
"""IP address and port."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrears:
    """How a consumer is behind with what one tenant shows; each field as of Consumer."""

    waiting_for: tuple[str, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    unsynced_since: float = 0.0
    refused_of: int = 0

    def late_since(self, at: float) -> Arrears:
        """Return the same, since then."""
        return replace(self, unsynced_since=at) if self.unsynced_since else self


@dataclass(frozen=True, slots=True, kw_only=True)
class Loading:
    """A model that a host is loading, `since` when in seconds of the store's clock.

    `fraction`, from 0 to 1, and `text` are what its own code says; None and empty: it says nothing.
    """

    model: str
    since: float
    fraction: float | None = None
    text: str = ""


IN_STEP = Arrears()

Synced = tuple[int, float]
"""The version of the head that a consumer came into step with, and when, in seconds of the store's clock."""

MAX_REFUSED = 100
"""Refusals of a stream that has ended which are remembered."""

NEVER_SYNCED: Mapping[str, Synced] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumer:
    """One stream of a consumer, as its replica sees it; times in seconds of the store's clock.

    `since`: when it came, or went if it is `disconnected`. `orphaned`: it is gone because its replica ended.
    `synced_since`: when it first had nothing left to acknowledge of what it is shown; 0.0 when it never had.
    `unsynced_since`: since when it owes something or refuses something; 0.0 when it does neither.
    `refused_of`: the newest generation that was routed when it came to refuse what it refuses; 0: nothing.
    `routes`: a sidecar's generations when it was last synced. `loaded`: ids of a host's models.
    """

    id: str
    kind: str
    shard: str = ""
    address: Address | None = None
    waiting_for: tuple[str, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    loaded: frozenset[str] = frozenset()
    routes: tuple[int, ...] = ()
    since: float = 0.0
    synced_since: float = 0.0
    unsynced_since: float = 0.0
    refused_of: int = 0
    disconnected: bool = False
    orphaned: bool = False
    left: bool = False
    """It said goodbye, and serves nobody; it is `disconnected` too."""
    up_to_date: bool = True
    """Its replica shows it the newest version of the rollout."""
    by_tenant: Mapping[str, Arrears] | None = None
    """Tenant -> how it is behind with that one; None: there is one, or it isn't known whose it is."""
    refused_before: tuple[Refusal, ...] = ()
    """What it refused on the stream before, until it has taken all, or refuses again."""
    refused_numbers: tuple[int, ...] = ()
    """The generations that it refused these of, as `refused_of`; of each tenant one."""
    tenants: frozenset[str] | None = None
    """It takes what is of these alone, so that no others wait for it; None: everybody's."""
    unknown: tuple[str, ...] = ()
    """Objectives that it takes and that there aren't, maybe not yet."""
    loading: tuple[Loading, ...] = ()
    """What a host says that it is loading, of what it owes."""
    silent_since: float = 0.0
    """Since when a host's heartbeats are missing, though its stream is open; 0.0: they aren't."""
    disobeys: bool = False
    """A Lightbulb from before there were controls: it answers as the rules alone say."""
    synced_by_tenant: Mapping[str, Synced] = field(default_factory=lambda: NEVER_SYNCED)
    """Of several tenants, those whose rollout waits for it: what `synced_since` is for one."""

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"

    def concerns(self, tenant: str) -> bool:
        """Say whether it takes anything of a tenant."""
        return self.tenants is None or tenant in self.tenants

    def for_tenant(self, tenant: str) -> Consumer:
        """Return it as one tenant's rollout sees it: what it owes and refuses of others doesn't matter."""
        _, synced_since = self.synced_by_tenant.get(tenant, (0, self.synced_since))
        split = self.by_tenant is not None and bool(self.waiting_for or self.refusals)
        if not split and synced_since == self.synced_since:
            return self
        if not split:
            return replace(self, synced_since=synced_since)
        own = (self.by_tenant or {}).get(tenant, IN_STEP)
        if own == self._whole and own.waiting_for and synced_since == self.synced_since:
            return self  # it is behind with that one alone, as all are right after its publish
        return replace(
            self,
            synced_since=synced_since,
            waiting_for=own.waiting_for,
            refusals=own.refusals,
            unsynced_since=own.unsynced_since,
            refused_of=own.refused_of,
            loading=self.loading if own.waiting_for else (),
            refused_before=() if own.refusals else self.refused_before,
            by_tenant=None,
        )

    @property
    def _whole(self) -> Arrears:
        """How it is behind with all that it is shown."""
        return Arrears(
            waiting_for=self.waiting_for,
            refusals=self.refusals,
            unsynced_since=self.unsynced_since,
            refused_of=self.refused_of,
        )

    def unsynced_with(self, tenant: str) -> float:
        """Return the `unsynced_since` that one tenant's rollout sees."""
        if self.by_tenant is None or not (self.waiting_for or self.refusals):
            return self.unsynced_since
        return self.by_tenant.get(tenant, IN_STEP).unsynced_since

    def lost(self, at: float, *, orphaned: bool) -> Consumer:
        """Return what is left of it once its stream has ended."""
        if self.disconnected:
            return self
        return replace(
            self,
            disconnected=True,
            orphaned=orphaned,
            since=at,
            waiting_for=(),
            refusals=(),
            refused_of=0,
            refused_before=self.refusals[:MAX_REFUSED] or self.refused_before,
            refused_numbers=self._refused_numbers() or self.refused_numbers,
            unsynced_since=0.0,
            by_tenant=None,
            loading=(),
            silent_since=0.0,
        )

    def _refused_numbers(self) -> tuple[int, ...]:
        behind = [each.refused_of for each in (self.by_tenant or {}).values()]
        return tuple(sorted({self.refused_of, *behind} - {0}))

    def gone_since(self, at: float, policy: Policy) -> Consumer:
        """Return it as one that went then. A host that is sent no requests by now is sent none again."""
        if self.left:
            return self
        return replace(self, since=at, orphaned=self.there(at, policy))

    def late_since(self, at: float) -> Consumer:
        """Return it as one that owes and refuses what it does since then alone."""
        behind = self.by_tenant
        if not self.unsynced_since and not behind:
            return self
        return replace(
            self,
            unsynced_since=at if self.unsynced_since else 0.0,
            by_tenant=behind and {name: each.late_since(at) for name, each in behind.items()},
        )

    def departed(self, at: float) -> Consumer:
        """Return what is left of it once it has said goodbye.

        If it owed something then, it may have answered as it did before until then: `synced_since` is then.
        """
        lagged = self.disconnected or not self.up_to_date or bool(self.waiting_for or self.refusals)
        known = replace(self, disconnected=False).lost(at, orphaned=False)
        if not lagged:
            return replace(known, left=True)
        return replace(known, left=True, synced_since=at, synced_by_tenant=NEVER_SYNCED)

    def refusal_of(self, refusals: tuple[Refusal, ...], routed: tuple[int, ...]) -> int:
        """Return `refused_of` when it refuses `refusals` of one tenant, whose `routed` are shown.

        What it refused before is refused of that generation still, for as long as it is routed.
        """
        if not refusals or not routed:
            return 0
        # Also on the stream before: a broken sidecar that connects anew has nothing against what is new.
        # By name: who refuses an objective's scope refuses its routes too, in every version of them.
        # A port that is taken meanwhile has to do with no generation.
        now, before = (
            {(each.what, each.reason) for each in one if not each.of_listener}
            for one in (refusals, self.refusals or self.refused_before)
        )
        numbers = (self.refused_of,) if self.refusals else self.refused_numbers
        same = next((number for number in numbers if number in routed), 0)
        return same if same and now <= before else routed[-1]

    def remembered(self, now: float, policy: Policy) -> bool:
        """Say whether it counts though it is gone; hosts do for a day, in case they are all there is."""
        return not self.disconnected or now - self.since < (
            HOST_LEASE if self.kind == "host" and not self.left else policy.lease
        )

    def there(self, now: float, policy: Policy) -> bool:
        """Say whether it is connected, or may be about to reconnect to another replica."""
        return not self.disconnected or (self.orphaned and now - self.since < policy.reconnect)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What one replica knows. `version` of the rollout is what it shows; `heartbeat` in seconds.

    `seen` is the highest version that it or a consumer of its has seen; `generation` the highest number that
    it knows of.
    """

    replica: str
    heartbeat: float
    version: int
    consumers: tuple[Consumer, ...]
    seen: int = 0
    generation: int = 0
    forked: bool = False
    """It has seen other commits than the store has; `seen` is above all of these."""

    def ended(self, now: float) -> bool:
        """Say whether the replica is to be taken for dead."""
        return now - self.heartbeat > REPLICA_SECONDS


def merge(reports: Iterable[Report], version: int, now: float, policy: Policy) -> tuple[Consumer, ...]:
    """Return every stream that counts, and of consumers that have none the latest trace within its lease.

    A host that hangs is out of sight, as if it couldn't be reached.
    """
    found: dict[tuple[str, str], list[Consumer]] = defaultdict(list)
    for report in reports:
        ended, up_to_date = report.ended(now), report.version == version
        for consumer in report.consumers:
            seen = consumer.lost(report.heartbeat, orphaned=True) if ended else consumer
            found[consumer.kind, consumer.id].append(
                seen if seen.up_to_date == up_to_date else replace(seen, up_to_date=up_to_date)
            )
    merged: list[Consumer] = []
    for key in sorted(found):
        entries = found[key]
        streams = _streams(entries) if len(entries) > 1 or entries[0].disconnected else entries
        if not streams:
            latest = max(entries, key=lambda entry: entry.since)
            streams = [latest] if latest.remembered(now, policy) else []
        merged.extend(streams if len(streams) == 1 else sorted(streams, key=lambda each: each.since))
    return tuple(_without_silent(merged))


def _without_silent(consumers: list[Consumer]) -> list[Consumer]:
    """Return silent hosts as disconnected; but for those of shards of which no host is heard.

    That all of a shard hang at once is unlikely: the machine, or a load that they have in common, is slow.
    """
    if not any(each.silent_since for each in consumers):
        return consumers
    heard = {
        each.shard
        for each in consumers
        if each.kind == "host" and not (each.disconnected or each.silent_since)
    }
    return [
        replace(each.lost(each.silent_since, orphaned=False), silent_since=each.silent_since)
        if each.silent_since and each.shard in heard
        else each
        for each in consumers
    ]


def _streams(entries: Iterable[Consumer]) -> list[Consumer]:
    """Return the streams of one consumer; of a host at one address the newest alone.

    The machine of the others has gone down without a word, and come back.
    """
    streams = [entry for entry in entries if not entry.disconnected]
    if len(streams) < 2 or streams[0].kind != "host":
        return streams
    newest = {stream.address: stream for stream in sorted(streams, key=lambda each: each.since)}
    return list(newest.values())


def adopt(ended: Iterable[Report], now: float | None, policy: Policy) -> tuple[Consumer, ...]:
    """Return what is left of the consumers of replicas that ended: disconnected from `now` on.

    None is for "since their replica ended". Without it a control plane that comes back after an outage would
    take everybody for long gone.
    """
    orphans: dict[tuple[str, str], Consumer] = {}
    seen: dict[tuple[str, str], float] = {}
    for report in ended:
        since = report.heartbeat if now is None else now
        for consumer in report.consumers:
            key = consumer.kind, consumer.id
            # When it was last seen decides: who left later, elsewhere, left.
            last = consumer.since if consumer.disconnected else report.heartbeat
            lost = consumer.lost(since, orphaned=True)
            if lost.remembered(since, policy) and last > seen.get(key, -math.inf):
                orphans[key], seen[key] = lost, last
    return tuple(orphans.values())
