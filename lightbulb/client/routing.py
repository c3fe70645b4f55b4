"""What a call is for, and what routing it takes: shared by the interceptors of both kinds of channels."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import grpc

from lightbulb.errors import NotRouted, TimedOut
from lightbulb.model import RequestContext
from lightbulb.rpc.answer import Answer


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


class Details(_Call, grpc.ClientCallDetails):
    """A call's details for grpc's interceptors."""


class Deadline:
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


def current_route() -> Route:
    """Return what a call that is made now is for. Raises NotRouted."""
    route = _route.get()
    if route is None:
        raise NotRouted(
            "this inference call has no objective and no context: "
            "make it inside `with routed(objective, context):`"
        )
    return route
