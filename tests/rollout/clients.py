"""What clients are answered, and whether it works wherever they take it; for properties.

Every client asks all the time, keeps what it was told for as long as it may, and sends requests all the time.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from controlplane.rollout.desired_state import Generations
from controlplane.rollout.lanes import Lanes
from lightbulb.errors import Unavailable
from lightbulb.model import ObjectiveTable, ObjectiveTables
from lightbulb.tables.values import Tables
from tests.rollout.consumers import TENANTS, Fake, Replica
from tests.rollout.rollouts import KEEP_OLD
from tests.rollout.rollouts import POLICY as STRICT

POLICY = replace(STRICT, max_unavailable=0.3)
"""One of the five sidecars and Lightbulbs may be passed over."""

CACHED = KEEP_OLD - POLICY.margin
"""Seconds for which a client may use what it was answered."""


class Clients:
    """Those of every sidecar, who ask every Lightbulb.

    A Lightbulb or sidecar that was silent for longer than its lease has lapsed: nobody answers for it until
    it is in step again.
    """

    def __init__(
        self, fakes: Mapping[str, Fake], replicas: Mapping[str, Replica], seen: Counter[str]
    ) -> None:
        self.fakes = fakes
        self.replicas = replicas
        self.seen = seen
        self.answered: dict[tuple[str, int], float] = {}
        """Sidecar and generation -> when its clients were last answered from that."""

    def ask(self, now: float, head: tuple[int, Lanes], generations: Generations) -> None:
        """Note what every client is answered now."""
        for fake in self.fakes.values():
            self._note_presence(fake, head, now)
        for lightbulb in self.fakes.values():
            if lightbulb.kind != "lightbulb" or lightbulb.lapsed:
                continue
            since = self._silent_since(lightbulb)
            until = now if since is None else min(now, since + POLICY.lease - CACHED)
            for sidecar in self.fakes.values():
                for tenant in TENANTS if sidecar.kind == "sidecar" else ():
                    if f"active {tenant}" in lightbulb.has:
                        self._answer(lightbulb, sidecar, tenant, until, generations)

    def check(self, now: float, lanes: Lanes, generations: Generations) -> None:
        """What a client may hold works: its sidecar routes it, to hosts that have it loaded."""
        for (name, number), last in self.answered.items():
            if now - last >= CACHED:
                continue
            sidecar = self.fakes[name]
            rollout = lanes.of(generations[number].tenant)
            assert rollout is not None
            assert number in rollout.held, "clients may hold what isn't held"
            if sidecar.lapsed:
                continue
            rules, addresses = sidecar.has[f"routes {generations[number].tenant}"]
            vips = {rule.key: rule.vip for rule in rules}
            for rule in generations[number].plan.routes:
                assert rule.key in vips, f"{name} doesn't route {rule.key} of {number}"
                assert addresses[vips[rule.key]], f"{name} knows no host for {rule.key} of {number}"
                self._check_hosts(rule.key, addresses[vips[rule.key]])

    def _check_hosts(self, key: str, addresses: tuple[object, ...]) -> None:
        name, version = key.split("|")[1:]
        for fake in self.fakes.values():
            if fake.address in addresses:
                loaded = {model.id for model in fake.has["models"]}
                assert f"{name}@{version}" in loaded, f"{fake.id} is sent requests for {key}"

    def _answer(
        self, lightbulb: Fake, sidecar: Fake, tenant: str, until: float, generations: Generations
    ) -> None:
        number = answers_from(lightbulb, sidecar, tenant)
        if number is None:
            self.seen["a sidecar that routes nothing that is live"] += 1
            return
        self.seen["an answer from an older generation"] += number != lightbulb.has[f"active {tenant}"].number
        if lightbulb.refused:
            return  # it is broken, and says so
        (told,) = lightbulb.has[f"tables {tenant}"]
        assert table_in(told, number) is generations[number].plan.tables[0], "answered from another"
        if sidecar.lapsed:
            return
        last = self.answered.get((sidecar.id, number), 0.0)
        self.answered[sidecar.id, number] = max(last, until)

    def _silent_since(self, fake: Fake) -> float | None:
        """Since when it is gone, or owes or refuses something; None when it does neither."""
        if not fake.replica:
            return fake.gone_at
        stream = self.replicas[fake.replica].streams.get(fake.id)
        return stream.unsynced_since or None if stream is not None else None

    def _note_presence(self, fake: Fake, head: tuple[int, Lanes], now: float) -> None:
        since = self._silent_since(fake)
        if since is not None and now - since >= POLICY.lease and not fake.lapsed:
            fake.lapsed = True
            self.seen["connected, and silent past its lease" if fake.replica else "gone past its lease"] += 1
        if fake.lapsed and self._is_back(fake, *head):
            fake.lapsed = False

    def _is_back(self, fake: Fake, version: int, lanes: Lanes) -> bool:
        """Say whether it has all that it should have, and no Lightbulb takes it for what it was."""
        replica = self.replicas.get(fake.replica)
        if replica is None or not lanes.rollouts or replica.version != version or fake.refused:
            return False
        shown = replica.shown(fake)
        if not shown or fake.owed(shown):
            return False
        return fake.kind != "sidecar" or all(
            answers_from(each, fake, tenant) in rollout.held
            for each in self.fakes.values()
            for tenant, rollout in lanes
            if f"active {tenant}" in each.has and not each.lapsed
        )


def answers_from(lightbulb: Fake, sidecar: Fake, tenant: str) -> int | None:
    """Which generation a Lightbulb answers the clients of a sidecar from; None for none."""
    active = lightbulb.has[f"active {tenant}"]
    tables = Tables(
        objectives=MappingProxyType({}),
        sidecars=lightbulb.has["states"],
        generations={tenant: active},
    )
    try:
        return tables.generation_for(sidecar.id, tenant)
    except Unavailable:
        return None


def table_in(told: ObjectiveTables, number: int) -> ObjectiveTable | None:
    """What a Lightbulb answers from in generation `number`."""
    return [entry for entry in told.tables if entry.since <= number][-1].table
