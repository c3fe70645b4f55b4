"""Decoders of what is kept, in the store and on subscribers' disks; some behind their seals too."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import replace

from controlplane.admin.outcome import Outcome, outcome_from_bytes, outcome_to_bytes
from controlplane.lifecycle.agreement import Compared, Models
from controlplane.lifecycle.bins import Latencies
from controlplane.lifecycle.counters import Ledger, Sum
from controlplane.lifecycle.evidence import begin, observe
from controlplane.lifecycle.evidence_codec import evidence_from_bytes, evidence_to_bytes
from controlplane.lifecycle.figures import Arms, Counts, Interval
from controlplane.lifecycle.guards import parse_guards
from controlplane.replica.figures import Told, told_from_bytes, told_to_bytes
from controlplane.rollout import codec
from controlplane.rollout.registry import Consumer, Report
from controlplane.rollout.state import Phase, Rollout
from controlplane.store import codec as store
from controlplane.store.contract import Corrupt
from lightbulb.ads.client import last_known_good
from lightbulb.ads.client.last_known_good import MAGIC, Unusable
from lightbulb.ads.values import CLUSTER, ENDPOINTS, Resource
from lightbulb.comparison.answers import Answer, BytesAnswer, RankingAnswer, ScoreAnswer
from lightbulb.comparison.lines import Unreadable, line_of, read_line
from lightbulb.comparison.record import Asked, Recorded
from lightbulb.resolution.codec import Malformed
from tests.comparison.records import record
from tests.fuzz.decoder import Decoder, refusing, round_trip
from tests.rollout.rollouts import REFUSAL, plan
from tests.store.places import entry, event


def stored() -> Iterator[Decoder]:
    """Give the decoders."""
    yield from _rollout()
    yield _evidence()
    models = Models(objective="Ranking", primary="a@1", candidate="b@1")
    told = Told(
        epoch=3,
        by_route={"shift-17c": Counts(requests=2, latencies=Latencies(((100, 2),)))},
        compared={"t": Compared(epoch=5, counts={models: Counts(compared=3, disagreed=0.5)})},
    )
    yield Decoder(
        name="figures",
        samples=(told_to_bytes(told), told_to_bytes(Told(epoch=1, by_route={}, reporting=7))),
        read=round_trip(told_from_bytes, told_to_bytes, Malformed),
    )
    yield from _log()
    yield from _last_known_good()
    yield _records()
    outcomes = (
        Outcome(generation=3, on_its_way=True),
        Outcome(generation=0, unchanged=True, pinned=(1, 2**64 - 1)),
    )
    yield Decoder(
        name="request-outcome",
        samples=tuple(map(outcome_to_bytes, outcomes)),
        read=round_trip(outcome_from_bytes, outcome_to_bytes, Malformed),
    )


def _records() -> Decoder:
    """Lines of records, whose numbers are rounded when they are written."""
    answers: tuple[Answer | None, ...] = (
        RankingAnswer(ids=(3, 1, 2), scores=(0.5, 0.25, 0.125), length=9),
        RankingAnswer(ids=("a", "b"), length=2),
        ScoreAnswer(scores=(0.5, math.nan), length=2, tolerance=0.01),
        BytesAnswer(digest="ab", size=7, excerpt="scores=[1]"),
        None,
    )
    asked = Asked(request=b"\x0a\x01m", declared={"ids": "titles", "k": 3})
    lines = (
        record(asked=asked),
        *(record(answer=each) for each in answers),
        Recorded(host="h", instance="i", records=3, dropped=1),
    )
    read = refusing(read_line, Unreadable)
    return Decoder(name="record", samples=tuple(map(line_of, lines)), read=read)


def _evidence() -> Decoder:
    """Evidence of a shift of three guards, one of which still learns, and another has seen a catastrophe."""
    guards = parse_guards(["errors:1.25x", "p99:250ms", "p99:1.2x"])
    counts = Counts(requests=80, bad=60, latencies=Latencies.of([(100, 70), (250_000, 10)]))
    arms = Arms(candidate=counts, control=replace(counts, bad=1))
    evidence = observe(guards, begin(guards, 17), Interval(arms=arms, reporting=2, live=3), step=2)
    ledger = Ledger(sums=(Sum(sender="r", epoch=2, arms=arms),), forgotten=True)
    return Decoder(
        name="evidence",
        samples=(evidence_to_bytes(evidence, ledger), evidence_to_bytes(begin(guards, 1), Ledger())),
        read=round_trip(evidence_from_bytes, lambda value: evidence_to_bytes(value[0], value[1]), Malformed),
    )


def _rollout() -> Iterator[Decoder]:
    yield Decoder(
        name="plan",
        samples=(codec.plan_to_bytes(plan(3), "source"),),
        read=round_trip(codec.plan_from_bytes, lambda value: codec.plan_to_bytes(value, ""), Malformed),
    )
    rollout = Rollout(
        phase=Phase.RETIRING,
        entered=7.5,
        active=3,
        oldest=2,
        live=(2, 3),
        held=(2,),
        leaving=(1,),
        pinned=(2,),
    )
    yield Decoder(
        name="rollout",
        samples=(
            codec.rollout_to_bytes(rollout),
            codec.rollout_to_bytes(replace(rollout, phase=Phase.SETTLED)),
        ),
        read=round_trip(codec.rollout_from_bytes, codec.rollout_to_bytes, Malformed),
    )
    consumers = (
        Consumer(
            id="h",
            kind="host",
            shard="a",
            address=("10.0.0.1", 9),
            loaded=frozenset({"m@1", "n@2"}),
            since=1.5,
        ),
        Consumer(
            id="s", kind="sidecar", waiting_for=("x",), refusals=(REFUSAL,), routes=(1, 2), refused_of=2
        ),
    )
    yield Decoder(
        name="report",
        samples=(codec.report_to_bytes(Report(replica="r", heartbeat=2.5, version=7, consumers=consumers)),),
        read=round_trip(codec.report_from_bytes, codec.report_to_bytes, Malformed),
    )


def _log() -> Iterator[Decoder]:
    entries, events = store.entry_to_bytes(entry(7)), store.event_to_bytes(event("why"))

    def read_entry(data: bytes) -> object:
        return store.entry_from_bytes(data, 7)

    read_sealed_entry = round_trip(read_entry, store.entry_to_bytes, Corrupt)
    read_sealed_event = round_trip(store.event_from_bytes, store.event_to_bytes, Corrupt)
    yield Decoder(name="log-entry", samples=(entries,), read=read_sealed_entry)
    yield Decoder(name="event", samples=(events,), read=read_sealed_event)
    yield Decoder(
        name="log-entry-behind-its-seal",
        samples=(store.unseal(entries, "", "StoredEntry"),),
        read=lambda data: read_sealed_entry(store.seal(data, "StoredEntry")),
    )
    yield Decoder(
        name="event-behind-its-seal",
        samples=(store.unseal(events, "", "StoredEvent"),),
        read=lambda data: read_sealed_event(store.seal(data, "StoredEvent")),
    )


def _last_known_good() -> Iterator[Decoder]:
    held = {
        CLUSTER: {
            "a": Resource(name="a", version="1", body=b"body"),
            "": Resource(name="", version="", body=b""),
        },
        ENDPOINTS: {"b": Resource(name="b", version="2", body=b"\0" * 9)},
    }
    file = last_known_good.encode("s", held)
    read = round_trip(
        lambda data: last_known_good.decode("s", data),
        lambda value: last_known_good.encode("s", value),
        Unusable,
    )
    begin = len(MAGIC) + hashlib.sha256().digest_size
    yield Decoder(name="last-known-good", samples=(file, last_known_good.encode("s", {})), read=read)
    yield Decoder(
        name="last-known-good-behind-its-checksum",
        samples=(file[begin:],),
        read=lambda data: read(MAGIC + hashlib.sha256(data).digest() + data),
    )
