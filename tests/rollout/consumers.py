"""Consumers that take, refuse, lag, go and come back, and the replicas that see them; for properties.

In lockstep and without a protocol: a stream shows a consumer what its replica knows, part by part, and the
consumer acknowledges or refuses what it takes. What a replica makes of that is what `ConsumerTracker` does.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from controlplane.model import RoutingRule
from controlplane.replica.standing import LanesShown, synced_by_tenant
from controlplane.rollout.desired_state import (
    DesiredState,
    Generations,
    desired_state,
    ready_addresses,
    sidecar_states,
)
from controlplane.rollout.failure import Refusal
from controlplane.rollout.lanes import NO_LANES, Lanes
from controlplane.rollout.registry import Address, Arrears, Consumer, Report, adopt, merge
from controlplane.rollout.state import Policy
from lightbulb.model import DEFAULT_TENANT

STORE = "store"
TENANTS = {DEFAULT_TENANT: "o", "other": "p"}
"""Tenant -> its objective."""

PARTS = {
    "host": ("models",),
    "sidecar": tuple(f"routes {tenant}" for tenant in TENANTS),
    "lightbulb": (
        *(f"tables {tenant}" for tenant in TENANTS),
        "states",
        *(f"active {tenant}" for tenant in TENANTS),
    ),
}
"""In the order in which they are sent; a Lightbulb is told what is active once it has what that needs."""

Shown = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Refused:
    """What of a part was refused: the value that was sent, and the names of resources."""

    value: Any
    names: frozenset[str]


@dataclass(slots=True, kw_only=True, eq=False)
class Fake:
    """A host, a sidecar or a Lightbulb: what it works with, and what its stream has said.

    `refuses` are contents (of `Company`) that it can't use. `gone_at`: since when nobody sees it.
    """

    id: str
    kind: str
    shard: str = ""
    address: Address | None = None
    replica: str = ""
    gone_at: float | None = None
    stalled: bool = False
    lapsed: bool = True
    """It was away, or silent, for so long that nobody waits for it; or it never had anything."""
    refuses: set[int] = field(default_factory=set)
    has: dict[str, Any] = field(default_factory=dict)
    acked: dict[str, Any] = field(default_factory=dict)
    refused: dict[str, Refused] = field(default_factory=dict)

    def connect(self, replica: str) -> None:
        """Open a stream, which names what is held already."""
        self.replica, self.gone_at = replica, None
        self.acked, self.refused = dict(self.has), {}

    def owed(self, shown: Shown) -> tuple[str, ...]:
        """Parts of `shown` that its stream has neither acknowledged nor refused."""
        return tuple(
            part
            for part in shown
            if self.acked.get(part) != shown[part]
            and (part not in self.refused or self.refused[part].value != shown[part])
        )

    def take(self, part: str, shown: Shown) -> None:
        """Answer for one part: use it, or say what of it can't be used."""
        value = shown[part]
        held = {model.id for model in self.has.get("models", ())}  # what is loaded can be used
        bad = frozenset(name for number in self.refuses for name in _named(part, value, number)) - held
        if not bad or part == "models":
            usable = [model for model in value if model.id not in bad] if part == "models" else value
            self.has[part] = tuple(usable) if part == "models" else usable
            self.acked[part] = value
        self.refused.pop(part, None)
        if bad:
            self.refused[part] = Refused(value, bad)

    def refusals(self, shown: Shown) -> tuple[Refusal, ...]:
        """What it refuses of `shown`."""
        return tuple(
            Refusal(consumer_kind=self.kind, consumer_id=self.id, resource=name, reason="can't be used")
            for part, refused in self.refused.items()
            if part in shown and refused.value == shown[part]
            for name in sorted(refused.names)
        )


