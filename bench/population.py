"""Who asks in a benchmark: users, and what they ask Lightbulb. The same in every run."""

from __future__ import annotations

from itertools import islice

from lightbulb.model import RequestContext
from lightbulb.rpc.answer import Query
from lightbulb.rpc.messages import MAX_BATCH, request_to_proto
from lightbulb.v1 import lightbulb_pb2 as pb

USERS = 512
RANKING, FRAUD = "ContinueWatchingRanking", "PaymentFraudDetection"
DEVICES = ("tv-roku", "phone-ios", "phone-android", "web")
SURFACES = ("home", "home", "home", "kids")
CLIENT = "homepage"


def contexts() -> tuple[RequestContext, ...]:
    """Return a context for each user."""
    return tuple(
        RequestContext(
            user_id=f"user-{number:06}",
            country=("US", "NO", "BR")[number % 3],
            device=DEVICES[number % 4],
            locale="en-US",
            surface=SURFACES[number // 4 % 4],
            attributes={"app_version": f"{4 + number % 3}.2.0"},
        )
        for number in range(USERS)
    )


def queries() -> tuple[Query, ...]:
    """Return a query of each user; the objectives take turns."""
    objectives = (RANKING, FRAUD)
    return tuple(
        Query(objective=objectives[number % 2], context=context) for number, context in enumerate(contexts())
    )


def unary_bodies() -> list[bytes]:
    """Return a ResolveRequest for each query."""
    return [request_to_proto(query, CLIENT).SerializeToString() for query in queries()]


def batch_bodies(size: int) -> list[bytes]:
    """Return BatchResolveRequests of `size` queries each."""
    assert size <= MAX_BATCH
    waiting, bodies = iter(queries()), []
    while batch := tuple(islice(waiting, size)):
        request = pb.BatchResolveRequest(requests=(request_to_proto(query, CLIENT) for query in batch))
        bodies.append(request.SerializeToString())
    return bodies
