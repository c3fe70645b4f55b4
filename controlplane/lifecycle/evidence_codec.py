"""The one place where evidence meets protos/lightbulb/v1/evidence.proto."""

from __future__ import annotations

import math

from google.protobuf.message import DecodeError

from controlplane.lifecycle.bins import Latencies
from controlplane.lifecycle.counters import MAX_SENDERS, Ledger, Sum
from controlplane.lifecycle.evidence import ODDS, Bets, Evidence, Wealth
from controlplane.lifecycle.figures import Arms, Counts
from controlplane.lifecycle.guards import MAX_GUARDS
from controlplane.lifecycle.verdict import Pair, Tally
from lightbulb.resolution.codec import Malformed
from lightbulb.v1 import evidence_pb2 as pb

FORMAT = 1


def evidence_to_bytes(evidence: Evidence, ledger: Ledger) -> bytes:
    """Return evidence for the store, with the ledger of what was counted for it: neither is true alone."""
    return pb.StoredEvidence(
        format=FORMAT,
        shift=evidence.shift,
        step=evidence.step,
        bets=map(_bets_to_proto, evidence.bets),
        blind=evidence.blind,
        reporting=evidence.reporting,
        live=evidence.live,
        sums=map(_sum_to_proto, ledger.sums),
        forgotten=ledger.forgotten,
    ).SerializeToString(deterministic=True)


def evidence_from_bytes(body: bytes) -> tuple[Evidence, Ledger]:
    """Return evidence and its ledger; raises Malformed."""
    message = pb.StoredEvidence()
    try:
        message.ParseFromString(body)
    except DecodeError as error:
        raise Malformed(f"no evidence: {error}") from error
    if message.format != FORMAT:
        raise Malformed(f"evidence of format {message.format}; this control plane knows {FORMAT}")
    if len(message.bets) > MAX_GUARDS or len(message.sums) > MAX_SENDERS:
        raise Malformed(f"evidence of {len(message.bets)} guards by {len(message.sums)} senders")
    evidence = Evidence(
        shift=message.shift,
        step=message.step,
        bets=tuple(map(_bets_from_proto, message.bets)),
        blind=message.blind,
        reporting=message.reporting,
        live=message.live,
    )
    return evidence, Ledger(sums=tuple(map(_sum_from_proto, message.sums)), forgotten=message.forgotten)


def counts_to_proto(counts: Counts) -> pb.StoredCounts:
    """Return the stored form of what was counted of an arm."""
    return pb.StoredCounts(
        requests=counts.requests,
        bad=counts.bad,
        latencies=_latencies_to_proto(counts.latencies),
        compared=counts.compared,
        disagreed=counts.disagreed,
    )


def counts_from_proto(message: pb.StoredCounts) -> Counts:
    """Return what was counted of an arm; raises Malformed."""
    return Counts(
        requests=message.requests,
        bad=message.bad,
        latencies=_latencies_from_proto(message.latencies),
        compared=message.compared,
        disagreed=_finite(message.disagreed),
    )


def _latencies_to_proto(latencies: Latencies) -> pb.StoredLatencies:
    return pb.StoredLatencies(
        edges=[edge for edge, _ in latencies.bins], counts=[count for _, count in latencies.bins]
    )


def _latencies_from_proto(message: pb.StoredLatencies) -> Latencies:
    if len(message.edges) != len(message.counts):
        raise Malformed(f"{len(message.edges)} edges of {len(message.counts)} bins")
    read = Latencies(tuple(zip(message.edges, message.counts, strict=True)))
    if read != Latencies.of(read.bins):
        raise Malformed("bins that aren't Envoy's, are empty, or aren't in order")
    return read


def _sum_to_proto(each: Sum) -> pb.StoredSum:
    return pb.StoredSum(
        sender=each.sender,
        epoch=each.epoch,
        candidate=counts_to_proto(each.arms.candidate),
        control=counts_to_proto(each.arms.control),
    )


def _sum_from_proto(message: pb.StoredSum) -> Sum:
    arms = Arms(candidate=counts_from_proto(message.candidate), control=counts_from_proto(message.control))
    return Sum(sender=message.sender, epoch=message.epoch, arms=arms)


def _pair_to_proto(pair: Pair) -> pb.StoredPair:
    return pb.StoredPair(
        candidate=pb.StoredTally(total=pair.candidate.total, bad=pair.candidate.bad),
        control=pb.StoredTally(total=pair.control.total, bad=pair.control.bad),
    )


def _pair_from_proto(message: pb.StoredPair) -> Pair:
    return Pair(
        candidate=Tally(total=message.candidate.total, bad=_finite(message.candidate.bad)),
        control=Tally(total=message.control.total, bad=_finite(message.control.bad)),
    )


def _bets_to_proto(bets: Bets) -> pb.StoredBets:
    return pb.StoredBets(
        log_evidence=bets.wealth.log_evidence,
        log_peak=bets.wealth.log_peak,
        parts=bets.wealth.parts,
        intervals=bets.wealth.intervals,
        pair=_pair_to_proto(bets.pair),
        sample=bets.sample,
        learning=_latencies_to_proto(bets.learning),
        threshold=bets.threshold,
        catastrophe=None if bets.catastrophe is None else _pair_to_proto(bets.catastrophe),
    )


def _bets_from_proto(message: pb.StoredBets) -> Bets:
    if len(message.parts) != len(ODDS) + 1:
        raise Malformed(f"{len(message.parts)} parts of a wealth; there are {len(ODDS) + 1}")
    if not all(0.0 <= part <= 1.0 for part in message.parts) or not sum(message.parts):
        raise Malformed("parts of a wealth that aren't between nothing and all of it")
    wealth = Wealth(
        log_evidence=_finite(message.log_evidence),
        log_peak=_finite(message.log_peak),
        parts=tuple(message.parts),
        intervals=message.intervals,
    )
    return Bets(
        wealth=wealth,
        pair=_pair_from_proto(message.pair),
        sample=message.sample,
        learning=_latencies_from_proto(message.learning),
        threshold=message.threshold,
        catastrophe=_pair_from_proto(message.catastrophe) if message.HasField("catastrophe") else None,
    )


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise Malformed(f"{value} is no figure")
    return value