def _named(part: str, value: Any, number: int) -> list[str]:
    """The resources of a part that have the content `number` in them."""
    match part.split():
        case ["models"]:
            return [model.id for model in value if model.id == f"m@{number}"]
        case ["routes", tenant]:
            name = TENANTS[tenant]
            return [name] if any(rule.key == f"{name}|m|{number}" for rule in value[0]) else []
        case ["tables", tenant]:
            held = [entry.table for tables in value for entry in tables.tables if entry.table is not None]
            return [TENANTS[tenant]] if any(table.input_type == str(number) for table in held) else []
    return []


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """Everybody, what the replicas report, and when this is looked at."""

    fakes: Mapping[str, Fake]
    reports: Mapping[str, Report]
    now: float
    policy: Policy


@dataclass(slots=True, kw_only=True, eq=False)
class Replica:
    """Shows its streams what follows from the head that it has read, and notes what they say."""

    name: str
    ended: bool = False
    heartbeat: float = 0.0
    version: int = 0
    lanes: Lanes = NO_LANES
    desired: DesiredState | None = None
    addresses: Mapping[str, tuple[Address, ...]] = field(default_factory=dict)
    states: Mapping[str, object] = field(default_factory=dict)
    everybody: tuple[Consumer, ...] = ()
    streams: dict[str, Consumer] = field(default_factory=dict)
    gone: dict[str, Consumer] = field(default_factory=dict)
    synced: dict[str, object] = field(default_factory=dict)

    def begin(self, reports: Mapping[str, Report], now: float, policy: Policy) -> None:
        """Start, perhaps again: remember the consumers of the life before."""
        self.ended, self.heartbeat = False, now
        self.streams, self.gone, self.synced = {}, {}, {}
        others = [report for name, report in reports.items() if name != self.name]
        mine = [reports[self.name]] if self.name in reports else []
        alone = all(report.ended(now) for report in others)
        orphans = adopt([*others, *mine], now, policy) if alone else adopt(mine, None, policy)
        self.gone = {each.id: each for each in orphans}

    def shown(self, fake: Fake) -> Shown | None:
        """What a consumer should have; None when there is nothing to show to it yet."""
        desired = self.desired
        if desired is None:
            return None
        if fake.kind == "host":
            return {"models": desired.models.get(fake.shard, ())}
        if fake.kind == "sidecar":
            routes = {
                f"routes {tenant}": (rules, self._addresses(rules)) for tenant, rules in desired.rules.items()
            }
            return routes if any(desired.rules.values()) else None
        if not any(desired.tables.values()):
            return None
        tables = {f"tables {tenant}": own for tenant, own in desired.tables.items()}
        active = {f"active {tenant}": own for tenant, own in desired.active.items()}
        return tables | {"states": self.states} | active

    def _addresses(self, rules: Iterable[RoutingRule]) -> Mapping[str, tuple[Address, ...]]:
        return {rule.vip: self.addresses[rule.vip] for rule in rules}

    def may_take(self, fake: Fake, part: str) -> bool:
        """Say whether a part is on its way to a consumer: the generation waits for what comes before."""
        shown = self.shown(fake) or {}
        owed = fake.owed(shown)
        before = [each for each in owed if not each.startswith("active")]
        return part in owed and not (part.startswith("active") and before)

    def lose(self, fake: Fake, now: float, *, in_order: bool = False) -> None:
        """Note that a stream has ended; `in_order` with a goodbye."""
        self.synced.pop(fake.id, None)
        if fake.id in self.streams:
            stream = self.streams.pop(fake.id)
            self.gone[fake.id] = stream.departed(now) if in_order else stream.lost(now, orphaned=False)

    def read(self, head: tuple[int, Lanes], generations: Generations, sight: Sight) -> None:
        """Take the store's head, and show what follows from it and from what everybody said so far."""
        self._look(sight)
        before = self.lanes
        self.version, self.lanes = head
        if not self.lanes.rollouts:
            return
        if self.lanes is not before:
            self.desired = desired_state(self.lanes, generations, STORE)
        assert self.desired is not None
        self.addresses = ready_addresses(self.desired, self.everybody, sight.now, sight.policy)
        self.states = sidecar_states(self.lanes, self.everybody)
        self._look(sight)

    def report(self) -> Report:
        """What it tells the others."""
        consumers = (*self.streams.values(), *self.gone.values())
        return Report(replica=self.name, heartbeat=self.heartbeat, version=self.version, consumers=consumers)

    def _look(self, sight: Sight) -> None:
        now, policy = sight.now, sight.policy
        lanes = LanesShown(self.lanes)
        for fake in sight.fakes.values():
            if fake.replica == self.name:
                known = self.streams.get(fake.id) or self._newcomer(fake, now)
                self.streams[fake.id] = self._consumer(fake, known, lanes, now)
        self.gone = {name: each for name, each in self.gone.items() if each.remembered(now, policy)}
        others = [report for name, report in sight.reports.items() if name != self.name]
        self.everybody = merge([replace(self.report(), heartbeat=now), *others], self.version, now, policy)

    def _newcomer(self, fake: Fake, now: float) -> Consumer:
        here = self.gone.pop(fake.id, None)
        traces = [each for each in (here, *self.everybody) if each is not None and each.id == fake.id]
        routes = max(traces, key=lambda each: each.since).routes if traces else ()
        return Consumer(
            id=fake.id, kind=fake.kind, shard=fake.shard, address=fake.address, routes=routes, since=now
        )

    def _consumer(self, fake: Fake, known: Consumer, lanes: LanesShown, now: float) -> Consumer:
        shown = self.shown(fake)
        waiting_for = fake.owed(shown) if shown is not None else ()
        refusals = fake.refusals(shown) if shown is not None else ()
        synced = shown is not None and not waiting_for
        first = synced and self.synced.get(fake.id) != (shown, lanes.routed)
        if synced:
            self.synced[fake.id] = (shown, lanes.routed)
        behind = self._arrears(known, waiting_for, refusals, now) if shown is not None else {}
        routes = (
            lanes.routes_of(known, behind) if shown is not None and fake.kind == "sidecar" else known.routes
        )
        return _as_seen(
            known,
            waiting_for=waiting_for,
            refusals=refusals,
            loaded=frozenset(model.id for model in fake.has.get("models", ())),
            synced_since=now if first else known.synced_since,
            unsynced_since=(known.unsynced_since or now) if waiting_for or refusals else 0.0,
            routes=routes,
            by_tenant=behind or None,
            synced_by_tenant=synced_by_tenant(known, lanes, behind, now) if shown is not None else {},
        )

    def _arrears(
        self, known: Consumer, owed: Iterable[str], refusals: Iterable[Refusal], now: float
    ) -> Mapping[str, Arrears]:
        """How a consumer is behind with each tenant; what is told by no name is each one's."""
        found = {}
        for tenant, rollout in self.lanes:
            waiting = tuple(part for part in owed if tenant in _tenants_of(part))
            refused = tuple(each for each in refusals if tenant in _tenants_of_resource(each.resource))
            if waiting or refused:
                before = known.for_tenant(tenant)
                assert known.unsynced_with(tenant) == before.unsynced_since
                found[tenant] = Arrears(
                    waiting_for=waiting,
                    refusals=refused,
                    unsynced_since=before.unsynced_since or now,
                    refused_of=before.refusal_of(refused, rollout.routed),
                )
        return found


def _as_seen(known: Consumer, **now: Any) -> Consumer:
    """Return `known` with what is seen of it now: the same value where there is no news, as in most looks."""
    return replace(known, **now) if any(getattr(known, name) != now[name] for name in now) else known


def _tenants_of(part: str) -> tuple[str, ...]:
    """Whose a part is. Sidecars' states are nobody's in particular; models may be everybody's."""
    _, _, tenant = part.partition(" ")
    return (tenant,) if tenant else tuple(TENANTS)


def _tenants_of_resource(name: str) -> tuple[str, ...]:
    return tuple(tenant for tenant, objective in TENANTS.items() if objective == name) or tuple(TENANTS)
