"""Routes inference calls: say what a call is for, and it goes to the right model.

    channel = grpc.intercept_channel(grpc.insecure_channel(sidecar), RoutingInterceptor(client.resolve))
    stub = GRPCInferenceServiceStub(channel)
    with routed("ContinueWatchingRanking", RequestContext(user_id="u1", country="US")):
        response = stub.ModelInfer(request)

For grpc.aio: `grpc.aio.insecure_channel(sidecar, interceptors=[AsyncRoutingInterceptor(client.resolve)])`.
A call is resolved, gets the `x-routing-key` metadata, and carries the ObjectiveConfig in a copy of its
request. It keeps its deadline: what resolving took is taken off. A call without a deadline gets the one
that the platform promises for the objective, if any. What can't be resolved raises a LightbulbError.

Of the calls on the channel, these pass as they are: methods other than ModelInfer (health, metadata),
and calls that have an `x-routing-key` already. An inference call that is not `routed` raises NotRouted:
without a key Envoy would refuse it anyway.

`resolve` is a function so that a cache, a fallback or tables in this process can stand in its place.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import grpc
import grpc.aio

from lightbulb.answer import Answer
from lightbulb.enrich import enrich
from lightbulb.errors import NotRouted, TimedOut
from lightbulb.model import ROUTING_KEY_HEADER, RequestContext

MODEL_INFER = "/inference.GRPCInferenceService/ModelInfer"


class Resolve(Protocol):
    """BlockingLightbulbClient.resolve, or what stands in its place."""

    def __call__(
        self, objective: str, context: RequestContext, *, override_model: str, timeout: float | None
    ) -> Answer:
        """Return the answer, or raise LightbulbError."""


class AsyncResolve(Protocol):
    """LightbulbClient.resolve, or what stands in its place."""

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
    """Say what the inference calls of this block are for. Holds for this thread or task alone.

    A call belongs to the block that it is made in; awaiting it later changes nothing.
    """
    token = _route.set(Route(objective=objective, context=context, override_model=override_model))
    try:
        yield
    finally:
        _route.reset(token)


class _Call(NamedTuple):
    """Details of a call, as both of gRPC's kinds of interceptor are to be given them."""

    method: Any
    timeout: float | None
    metadata: Any
    credentials: Any
    wait_for_ready: Any
    compression: Any


class _Details(_Call, grpc.ClientCallDetails):
    """A call's details for grpc's interceptors."""


class RoutingInterceptor(grpc.UnaryUnaryClientInterceptor):
    """Routes the inference calls of a grpc channel."""

    def __init__(self, resolve: Resolve, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._resolve = resolve
        self._clock = clock

    def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        """Resolve the call and go on with it. Raises LightbulbError."""
        details = client_call_details
        if not _concerns(details.method, details.metadata):
            return continuation(details, request)
        route, begin = _current_route(), self._clock()
        answer = self._resolve(
            route.objective, route.context, override_model=route.override_model, timeout=details.timeout
        )
        routed_details = _Details(
            method=details.method,
            timeout=_timeout(details.timeout, self._clock() - begin, answer),
            metadata=(*(details.metadata or ()), (ROUTING_KEY_HEADER, answer.routing_key)),
            credentials=details.credentials,
            wait_for_ready=getattr(details, "wait_for_ready", None),
            compression=getattr(details, "compression", None),
        )
        return continuation(routed_details, enrich(request, answer, route.context))


class AsyncRoutingInterceptor(grpc.aio.UnaryUnaryClientInterceptor):
    """Routes the inference calls of a grpc.aio channel."""

    def __init__(self, resolve: AsyncResolve, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._resolve = resolve
        self._clock = clock

    async def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        """Resolve the call and go on with it. Raises LightbulbError."""
        details = client_call_details
        if not _concerns(details.method, details.metadata):
            return await continuation(details, request)
        route, begin = _current_route(), self._clock()
        answer = await self._resolve(
            route.objective, route.context, override_model=route.override_model, timeout=details.timeout
        )
        routed_details = grpc.aio.ClientCallDetails(
            method=details.method,
            timeout=_timeout(details.timeout, self._clock() - begin, answer),
            metadata=grpc.aio.Metadata(*(details.metadata or ()), (ROUTING_KEY_HEADER, answer.routing_key)),
            credentials=details.credentials,
            wait_for_ready=details.wait_for_ready,
        )
        return await continuation(routed_details, enrich(request, answer, route.context))


def _concerns(method: str | bytes, metadata: Iterable[tuple[str, str | bytes]] | None) -> bool:
    name = method.decode() if isinstance(method, bytes) else method
    return name == MODEL_INFER and all(key != ROUTING_KEY_HEADER for key, _ in metadata or ())


def _current_route() -> Route:
    route = _route.get()
    if route is None:
        raise NotRouted(
            "an inference call that says neither objective nor context: "
            "make it inside `with routed(objective, context):`"
        )
    return route


def _timeout(asked: float | None, spent: float, answer: Answer) -> float | None:
    """Return the seconds left for the inference call; None when nobody set a limit."""
    if asked is None:
        return answer.deadline or None
    if spent >= asked:
        raise TimedOut(f"resolving took all of the call's {asked:g} s")
    return asked - spent
