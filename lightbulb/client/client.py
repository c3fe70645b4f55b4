"""Asks a Lightbulb which model, and under which routing key.

    async with LightbulbClient("lightbulb:8500", client_name="homepage") as client:
        answer = await client.resolve("ContinueWatchingRanking", RequestContext(user_id="u1"))

BlockingLightbulbClient is the same without `await`. `lightbulb.client.interceptor` takes `client.resolve` as
a function, so you can pass it another with the same signature: a cache, a fallback, tables in this process.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Self

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from lightbulb.errors import InvalidContext, LightbulbError
from lightbulb.model import RequestContext
from lightbulb.rpc.answer import Answer, Query
from lightbulb.rpc.channels import open_aio_channel, open_channel
from lightbulb.rpc.keepalive import CLIENT_TO_LIGHTBULB, pings
from lightbulb.rpc.messages import MAX_BATCH, answer_from_proto, request_to_proto
from lightbulb.rpc.status import error_from_proto, error_of
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

Outcome = Answer | LightbulbError
"""The result of one query of many."""


CLOSED = "this client is closed; make another"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Calls:
    """A channel, which belongs to the event loop that it was opened in, and what is called on it."""

    loop: asyncio.AbstractEventLoop
    channel: grpc.aio.Channel
    resolve: grpc.aio.UnaryUnaryMultiCallable[pb.ResolveRequest, bytes]
    batch: grpc.aio.UnaryUnaryMultiCallable[pb.BatchResolveRequest, bytes]


def _make_calls(channel: grpc.aio.Channel, loop: asyncio.AbstractEventLoop) -> _Calls:
    return _Calls(
        loop=loop,
        channel=channel,
        resolve=channel.unary_unary(RESOLVE, pb.ResolveRequest.SerializeToString),
        batch=channel.unary_unary(BATCH_RESOLVE, pb.BatchResolveRequest.SerializeToString),
    )


class LightbulbClient:
    """A client for asyncio. It may be made anywhere, and connects in the event loop of its first call.

    `client_name` is the service's name in override rules.

    `sidecar` is the node id of the sidecar that the caller's requests go through: answers are then never
    newer than what it routes. `timeout` is for one call, in seconds. With `proxy` it takes the way that
    `http_proxy` and the like name, as other gRPC clients do. A client has one connection, and all tasks may
    share it.
    """

    def __init__(  # noqa: PLR0913 - keywords, of which none is needed
        self,
        target: str,
        *,
        client_name: str = "",
        sidecar: str = "",
        timeout: float = 1.0,
        credentials: grpc.ChannelCredentials | None = None,
        proxy: bool = False,
    ) -> None:
        self._name = client_name
        self._sidecar = sidecar
        self._timeout = timeout
        self._open = partial(open_aio_channel, target, CHANNEL_OPTIONS, credentials=credentials, proxy=proxy)
        self._made: _Calls | None = None
        self._closed = False

    def _calls(self) -> _Calls:
        """Return the calls of a channel of this event loop, which is opened by the first of them."""
        if self._closed:
            raise LightbulbError(CLOSED)
        loop = asyncio.get_running_loop()
        if self._made is None or self._made.loop.is_closed():
            self._made = _make_calls(self._open(), loop)
        if self._made.loop is not loop:
            raise LightbulbError(
                "this LightbulbClient is in use in another event loop; make one for each loop"
            )
        return self._made

    async def resolve(
        self,
        objective: str,
        context: RequestContext,
        *,
        override_model: str = "",
        explain: bool = False,
        timeout: float | None = None,  # noqa: ASYNC109 - the server gets it as a deadline
    ) -> Answer:
        """Return the answer for `context`. With `explain` it has `steps`.

        Raises LightbulbError: InvalidContext, UnknownObjective, OverrideRefused, TooLarge, Unavailable or
        TimedOut.
        """
        query = Query(objective=objective, context=context, override_model=override_model, explain=explain)
        try:
            response = await self._calls().resolve(
                request_to_proto(query, self._name, self._sidecar), timeout=_least(timeout, self._timeout)
            )
        except grpc.aio.AioRpcError as error:
            raise error_of(error.code(), error.details(), error.trailing_metadata()) from error
        return _answer_of(response)

    async def resolve_many(self, queries: Sequence[Query]) -> tuple[Outcome, ...]:
        """Return an answer or an error for each query, in order. There may be any number of queries.

        A query that can't be written is an InvalidContext in its place. Raises LightbulbError when a call
        fails as a whole.
        """
        outcomes: list[Outcome] = []
        for batch in _batches(queries):
            written = [_write(query, self._name, self._sidecar) for query in batch]
            request = pb.BatchResolveRequest(requests=_sent(written))
            try:
                response = (
                    await self._calls().batch(request, timeout=self._timeout) if request.requests else b""
                )
            except grpc.aio.AioRpcError as error:
                raise error_of(error.code(), error.details(), error.trailing_metadata()) from error
            outcomes.extend(_merged(written, _outcomes(response, len(request.requests))))
        return tuple(outcomes)

    async def close(self) -> None:
        """Close the connection; calls under way are cancelled."""
        self._closed = True
        if self._made is not None and not self._made.loop.is_closed():
            await self._made.channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


class BlockingLightbulbClient:
    """A LightbulbClient for threads. All threads may share one."""

    def __init__(  # noqa: PLR0913 - keywords, of which none is needed
        self,
        target: str,
        *,
        client_name: str = "",
        sidecar: str = "",
        timeout: float = 1.0,
        credentials: grpc.ChannelCredentials | None = None,
        proxy: bool = False,
    ) -> None:
        self._name = client_name
        self._sidecar = sidecar
        self._timeout = timeout
        self._closed = False
        self._channel = open_channel(target, CHANNEL_OPTIONS, credentials=credentials, proxy=proxy)
        self._resolve: grpc.UnaryUnaryMultiCallable[pb.ResolveRequest, bytes] = self._channel.unary_unary(
            RESOLVE, pb.ResolveRequest.SerializeToString
        )
        self._batch: grpc.UnaryUnaryMultiCallable[pb.BatchResolveRequest, bytes] = self._channel.unary_unary(
            BATCH_RESOLVE, pb.BatchResolveRequest.SerializeToString
        )

    def resolve(
        self,
        objective: str,
        context: RequestContext,
        *,
        override_model: str = "",
        explain: bool = False,
        timeout: float | None = None,
    ) -> Answer:
        """Return the answer for `context`, as LightbulbClient.resolve does."""
        self._check_open()
        query = Query(objective=objective, context=context, override_model=override_model, explain=explain)
        try:
            response = self._resolve(
                request_to_proto(query, self._name, self._sidecar), timeout=_least(timeout, self._timeout)
            )
        except grpc.RpcError as error:
            raise error_of(error.code(), error.details(), error.trailing_metadata()) from error
        return _answer_of(response)

    def resolve_many(self, queries: Sequence[Query]) -> tuple[Outcome, ...]:
        """Return an answer or an error for each query, as LightbulbClient.resolve_many does."""
        self._check_open()
        outcomes: list[Outcome] = []
        for batch in _batches(queries):
            written = [_write(query, self._name, self._sidecar) for query in batch]
            request = pb.BatchResolveRequest(requests=_sent(written))
            try:
                response = self._batch(request, timeout=self._timeout) if request.requests else b""
            except grpc.RpcError as error:
                raise error_of(error.code(), error.details(), error.trailing_metadata()) from error
            outcomes.extend(_merged(written, _outcomes(response, len(request.requests))))
        return tuple(outcomes)

    def _check_open(self) -> None:
        if self._closed:
            raise LightbulbError(CLOSED)

    def close(self) -> None:
        """Close the connection; calls under way are cancelled."""
        self._closed = True
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _least(asked: float | None, limit: float) -> float:
    return limit if asked is None else min(asked, limit)


def _write(query: Query, name: str, sidecar: str) -> pb.ResolveRequest | InvalidContext:
    try:
        return request_to_proto(query, name, sidecar)
    except InvalidContext as error:
        return error


def _sent(written: Sequence[pb.ResolveRequest | InvalidContext]) -> Iterator[pb.ResolveRequest]:
    return (each for each in written if not isinstance(each, InvalidContext))


def _merged(
    written: Sequence[pb.ResolveRequest | InvalidContext], outcomes: Sequence[Outcome]
) -> Iterator[Outcome]:
    """Give an outcome for each query: of those that were sent, what came, and of the others why not."""
    came = iter(outcomes)
    return (each if isinstance(each, InvalidContext) else next(came) for each in written)


def _batches(queries: Sequence[Query]) -> Iterator[Sequence[Query]]:
    for begin in range(0, len(queries), MAX_BATCH):
        yield queries[begin : begin + MAX_BATCH]


def _answer_of(response: bytes) -> Answer:
    try:
        return answer_from_proto(pb.ResolveResponse.FromString(response))
    except (DecodeError, ValueError) as error:
        raise LightbulbError(f"Lightbulb's answer can't be read: {error}") from error


def _outcomes(response: bytes, expected: int) -> list[Outcome]:
    try:
        results = pb.BatchResolveResponse.FromString(response).results
        if len(results) != expected:
            raise LightbulbError(f"Lightbulb gave {len(results)} results to {expected} requests")
        return [_outcome(result) for result in results]
    except (DecodeError, ValueError) as error:
        raise LightbulbError(f"Lightbulb's answers can't be read: {error}") from error


def _outcome(result: pb.BatchResolveResult) -> Outcome:
    if result.HasField("error"):
        return error_from_proto(result.error)
    return answer_from_proto(result.response)
