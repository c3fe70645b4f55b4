"""BlockingLightbulbClient: asks a Lightbulb from threads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

import grpc

from lightbulb.client.calls import CHANNEL_OPTIONS, least, make_memory, settle_all
from lightbulb.client.coalescing import Coalescing
from lightbulb.client.departures import CLOSED
from lightbulb.client.flights import Flights
from lightbulb.client.memory import NO_FALLBACKS, Fallback, Remember
from lightbulb.client.replies import Outcome, Written, batches, merged, read_outcomes, sent, write
from lightbulb.errors import LightbulbError
from lightbulb.model import RequestContext
from lightbulb.rpc.answer import Answer, Query
from lightbulb.rpc.channels import open_channel
from lightbulb.rpc.messages import request_to_proto
from lightbulb.rpc.status import error_of_call
from lightbulb.v1 import lightbulb_pb2 as pb


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
        remember: Remember | None = None,
        fallbacks: Mapping[str, Fallback] = NO_FALLBACKS,
    ) -> None:
        self._name = client_name
        self._sidecar = sidecar
        self._timeout = timeout
        self._closed = False
        self._channel = open_channel(target, CHANNEL_OPTIONS, credentials=credentials, proxy=proxy)
        self._calls = Coalescing(self._channel, timeout)
        self._memory = make_memory(remember, fallbacks)
        self._flights = None if self._memory is None else Flights(self._memory, self._calls)

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
        request, seconds = self._write(query), least(timeout, self._timeout)
        if self._flights is None or explain:
            return self._calls.resolve(request, seconds)
        return self._flights.resolve(request, seconds)

    def resolve_again(
        self,
        objective: str,
        context: RequestContext,
        *,
        override_model: str = "",
        timeout: float | None = None,
    ) -> Answer:
        """Do as `resolve`, past what is remembered: its routing key was refused."""
        self._check_open()
        query = Query(objective=objective, context=context, override_model=override_model)
        request, seconds = self._write(query), least(timeout, self._timeout)
        if self._flights is None:
            return self._calls.resolve(request, seconds)
        return self._flights.resolve_again(request, seconds)

    def resolve_many(self, queries: Sequence[Query]) -> tuple[Outcome, ...]:
        """Return an answer or an error for each query, as LightbulbClient.resolve_many does."""
        outcomes: list[Outcome] = []
        self._check_open()
        for batch in batches(queries):
            written: Sequence[Written] = [write(query, self._name, self._sidecar) for query in batch]
            if self._flights is not None:
                written = [self._flights.known(each) for each in written]
            outcomes.extend(merged(written, self._ask(sent(written))))
        return tuple(outcomes)

    def _write(self, query: Query) -> pb.ResolveRequest:
        return request_to_proto(query, self._name, self._sidecar)

    def _ask(self, requests: Sequence[pb.ResolveRequest]) -> Sequence[Outcome]:
        if not requests:
            return ()
        try:
            response = self._calls.batch(requests)
        except grpc.RpcError as error:
            failed = error_of_call(error)
            if self._memory is None:
                raise failed from error
            return settle_all(self._memory, requests, [failed] * len(requests))
        return settle_all(self._memory, requests, read_outcomes(response, len(requests)))

    def _check_open(self) -> None:
        if self._closed:
            raise LightbulbError(CLOSED)

    def close(self) -> None:
        """Close the connection; calls under way are cancelled."""
        self._closed = True
        self._calls.close()
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
