"""Who a phase waits for, and what they say. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType

from controlplane.rollout.advance import Occupant, Progress, load_seconds
from controlplane.rollout.desired_state import ModelsByShard
from controlplane.rollout.failure import Laggard, Refusal
from controlplane.rollout.registry import Consumer
from controlplane.rollout.state import OUTLIVING, Phase, Policy, Rollout

_WAITED_FOR = MappingProxyType(
    {
        Phase.RELEASING: frozenset({"sidecar"}),
        Phase.LOADING: frozenset({"host"}),
        # A Lightbulb gets the tables before anything of them is active.
        Phase.ROUTING: frozenset({"sidecar", "lightbulb"}),
        # A Lightbulb that lags still hands out old keys.
        Phase.RETIRING: frozenset({"sidecar", "lightbulb"}),
        Phase.WAITING: frozenset({"sidecar", "lightbulb"}),
        Phase.UNLOADING: frozenset({"sidecar", "lightbulb"}),
    }
)


NOTHING_LIVE: Mapping[str, frozenset[str]] = MappingProxyType({})


def kinds_of(phase: Phase) -> frozenset[str]:
    """Return the kinds of consumers that a phase waits for: of others `progress` needs none."""
    return _WAITED_FOR.get(phase, frozenset())


def progress(  # noqa: PLR0913 - a pure function of all that counts
    rollout: Rollout,
    target: ModelsByShard,
    consumers: Collection[Consumer],
    now: float,
    policy: Policy,
    *,
    live: Mapping[str, frozenset[str]] = NOTHING_LIVE,
    occupants: tuple[Occupant, ...] = (),
) -> Progress:
    """Return what the consumers that the phase waits for say; `target` is what it has hosts load.

    `live`: shard -> ids of the models that its hosts need for the requests that they are sent now.
    `occupants` are as of Progress.
    """
    kinds = kinds_of(rollout.phase)
    waited_for = [
        consumer
        for consumer in consumers
        if consumer.kind in kinds
        and (consumer.kind != "host" or target.get(consumer.shard))
        and _counts(consumer, rollout, now, policy)
    ]
    lagging = [
        _laggard(consumer)
        for consumer in waited_for
        if _lags(consumer, rollout) and not _given_up(consumer, rollout, now, policy)
    ]
    if rollout.phase is Phase.LOADING:
        lagging += _shards_without_host(target, waited_for)
    if rollout.phase is Phase.LOADING:
        refused = _refused_by_hosts(target, waited_for, live)
    else:
        refused = [
            refusal for each in waited_for for refusal in each.refusals if _concerns(refusal, each, rollout)
        ]
    # Who left while it lagged, may have answered as before until then.
    gone = [consumer for consumer in consumers if consumer.left and consumer.kind in kinds]
    return Progress(
        total=len(waited_for),
        lagging=tuple(sorted(lagging, key=str)),
        refused=tuple(sorted(refused, key=str)),
        since=max((consumer.synced_since for consumer in (*waited_for, *gone)), default=0.0),
        load_seconds=load_seconds(target, live, policy) if rollout.phase is Phase.LOADING else 0.0,
        occupants=occupants,
    )


def _refused_by_hosts(
    target: ModelsByShard, hosts: Iterable[Consumer], live: Mapping[str, frozenset[str]]
) -> list[Refusal]:
    """Return the refusals that say something about the target.

    What a host refuses of a model that is new, and that is sent requests: its shard would lose it. Where no
    other host of the shard takes the target, or may do so yet, all that is refused counts, if anything there
    is new. Any other host that serves nobody, say since it hasn't the memory for what is live, stops nothing.
    """
    placed = {shard: frozenset(model.id for model in models) for shard, models in target.items()}
    refusing: dict[str, list[tuple[Consumer, list[Refusal]]]] = defaultdict(list)
    others: set[str] = set()
    for host in hosts:
        wanted = placed.get(host.shard, frozenset())
        refusals = [each for each in host.refusals if each.resource in wanted]
        if refusals:
            refusing[host.shard].append((host, refusals))
        else:
            others.add(host.shard)
    counting: list[Refusal] = []
    for shard, found in refusing.items():
        new = placed[shard] - live.get(shard, frozenset())
        for host, refusals in found:
            if new and shard not in others:
                counting += refusals
            elif _serves(host, live):
                counting += (refusal for refusal in refusals if refusal.resource in new)
    return counting


def _serves(host: Consumer, live: Mapping[str, frozenset[str]]) -> bool:
    needed = live.get(host.shard, frozenset())
    return bool(needed) and host.loaded >= needed


def _concerns(refusal: Refusal, consumer: Consumer, rollout: Rollout) -> bool:
    """Say whether what a consumer refuses has to do with the target: one that is broken stops no publish.

    What a sidecar or Lightbulb refused of a generation that is live is no matter of the target's: it isn't
    waited for, and its clients are answered from what it routes.
    """
    # A sidecar that can't listen, say because its port is taken, serves nobody anyhow.
    return not refusal.of_listener and consumer.refused_of not in rollout.live


def _counts(consumer: Consumer, rollout: Rollout, now: float, policy: Policy) -> bool:
    """Say whether a phase waits for a consumer at all; one that is disconnected does only at times."""
    if not consumer.disconnected or consumer.left:
        return not consumer.left
    match rollout.phase:
        case Phase.ROUTING:
            return now - consumer.since < policy.reconnect
        case Phase.RETIRING | Phase.WAITING:
            return True  # within its lease, or it wouldn't be here
        case Phase.LOADING:
            return consumer.there(now, policy)
        case Phase.UNLOADING:
            return _leads_astray(consumer, rollout)
        case _:
            # Nobody holds what leaves: a sidecar that can't be reached may keep it.
            return False


def _leads_astray(consumer: Consumer, rollout: Rollout) -> bool:
    """Say whether a sidecar may send requests for what is live to hosts that load it for what leaves alone.

    Of a key that moved it routes the last of the generations that it has. A publish that was withdrawn may
    have moved one, and a sidecar that is cut off hasn't heard of the withdrawal.
    """
    stays = [number in rollout.live for number in consumer.routes]
    after = consumer.routes[stays.index(True) :] if True in stays else ()
    return any(number in rollout.leaving for number in after)


def _lags(consumer: Consumer, rollout: Rollout) -> bool:
    if rollout.phase in OUTLIVING and consumer.kind == "sidecar":
        # Its clients are answered from what it routes: only that it routes what is active counts.
        return bool(rollout.active) and rollout.active not in consumer.routes
    return consumer.disconnected or not consumer.up_to_date or bool(consumer.waiting_for)


def _given_up(consumer: Consumer, rollout: Rollout, now: float, policy: Policy) -> bool:
    """Say whether one that is connected, and takes nothing, has done so for longer than its lease."""
    since = consumer.unsynced_since
    return rollout.phase in {*OUTLIVING, Phase.UNLOADING} and 0.0 < since <= now - policy.lease


def _laggard(consumer: Consumer) -> Laggard:
    return Laggard(
        consumer_kind=consumer.kind,
        consumer_id=consumer.id,
        shard=consumer.shard,
        resource_types=consumer.waiting_for,
        disconnected=consumer.disconnected,
    )


def _shards_without_host(models: ModelsByShard, hosts: Iterable[Consumer]) -> list[Laggard]:
    present = {host.shard for host in hosts}
    return [
        Laggard(consumer_kind="host", shard=shard)
        for shard, wanted in models.items()
        if wanted and shard not in present
    ]
