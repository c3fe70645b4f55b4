"""Routes inference calls: say what a call is for, and it reaches the right model.

    channel = grpc.insecure_channel(sidecar, options=DIRECT)
    channel = grpc.intercept_channel(channel, RoutingInterceptor(client.resolve))
    stub = GRPCInferenceServiceStub(channel)
    with routed("ContinueWatchingRanking", RequestContext(user_id="u1", country="US")):
        response = stub.ModelInfer(request)

For grpc.aio: `grpc.aio.insecure_channel(sidecar, interceptors=[AsyncRoutingInterceptor(client.resolve)])`.
The interceptor resolves each call, adds the `x-routing-key` metadata (beside it a hash of the user's id, and
the arm of the shift that the user is in, if any), and puts the ObjectiveConfig into a copy of the request.
Resolving is part of the call's deadline. A call without a deadline gets the one that the platform promises
for the objective, if any. A call that can't be resolved raises a LightbulbError.

When the host hasn't loaded the model, or the sidecar doesn't know the key, the call is resolved again and
made once more, within its deadline. So it is for NOT_FOUND without our reason: so a model server of others
says that it doesn't have the model. The caller gets the result of the second call.

A stream (ModelStreamInfer) is resolved once, as it is opened, and each of its requests gets the
ObjectiveConfig. It has no other deadline than the caller's, and isn't opened a second time. A channel of
grpc.aio takes an AsyncStreamRoutingInterceptor too.

Two kinds of calls pass unchanged: methods other than these (health, metadata), and calls that have an
`x-routing-key` already. An inference call outside a `routed` block raises NotRouted; Envoy would refuse it.

`resolve` may be any function with that signature: a cache, a fallback, tables in this process. The second
call is resolved by `resolve_again`, so that a cache doesn't give the old key again. The default is `resolve`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import grpc.aio

from lightbulb.client.retried_call import RetriedCall
from lightbulb.client.routing import AsyncResolve, Deadline, Details, Resolve, Route, current_route, routed
from lightbulb.errors import LightbulbError
from lightbulb.model import (
    ARM_HEADER,
    MODEL_NOT_LOADED,
    REASON_HEADER,
    ROUTING_KEY_HEADER,
    SIDECAR_TIMEOUT_HEADER,
    UNKNOWN_ROUTING_KEY,
    USER_HEADER,
)
from lightbulb.rpc.answer import Answer
from lightbulb.rpc.call_headers import call_headers
from lightbulb.rpc.enrich import enrich

__all__ = [
    "AsyncResolve",
    "AsyncRoutingInterceptor",
    "AsyncStreamRoutingInterceptor",
    "Resolve",
    "Route",
    "RoutingInterceptor",
    "routed",
]

MODEL_INFER = "/inference.GRPCInferenceService/ModelInfer"
MODEL_STREAM_INFER = "/inference.GRPCInferenceService/ModelStreamInfer"
ROUTED_METHODS = frozenset((MODEL_INFER, MODEL_STREAM_INFER))

RETRIES = 8
"""Threads that make second calls for `future` calls. When all are busy, others wait."""

_OURS = frozenset((ARM_HEADER, USER_HEADER, SIDECAR_TIMEOUT_HEADER))
"""Headers that a caller may not set itself. A call that has a key of its own isn't routed here at all."""

_REFUSALS = {
    grpc.StatusCode.ABORTED: (MODEL_NOT_LOADED,),
    grpc.StatusCode.NOT_FOUND: (UNKNOWN_ROUTING_KEY, None),
}
"""Status -> the reasons to resolve again. None is none at all, as from a model server that isn't ours."""


