"""Asks a Lightbulb which model, and under which routing key.

    async with LightbulbClient("lightbulb:8500", client_name="homepage") as client:
        answer = await client.resolve("ContinueWatchingRanking", RequestContext(user_id="u1"))

BlockingLightbulbClient is the same without `await`. `lightbulb.client.interceptor` takes `client.resolve` as
a function, and `client.resolve_again`; you can pass it others with the same signature.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Self

import grpc
import grpc.aio

from lightbulb.client.blocking import BlockingLightbulbClient
from lightbulb.client.calls import CHANNEL_OPTIONS, least, make_memory, settle_all
from lightbulb.client.coalescing import BATCH_RESOLVE, RESOLVE, AsyncCoalescing
from lightbulb.client.departures import CLOSED
from lightbulb.client.flights import AsyncFlights
from lightbulb.client.memory import NO_FALLBACKS, Fallback, Memory, Remember
from lightbulb.client.replies import Outcome, Written, batches, merged, read_outcomes, sent, write
from lightbulb.errors import LightbulbError
from lightbulb.model import RequestContext
from lightbulb.rpc.answer import Answer, Query
from lightbulb.rpc.channels import open_aio_channel
from lightbulb.rpc.messages import request_to_proto
from lightbulb.rpc.status import error_of_call
from lightbulb.v1 import lightbulb_pb2 as pb

__all__ = [
    "BATCH_RESOLVE",
    "CHANNEL_OPTIONS",
    "RESOLVE",
    "BlockingLightbulbClient",
    "LightbulbClient",
    "Outcome",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Calls:
    """A channel, which belongs to the event loop that it was opened in, and what is called on it."""

    loop: asyncio.AbstractEventLoop
    channel: grpc.aio.Channel
    coalescing: AsyncCoalescing
    flights: AsyncFlights | None


def _make_calls(
    channel: grpc.aio.Channel, loop: asyncio.AbstractEventLoop, timeout: float, memory: Memory | None
) -> _Calls:
    coalescing = AsyncCoalescing(channel, timeout)
    flights = None if memory is None else AsyncFlights(memory, partial(coalescing.resolve, seconds=timeout))
    return _Calls(loop=loop, channel=channel, coalescing=coalescing, flights=flights)


class LightbulbClient:
    """A client for asyncio. It may be made anywhere, and connects in the event loop of its first call.

    `client_name` is the service's name in override rules.

    `sidecar` is the node id of the sidecar that the caller's requests go through: answers are then never
    newer than what it routes. `timeout` is for one call, in seconds. With `proxy` it takes the way that
    `http_proxy` and the like name, as other gRPC clients do. A client has one connection, and all tasks may
    share it.

    With `remember` answers are given again for as long as they are good, and longer while no Lightbulb
    answers; `fallbacks` (objective -> Fallback) are given where nothing is remembered. An answer's `origin`
    says which it is.
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
        remember: Remember | None = None,
        fallbacks: Mapping[str, Fallback] = NO_FALLBACKS,
    ) -> None:
        self._name = client_name
        self._sidecar = sidecar
        self._timeout = timeout
        self._memory = make_memory(remember, fallbacks)
        self._open = partial(open_aio_channel, target, CHANNEL_OPTIONS, credentials=credentials, proxy=proxy)
        self._made: _Calls | None = None
        self._closed = False

    def _calls(self) -> _Calls:
        """Return the calls of a channel of this event loop, which is opened by the first of them."""
        if self._closed:
            raise LightbulbError(CLOSED)
        loop = asyncio.get_running_loop()
        if self._made is None or self._made.loop.is_closed():
            self._made = _make_calls(self._open(), loop, self._timeout, self._memory)
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
        """Return the answer for `context`. With `explain` it has `steps`, and is never a remembered one.

        Raises LightbulbError: InvalidContext, UnknownObjective, OverrideRefused, TooLarge, Unavailable or
        TimedOut. The last three only where there is nothing in their place.
        """
        query = Query(objective=objective, context=context, override_model=override_model, explain=explain)
        calls, request = self._calls(), request_to_proto(query, self._name, self._sidecar)
        seconds = least(timeout, self._timeout)
        if calls.flights is None or explain:
            return await calls.coalescing.resolve(request, seconds)
        return await calls.flights.resolve(request, seconds)

    async def resolve_again(
        self,
        objective: str,
        context: RequestContext,
        *,
        override_model: str = "",
        timeout: float | None = None,  # noqa: ASYNC109 - the server gets it as a deadline
    ) -> Answer:
        """Do as `resolve`, past what is remembered: its routing key was refused."""
        query = Query(objective=objective, context=context, override_model=override_model)
        calls, request = self._calls(), request_to_proto(query, self._name, self._sidecar)
        seconds = least(timeout, self._timeout)
        if calls.flights is None:
            return await calls.coalescing.resolve(request, seconds)
        return await calls.flights.resolve_again(request, seconds)

    async def resolve_many(self, queries: Sequence[Query]) -> tuple[Outcome, ...]:
        """Return an answer or an error for each query, in order. There may be any number of queries.

        A query that can't be written is an InvalidContext in its place. Raises LightbulbError when a call
        fails as a whole; but in a client that remembers or has fallbacks the error is in the place of those
        queries that there is nothing else for.
        """
        outcomes: list[Outcome] = []
        for batch in batches(queries):
            calls = self._calls()
            written: Sequence[Written] = [write(query, self._name, self._sidecar) for query in batch]
            if calls.flights is not None:
                written = [calls.flights.known(each) for each in written]
            outcomes.extend(merged(written, await self._ask(calls, sent(written))))
        return tuple(outcomes)

    async def _ask(self, calls: _Calls, requests: Sequence[pb.ResolveRequest]) -> Sequence[Outcome]:
        if not requests:
            return ()
        try:
            response = await calls.coalescing.batch(requests)
        except grpc.aio.AioRpcError as error:
            failed = error_of_call(error)
            if self._memory is None:
                raise failed from error
            return settle_all(self._memory, requests, [failed] * len(requests))
        return settle_all(self._memory, requests, read_outcomes(response, len(requests)))

    async def close(self) -> None:
        """Close the connection; calls under way are cancelled."""
        self._closed = True
        if self._made is not None and not self._made.loop.is_closed():
            self._made.coalescing.close()
            if self._made.flights is not None:
                self._made.flights.close()
            await self._made.channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
