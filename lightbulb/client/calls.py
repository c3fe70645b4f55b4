"""What both kinds of clients share: the methods, the channel's options, and what is remembered."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence

from lightbulb.client.flights import Outcome, settled
from lightbulb.client.memory import Fallback, Memory, Remember
from lightbulb.rpc.keepalive import CLIENT_TO_LIGHTBULB, pings
from lightbulb.v1 import lightbulb_pb2 as pb

RESOLVE = "/lightbulb.v1.Lightbulb/Resolve"
BATCH_RESOLVE = "/lightbulb.v1.Lightbulb/BatchResolve"

SERVICE_CONFIG = json.dumps(
    {
        # One target may be several Lightbulbs: "ipv4:10.0.0.1:7701,10.0.0.2:7701", or a name with several
        # addresses. Calls go to each in turn; one that is down is skipped.
        "loadBalancingConfig": [{"round_robin": {}}],
        # Resolving changes nothing, so a call may be made twice.
        "methodConfig": [
            {
                "name": [{"service": "lightbulb.v1.Lightbulb"}],
                "retryPolicy": {
                    "maxAttempts": 4,
                    "initialBackoff": "0.02s",
                    "maxBackoff": "0.2s",
                    "backoffMultiplier": 2,
                    # CANCELLED: by a server that is stopping; a call that is cancelled here isn't made again
                    "retryableStatusCodes": ["UNAVAILABLE", "CANCELLED"],
                },
            }
        ],
    }
)

CHANNEL_OPTIONS = (
    ("grpc.service_config", SERVICE_CONFIG),
    # Calls are short: only pings between them find a Lightbulb that stands still, and leave it for another.
    *pings(CLIENT_TO_LIGHTBULB, without_calls=True),
    # Connects again soon after a Lightbulb has restarted; gRPC's own limit is two minutes.
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.max_receive_message_length", 16 * 1024 * 1024),
)


def make_memory(remember: Remember | None, fallbacks: Mapping[str, Fallback]) -> Memory | None:
    """Return what a client remembers with; None: nothing, as ever."""
    if remember is None and not fallbacks:
        return None
    return Memory(remember or Remember(answers=0), fallbacks, time.monotonic)


def settle_all(
    memory: Memory | None, requests: Sequence[pb.ResolveRequest], outcomes: Sequence[Outcome]
) -> Sequence[Outcome]:
    """Remember what came of requests, and return it, or what there is in place of errors."""
    if memory is None:
        return outcomes
    return [settled(memory, request, each) for request, each in zip(requests, outcomes, strict=True)]


def least(asked: float | None, limit: float) -> float:
    """Return the seconds that a caller waits."""
    return limit if asked is None else min(asked, limit)
