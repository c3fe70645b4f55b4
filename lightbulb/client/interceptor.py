"""Routes inference calls: say what a call is for, and it reaches the right model.

    channel = grpc.insecure_channel(sidecar, options=DIRECT)
    channel = grpc.intercept_channel(channel, RoutingInterceptor(client.resolve))
    stub = GRPCInferenceServiceStub(channel)
    with routed("ContinueWatchingRanking", RequestContext(user_id="u1", country="US")):
        response = stub.ModelInfer(request)

For grpc.aio: `grpc.aio.insecure_channel(sidecar, interceptors=[AsyncRoutingInterceptor(client.resolve)])`.
The interceptor resolves each call, adds the `x-routing-key` metadata, and puts the ObjectiveConfig into a
copy of the request. Resolving is part of the call's deadline. A call without a deadline gets the one that the
platform promises for the objective, if any. A call that can't be resolved raises a LightbulbError.

When the host hasn't loaded the model, or the sidecar doesn't know the key, the call is resolved again and
made once more, within its deadline. The caller gets the result of the second call.

Two kinds of calls pass unchanged: methods other than ModelInfer (health, metadata), and calls that have an
`x-routing-key` already. An inference call outside a `routed` block raises NotRouted; Envoy would refuse it.

`resolve` may be any function with that signature: a cache, a fallback, tables in this process. The second
call is resolved by `resolve_again`, so that a cache doesn't give the old key again. The default is `resolve`.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import grpc
import grpc.aio

from lightbulb.client.retried_call import RetriedCall
from lightbulb.errors import LightbulbError, NotRouted, TimedOut
from lightbulb.model import (
    MODEL_NOT_LOADED,
    REASON_HEADER,
    ROUTING_KEY_HEADER,
    UNKNOWN_ROUTING_KEY,
    RequestContext,
)
from lightbulb.rpc.answer import Answer
from lightbulb.rpc.enrich import enrich

MODEL_INFER = "/inference.GRPCInferenceService/ModelInfer"

RETRIES = 8
"""Threads that make second calls for `future` calls. When all are busy, others wait."""

_REFUSALS = {
    grpc.StatusCode.ABORTED: MODEL_NOT_LOADED,
    grpc.StatusCode.NOT_FOUND: UNKNOWN_ROUTING_KEY,
}


class Resolve(Protocol):
    """BlockingLightbulbClient.resolve, or a function in its place."""

    def __call__(
        self, objective: str, context: RequestContext, *, override_model: str, timeout: float | None
    ) -> Answer:
        """Return the answer, or raise LightbulbError."""


class AsyncResolve(Protocol):
    """LightbulbClient.resolve, or a function in its place."""

    def __call__(
        self, objective: str, context: RequestContext, *, override_model: str, timeout: float | None
    ) -> Awaitable[Answer]:
        """Return the answer, or raise LightbulbError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """What the calls in a `routed` block are for."""

    objective: str
    context: RequestContext
    override_model: str = ""


_route: ContextVar[Route | None] = ContextVar("lightbulb_route", default=None)


@contextlib.contextmanager
def routed(objective: str, context: RequestContext, *, override_model: str = "") -> Iterator[None]:
    """Say what the inference calls in this block are for, in this thread or task alone.

    A call belongs to the block in which it is made, even if it is awaited later.
    """
    token = _route.set(Route(objective=objective, context=context, override_model=override_model))
    try:
        yield
    finally:
        _route.reset(token)


class _Call(NamedTuple):
    """Details of a call, in the form that gRPC's interceptors pass on."""

    method: Any
    timeout: float | None
    metadata: Any
    credentials: Any
    wait_for_ready: Any
    compression: Any


class _Details(_Call, grpc.ClientCallDetails):
    """A call's details for grpc's interceptors."""


class _Deadline:
    """When a call must be over, resolving included. With `asked` None it may take any time."""

    def __init__(self, asked: float | None, clock: Callable[[], float]) -> None:
        self._asked = asked
        self._clock = clock
        self._until = None if asked is None else clock() + asked

    def promise(self, answer: Answer) -> None:
        """If the caller set no deadline, take the one that the platform promises, from now on."""
        if self._until is None and answer.deadline:
            self._asked = answer.deadline
            self._until = self._clock() + answer.deadline

    def is_over(self) -> bool:
        """Whether no time is left."""
        return self._until is not None and self._clock() >= self._until

    def left(self) -> float | None:
        """Return the seconds left; raise TimedOut when there are none."""
        if self._until is None:
            return None
        left = self._until - self._clock()
        if left <= 0:
            raise TimedOut(f"resolving took all of the call's {self._asked:g} s")
        return left


class RoutingInterceptor(grpc.UnaryUnaryClientInterceptor):
    """Routes the inference calls of a grpc channel."""

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
        route, deadline = _current_route(), _Deadline(details.timeout, self._clock)

        def go(resolve: Resolve, timeout: float | None) -> Any:
            answer = resolve(
                route.objective, route.context, override_model=route.override_model, timeout=timeout
            )
            deadline.promise(answer)
            routed_details = _Details(
                method=details.method,
                timeout=deadline.left(),
                metadata=(*(details.metadata or ()), (ROUTING_KEY_HEADER, answer.routing_key)),
                credentials=details.credentials,
                wait_for_ready=getattr(details, "wait_for_ready", None),
                compression=getattr(details, "compression", None),
            )
            return continuation(routed_details, enrich(request, answer, route.context))

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
        route, deadline = _current_route(), _Deadline(details.timeout, self._clock)

        async def go(resolve: AsyncResolve, seconds: float | None) -> Any:
            answer = await resolve(
                route.objective, route.context, override_model=route.override_model, timeout=seconds
            )
            deadline.promise(answer)
            metadata = (*(details.metadata or ()), (ROUTING_KEY_HEADER, answer.routing_key))
            routed_details = grpc.aio.ClientCallDetails(
                method=details.method,
                timeout=deadline.left(),
                metadata=grpc.aio.Metadata(*metadata),
                credentials=details.credentials,
                wait_for_ready=details.wait_for_ready,
            )
            return await continuation(routed_details, enrich(request, answer, route.context))

        call = await go(self._resolve, details.timeout)
        if not await _is_refused_async(call) or deadline.is_over():
            return call
        return await go(self._resolve_again, deadline.left())


def _is_refused(call: Any) -> bool:
    """Say whether a finished call was refused because of its routing key or model."""
    code = call.code()
    return code in _REFUSALS and _says(call.trailing_metadata(), _REFUSALS[code])


async def _is_refused_async(call: Any) -> bool:
    """Wait until a call has finished; say whether it was refused because of its routing key or model."""
    try:
        code = await call.code()
    except asyncio.CancelledError:
        call.cancel()
        raise
    return code in _REFUSALS and _says(await call.trailing_metadata(), _REFUSALS[code])


def _says(trailers: Iterable[tuple[str, str | bytes]] | None, reason: str) -> bool:
    return any(key == REASON_HEADER and value == reason for key, value in trailers or ())


def _concerns(method: str | bytes, metadata: Iterable[tuple[str, str | bytes]] | None) -> bool:
    name = method.decode() if isinstance(method, bytes) else method
    return name == MODEL_INFER and all(key != ROUTING_KEY_HEADER for key, _ in metadata or ())


def _current_route() -> Route:
    route = _route.get()
    if route is None:
        raise NotRouted(
            "this inference call has no objective and no context: "
            "make it inside `with routed(objective, context):`"
        )
    return route
