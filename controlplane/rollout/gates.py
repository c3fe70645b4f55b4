"""Who a phase waits for, and what they say. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from controlplane.rollout.activation import Phase, Progress
from controlplane.rollout.views import ModelsByShard

NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumer:
    """One open stream: who it is, what it still owes an ACK for, and what it refused, and why."""

    id: str
    kind: str
    shard: str = ""
    waiting_for: tuple[str, ...] = ()
    rejected: Mapping[str, str] = field(default_factory=lambda: NOTHING)

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"


_WAITED_FOR = MappingProxyType(
    {
        Phase.LOADING: frozenset({"host"}),
        Phase.ROUTING: frozenset({"sidecar"}),
        # A Lightbulb that lags still hands out old keys.
        Phase.RETIRING: frozenset({"sidecar", "lightbulb"}),
        Phase.UNLOADING: frozenset({"sidecar"}),
    }
)


def progress(phase: Phase, models: ModelsByShard, consumers: Iterable[Consumer]) -> Progress:
    """Return what the consumers that `phase` waits for say; `models` is what hosts should have."""
    kinds = _WAITED_FOR.get(phase, frozenset())
    waited_for = [consumer for consumer in consumers if consumer.kind in kinds]
    lagging = [str(consumer) for consumer in waited_for if consumer.waiting_for]
    if phase is Phase.LOADING:
        lagging += _shards_without_host(models, waited_for)
    refused = [
        f"{consumer}: {name}: {reason}"
        for consumer in waited_for
        for name, reason in sorted(consumer.rejected.items())
    ]
    return Progress(lagging=tuple(sorted(lagging)), refused=tuple(sorted(refused)))


def _shards_without_host(models: ModelsByShard, hosts: Iterable[Consumer]) -> list[str]:
    present = {host.shard for host in hosts}
    return [
        f"a host for shard {shard}" for shard, wanted in models.items() if wanted and shard not in present
    ]
