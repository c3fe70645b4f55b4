"""Asks a Lightbulb once for what many want at the same time, and remembers what it gave.

A call is made for all who ask the same while it is under way, so it has the client's time, not that of one of
them: who has less gives up alone.
"""

from __future__ import annotations

import asyncio
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

from lightbulb.client.coalescing import Coalescing, late
from lightbulb.client.departures import CLOSED
from lightbulb.client.memory import Memory
from lightbulb.client.replies import Outcome
from lightbulb.errors import LightbulbError
from lightbulb.rpc.answer import Answer
from lightbulb.v1 import lightbulb_pb2 as pb

MAX_BESIDE = 64
"""Calls under way beside which an answer that is good still is asked for anew; with more, it waits."""


def key_of(request: pb.ResolveRequest) -> bytes:
    """Return what tells a request from others: all that the answer depends on."""
    return request.SerializeToString(deterministic=True)


def settled(memory: Memory, request: pb.ResolveRequest, outcome: Outcome) -> Outcome:
    """Remember what came of a request, and return it, or what there is in place of an error."""
    if request.explain:
        return outcome
    key = key_of(request)
    if isinstance(outcome, Answer):
        memory.take(key, outcome)
        return outcome
    memory.fail(key, outcome)
    return memory.instead(key, request.objective, outcome) or outcome


F = TypeVar("F")


class _Flights(ABC, Generic[F]):
    """What both kinds share: what is remembered, and the calls under way, each an F, by what they ask."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._under_way: dict[bytes, F] = {}

    @abstractmethod
    def _ask(self, key: bytes, request: pb.ResolveRequest) -> F:
        """Return the call that asks this, a new one if none does."""

    def known(self, written: pb.ResolveRequest | Outcome) -> pb.ResolveRequest | Outcome:
        """Return what there is without waiting for one of many, else what was given."""
        if not isinstance(written, pb.ResolveRequest) or written.explain:
            return written
        return self._at_hand(key_of(written), written) or written

    def _at_hand(self, key: bytes, request: pb.ResolveRequest) -> Answer | None:
        """Return what there is without waiting; it is asked for anew beside, if need be."""
        look = self._memory.look(key, request.objective)
        if look.answer is not None and look.ask and len(self._under_way) < MAX_BESIDE:
            self._ask(key, request)
        return look.answer

    def _instead(self, key: bytes, request: pb.ResolveRequest, error: LightbulbError) -> Answer:
        """Return what there is in place of an error; raise it where there is nothing."""
        instead = self._memory.instead(key, request.objective, error)
        if instead is None:
            raise error
        return instead


class Flights(_Flights[Future[Answer]]):
    """For threads."""

    def __init__(self, memory: Memory, calls: Coalescing) -> None:
        """Have none under way."""
        super().__init__(memory)
        self._calls = calls
        self._lock = threading.RLock()  # a call that is over as it begins lands others in this thread

    def resolve(self, request: pb.ResolveRequest, seconds: float) -> Answer:
        """Return what is remembered, what a Lightbulb gives, or what there is in its place.

        Raises LightbulbError where there is nothing.
        """
        key = key_of(request)
        return self._at_hand(key, request) or self._wait(key, request, self._ask(key, request), seconds)

    def resolve_again(self, request: pb.ResolveRequest, seconds: float) -> Answer:
        """Return what a Lightbulb gives to a call made now, and not what was remembered."""
        key = key_of(request)
        self._memory.forget(key)
        return self._wait(key, request, self._fly(key, request), seconds)

    def _ask(self, key: bytes, request: pb.ResolveRequest) -> Future[Answer]:
        with self._lock:
            flight = self._under_way.get(key)
            if flight is not None:
                return flight
            flight = self._under_way[key] = self._calls.begin(request)
        return self._flown(key, flight)

    def _fly(self, key: bytes, request: pb.ResolveRequest) -> Future[Answer]:
        flight = self._calls.begin(request)
        with self._lock:
            self._under_way[key] = flight
        return self._flown(key, flight)

    def _flown(self, key: bytes, flight: Future[Answer]) -> Future[Answer]:
        """Have it land; not under the lock, since one that is over lands at once."""
        flight.add_done_callback(lambda _: self._land(key, flight))
        return flight

    def _land(self, key: bytes, flight: Future[Answer]) -> None:
        with self._lock:
            if self._under_way.get(key) is flight:
                del self._under_way[key]
        try:
            self._memory.take(key, flight.result())
        except LightbulbError as error:
            self._memory.fail(key, error)

    def _wait(self, key: bytes, request: pb.ResolveRequest, flight: Future[Answer], seconds: float) -> Answer:
        try:
            return self._calls.wait(flight, seconds)
        except LightbulbError as error:
            return self._instead(key, request, error)


class AsyncFlights(_Flights[asyncio.Task[Answer]]):
    """For the tasks of one event loop. `call` gives the answer or raises LightbulbError."""

    def __init__(
        self, memory: Memory, call: Callable[[pb.ResolveRequest], Coroutine[Any, Any, Answer]]
    ) -> None:
        """Have none under way."""
        super().__init__(memory)
        self._call = call

    async def resolve(self, request: pb.ResolveRequest, seconds: float) -> Answer:
        """Do as Flights.resolve."""
        key = key_of(request)
        at_hand = self._at_hand(key, request)
        return at_hand or await self._wait(key, request, self._ask(key, request), seconds)

    async def resolve_again(self, request: pb.ResolveRequest, seconds: float) -> Answer:
        """Do as Flights.resolve_again."""
        key = key_of(request)
        self._memory.forget(key)
        return await self._wait(key, request, self._fly(key, request), seconds)

    def close(self) -> None:
        """Cancel what is under way."""
        for flight in tuple(self._under_way.values()):
            flight.cancel()

    def _ask(self, key: bytes, request: pb.ResolveRequest) -> asyncio.Task[Answer]:
        return self._under_way.get(key) or self._fly(key, request)

    def _fly(self, key: bytes, request: pb.ResolveRequest) -> asyncio.Task[Answer]:
        flight = asyncio.create_task(self._call(request))
        self._under_way[key] = flight
        flight.add_done_callback(lambda _: self._land(key, flight))
        return flight

    def _land(self, key: bytes, flight: asyncio.Task[Answer]) -> None:
        if self._under_way.get(key) is flight:
            del self._under_way[key]
        if flight.cancelled():
            return
        error = flight.exception()
        if error is None:
            self._memory.take(key, flight.result())
        elif isinstance(error, LightbulbError):
            self._memory.fail(key, error)

    async def _wait(
        self, key: bytes, request: pb.ResolveRequest, flight: asyncio.Task[Answer], seconds: float
    ) -> Answer:
        done, _ = await asyncio.wait({flight}, timeout=seconds)
        if not done:
            error: LightbulbError = late(seconds)
        elif flight.cancelled():
            error = LightbulbError(CLOSED)
        else:
            try:
                return flight.result()
            except LightbulbError as failed:
                error = failed
        return self._instead(key, request, error)
