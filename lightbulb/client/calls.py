"""What both kinds of clients share: the channel's options, and what is remembered."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence

from lightbulb.client.flights import settled
from lightbulb.client.memory import Fallback, Memory, Remember
from lightbulb.client.replies import Outcome
from lightbulb.rpc.keepalive import CLIENT_TO_LIGHTBULB, pings
from lightbulb.v1 import lightbulb_pb2 as pb

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
        # The budget of that, for each target: a call that fails takes 1, one that succeeds gives 0.1, and
        # below half of it none is made again. So an outage isn't answered with four times the calls, and in
        # the long run at most a tenth is made again; a Lightbulb that stops ends fewer calls than that.
        "retryThrottling": {"maxTokens": 100, "tokenRatio": 0.1},
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
