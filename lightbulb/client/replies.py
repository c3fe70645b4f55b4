"""Reads what a Lightbulb replies, and puts the results of many queries in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from google.protobuf.message import DecodeError

from lightbulb.errors import InvalidContext, LightbulbError
from lightbulb.rpc.answer import Answer, Query
from lightbulb.rpc.messages import MAX_BATCH, answer_from_proto, request_to_proto
from lightbulb.rpc.status import error_from_proto
from lightbulb.v1 import lightbulb_pb2 as pb

Outcome = Answer | LightbulbError
"""The result of one query of many."""

Written = pb.ResolveRequest | Outcome
"""A query of many: to be sent, or answered without."""


def write(query: Query, name: str, sidecar: str) -> pb.ResolveRequest | InvalidContext:
    """Return the request for a query, or why it can't be written."""
    try:
        return request_to_proto(query, name, sidecar)
    except InvalidContext as error:
        return error


def sent(written: Sequence[Written]) -> list[pb.ResolveRequest]:
    """Return those that are to be sent."""
    return [each for each in written if isinstance(each, pb.ResolveRequest)]


def merged(written: Sequence[Written], outcomes: Sequence[Outcome]) -> Iterator[Outcome]:
    """Give an outcome for each query: of those that were sent, what came."""
    came = iter(outcomes)
    return (next(came) if isinstance(each, pb.ResolveRequest) else each for each in written)


def batches(queries: Sequence[Query]) -> Iterator[Sequence[Query]]:
    """Give as many at a time as a call may have."""
    for begin in range(0, len(queries), MAX_BATCH):
        yield queries[begin : begin + MAX_BATCH]


def read_answer(response: bytes) -> Answer:
    """Return the answer in a ResolveResponse; raise LightbulbError when it can't be read."""
    try:
        return answer_from_proto(pb.ResolveResponse.FromString(response))
    except (DecodeError, ValueError) as error:
        raise _unreadable(error) from error


def read_outcomes(response: bytes, expected: int) -> list[Outcome]:
    """Return the results in a BatchResolveResponse; raise LightbulbError when they can't be read."""
    try:
        results = pb.BatchResolveResponse.FromString(response).results
    except DecodeError as error:
        raise _unreadable(error) from error
    if len(results) != expected:
        raise LightbulbError(f"Lightbulb gave {len(results)} results to {expected} requests")
    return [_outcome(result) for result in results]


def _outcome(result: pb.BatchResolveResult) -> Outcome:
    if result.HasField("error"):
        return error_from_proto(result.error)
    try:
        return answer_from_proto(result.response)
    except ValueError as error:
        return _unreadable(error)


def _unreadable(error: Exception) -> LightbulbError:
    return LightbulbError(f"Lightbulb's answer can't be read: {error}")