class RoutingInterceptor(grpc.UnaryUnaryClientInterceptor, grpc.StreamStreamClientInterceptor):
    """Routes the inference calls and streams of a grpc channel."""

    def __init__(
        self,
        resolve: Resolve,
        *,
        resolve_again: Resolve | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._resolve = resolve
        self._resolve_again = resolve_again or resolve
        self._clock = clock
        self._pool = ThreadPoolExecutor(RETRIES, thread_name_prefix="lightbulb-retry")

    def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        """Resolve the call and make it, twice if need be. Raises LightbulbError."""
        details = client_call_details
        if not _concerns(details.method, details.metadata):
            return continuation(details, request)
        route, deadline = current_route(), Deadline(details.timeout, self._clock)

        def go(resolve: Resolve, timeout: float | None) -> Any:
            answer = resolve(
                route.objective, route.context, override_model=route.override_model, timeout=timeout
            )
            deadline.promise(answer)
            return continuation(
                _routed(details, answer, deadline, route), enrich(request, answer, route.context)
            )

        def go_again(refused: Any) -> Any:
            if deadline.is_over():
                return refused
            try:
                return go(self._resolve_again, deadline.left())
            except LightbulbError as error:
                raise error from refused

        call = go(self._resolve, details.timeout)
        if not call.done():  # `stub.ModelInfer.future`
            return RetriedCall(call, is_refused=_is_refused, again=go_again, pool=self._pool)
        return go_again(call) if _is_refused(call) else call

    def intercept_stream_stream(
        self, continuation: Any, client_call_details: Any, request_iterator: Any
    ) -> Any:
        """Resolve the stream, and open it. Raises LightbulbError."""
        details = client_call_details
        if not _concerns(details.method, details.metadata):
            return continuation(details, request_iterator)
        route, deadline = current_route(), Deadline(details.timeout, self._clock)
        answer = self._resolve(
            route.objective, route.context, override_model=route.override_model, timeout=details.timeout
        )
        return continuation(
            _routed(details, answer, deadline, route), _enriched(request_iterator, answer, route)
        )


class AsyncRoutingInterceptor(grpc.aio.UnaryUnaryClientInterceptor):
    """Routes the inference calls of a grpc.aio channel."""

    def __init__(
        self,
        resolve: AsyncResolve,
        *,
        resolve_again: AsyncResolve | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._resolve = resolve
        self._resolve_again = resolve_again or resolve
        self._clock = clock

    async def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        """Resolve the call and make it, twice if need be. Raises LightbulbError."""
        details = client_call_details
        if not _concerns(details.method, details.metadata):
            return await continuation(details, request)
        route, deadline = current_route(), Deadline(details.timeout, self._clock)

        async def go(resolve: AsyncResolve, seconds: float | None) -> Any:
            answer = await resolve(
                route.objective, route.context, override_model=route.override_model, timeout=seconds
            )
            deadline.promise(answer)
            routed_details = _routed_aio(details, answer, deadline, route)
            return await continuation(routed_details, enrich(request, answer, route.context))

        call = await go(self._resolve, details.timeout)
        if not await _is_refused_async(call) or deadline.is_over():
            return call
        return await go(self._resolve_again, deadline.left())


class AsyncStreamRoutingInterceptor(grpc.aio.StreamStreamClientInterceptor):
    """Routes the inference streams of a grpc.aio channel, where each kind of call has an interceptor."""

    def __init__(self, resolve: AsyncResolve, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._resolve = resolve
        self._clock = clock

    async def intercept_stream_stream(
        self, continuation: Any, client_call_details: Any, request_iterator: Any
    ) -> Any:
        """Resolve the stream, and open it. Raises LightbulbError."""
        details = client_call_details
        if not _concerns(details.method, details.metadata):
            return await continuation(details, request_iterator)
        route, deadline = current_route(), Deadline(details.timeout, self._clock)
        answer = await self._resolve(
            route.objective, route.context, override_model=route.override_model, timeout=details.timeout
        )
        routed_details = _routed_aio(details, answer, deadline, route)
        return await continuation(routed_details, _enriched_async(request_iterator, answer, route))


def _routed(details: Any, answer: Answer, deadline: Deadline, route: Route) -> Details:
    """Return the details of a call with its headers, and what is left of its time."""
    seconds = deadline.left()
    return Details(
        method=details.method,
        timeout=seconds,
        metadata=_with_headers(details.metadata, answer, route, seconds),
        credentials=details.credentials,
        wait_for_ready=getattr(details, "wait_for_ready", None),
        compression=getattr(details, "compression", None),
    )


def _routed_aio(details: Any, answer: Answer, deadline: Deadline, route: Route) -> grpc.aio.ClientCallDetails:
    """Return the same for grpc.aio."""
    seconds = deadline.left()
    return grpc.aio.ClientCallDetails(
        method=details.method,
        timeout=seconds,
        metadata=grpc.aio.Metadata(*_with_headers(details.metadata, answer, route, seconds)),
        credentials=details.credentials,
        wait_for_ready=details.wait_for_ready,
    )


def _with_headers(metadata: Any, answer: Answer, route: Route, seconds: float | None) -> tuple[Any, ...]:
    """Return a call's metadata with ours; two headers of one name would be joined, and match nothing."""
    kept = (each for each in metadata or () if each[0] not in _OURS)
    return (*kept, *call_headers(answer, route.context, seconds))


def _enriched(requests: Iterable[Any], answer: Answer, route: Route) -> Iterator[Any]:
    return (enrich(request, answer, route.context) for request in requests)


async def _enriched_async(
    requests: AsyncIterable[Any] | Iterable[Any], answer: Answer, route: Route
) -> AsyncIterator[Any]:
    """Yield what a caller gave to the stream, in either form that grpc.aio takes."""
    if isinstance(requests, AsyncIterable):
        async for request in requests:
            yield enrich(request, answer, route.context)
    else:
        for request in requests:
            yield enrich(request, answer, route.context)


def _is_refused(call: Any) -> bool:
    """Say whether a finished call was refused because of its routing key or model."""
    code = call.code()
    return code in _REFUSALS and _reason(call.trailing_metadata()) in _REFUSALS[code]


async def _is_refused_async(call: Any) -> bool:
    """Wait until a call has finished; say whether it was refused because of its routing key or model."""
    try:
        code = await call.code()
    except asyncio.CancelledError:
        call.cancel()
        raise
    return code in _REFUSALS and _reason(await call.trailing_metadata()) in _REFUSALS[code]


def _reason(trailers: Iterable[tuple[str, str | bytes]] | None) -> str | bytes | None:
    return next((value for key, value in trailers or () if key == REASON_HEADER), None)


def _concerns(method: str | bytes, metadata: Iterable[tuple[str, str | bytes]] | None) -> bool:
    name = method.decode() if isinstance(method, bytes) else method
    return name in ROUTED_METHODS and all(key != ROUTING_KEY_HEADER for key, _ in metadata or ())
