"""GetFreshness: the bytes of its request -> the bytes of its response, or InvalidContext."""

from __future__ import annotations

from collections.abc import Callable

from google.protobuf.message import DecodeError

from lightbulb.errors import InvalidContext
from lightbulb.model import Freshness
from lightbulb.v1 import lightbulb_pb2 as pb


def freshness_responder(freshness: Callable[[], Freshness]) -> Callable[[bytes], bytes]:
    """Return what answers with how new the tables are."""

    def respond(data: bytes) -> bytes:
        try:
            pb.GetFreshnessRequest.FromString(data)
        except DecodeError as error:
            raise InvalidContext(f"not a lightbulb.v1.GetFreshnessRequest: {error}") from error
        now = freshness()
        response = pb.GetFreshnessResponse(generation=now.generation, connected=now.connected)
        response.age.FromNanoseconds(int(now.age * 1e9))
        return response.SerializeToString(deterministic=True)

    return respond
