"""Sends the requests of many threads or tasks as few calls: Resolve for one, BatchResolve for several.

A call with several requests has the client's time, and nobody's in particular: who has less gives up alone.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Iterable, Sequence
from concurrent.futures import Future
from math import inf
from typing import Any

import grpc
import grpc.aio

from lightbulb.client.departures import CLOSED, SLOW_SECONDS, Departure, Departures
from lightbulb.client.replies import Outcome, read_answer, read_outcomes
from lightbulb.errors import LightbulbError, TimedOut
from lightbulb.rpc.answer import Answer
from lightbulb.rpc.status import error_of_call
from lightbulb.v1 import lightbulb_pb2 as pb

RESOLVE = "/lightbulb.v1.Lightbulb/Resolve"
BATCH_RESOLVE = "/lightbulb.v1.Lightbulb/BatchResolve"


def late(seconds: float) -> TimedOut:
    """Return the error of who has waited for so long."""
    return TimedOut(f"Lightbulb didn't answer within {seconds:g} s")


def _read(response: bytes, count: int) -> Sequence[Outcome]:
    """Return what came of the requests of a departure; raise LightbulbError."""
    return [read_answer(response)] if count == 1 else read_outcomes(response, count)


_Waiter = Future[Answer]


class Coalescing:
    """For threads. `timeout` is that of a call."""

    def __init__(self, channel: grpc.Channel, timeout: float) -> None:
        """Have none under way."""
        self._timeout = timeout
        self._call: grpc.UnaryUnaryMultiCallable[pb.ResolveRequest, bytes] = channel.unary_unary(
            RESOLVE, pb.ResolveRequest.SerializeToString
        )
        self._batch: grpc.UnaryUnaryMultiCallable[pb.BatchResolveRequest, bytes] = channel.unary_unary(
            BATCH_RESOLVE, pb.BatchResolveRequest.SerializeToString
        )
        self._departures: Departures[_Waiter] = Departures(time.monotonic)
        self._lock = threading.Lock()

    def resolve(self, request: pb.ResolveRequest, seconds: float) -> Answer:
        """Return a Lightbulb's answer; raise LightbulbError."""
        waiter = _Waiter()
        with self._lock:
            departure = self._departures.arrive(waiter, request)
        if departure is not None and departure.is_only(waiter):
            return self._alone(departure, request, seconds)
        self._send(departure)
        try:
            return self.wait(waiter, seconds)
        finally:
            with self._lock:
                self._departures.give_up(waiter)

    def batch(self, requests: Sequence[pb.ResolveRequest]) -> bytes:
        """Make one call with all of them, now; raise grpc.RpcError."""
        return self._batch(pb.BatchResolveRequest(requests=requests), timeout=self._timeout)

    def begin(self, request: pb.ResolveRequest) -> Future[Answer]:
        """Return the answer that will be there, or its LightbulbError; `wait` for it."""
        waiter = _Waiter()
        try:
            with self._lock:
                departure = self._departures.arrive(waiter, request)
        except LightbulbError as error:
            waiter.set_exception(error)
        else:
            self._send(departure)
        return waiter

    def wait(self, waiter: Future[Answer], seconds: float) -> Answer:
        """Return the answer; raise LightbulbError, and TimedOut after so many seconds."""
        end, pause = time.monotonic() + seconds, SLOW_SECONDS
        while (left := end - time.monotonic()) > 0:
            try:
                return waiter.result(min(pause, left))
            except TimeoutError:
                # The call that it waits for takes long. A thread that waits is the only clock there is.
                with self._lock:
                    departure = self._departures.leave()
                    pause = 2 * pause if waiter in self._departures else inf
                self._send(departure)
        raise late(seconds)

    def close(self) -> None:
        """Send no more; the channel is closed next."""
        with self._lock:
            left = self._departures.close()
        for waiter in left:
            waiter.set_exception(LightbulbError(CLOSED))

    def _alone(self, departure: Departure[_Waiter], request: pb.ResolveRequest, seconds: float) -> Answer:
        """Make the call in this thread, which costs the least, and in its own time."""
        try:
            return read_answer(self._call(request, timeout=seconds))
        except grpc.RpcError as error:
            raise error_of_call(error) from error
        except ValueError as error:  # gRPC's, of a channel that is closed
            raise LightbulbError(CLOSED) from error
        finally:
            self._land(departure)

    def _send(self, departure: Departure[_Waiter] | None) -> None:
        if departure is None:
            return
        try:
            call = self._begin(list(departure.requests.values()))
        except ValueError:  # gRPC's, of a channel that is closed
            self._end(departure, [LightbulbError(CLOSED)] * len(departure.requests))
            return
        call.add_done_callback(lambda _: self._end(departure, _outcomes(call, len(departure.requests))))

    def _begin(self, requests: Sequence[pb.ResolveRequest]) -> Any:
        if len(requests) == 1:
            return self._call.future(requests[0], timeout=self._timeout)
        return self._batch.future(pb.BatchResolveRequest(requests=requests), timeout=self._timeout)

    def _end(self, departure: Departure[_Waiter], outcomes: Sequence[Outcome]) -> None:
        self._land(departure)
        for waiter, outcome in zip(departure.requests, outcomes, strict=True):
            if isinstance(outcome, Answer):
                waiter.set_result(outcome)
            else:
                waiter.set_exception(outcome)

    def _land(self, departure: Departure[_Waiter]) -> None:
        with self._lock:
            following = self._departures.land(departure)
        self._send(following)


def _outcomes(call: Any, count: int) -> Sequence[Outcome]:
    """Return what came of the requests of a call that is over."""
    try:
        return _read(call.result(), count)
    except grpc.RpcError as error:
        failed = error_of_call(error)
    except grpc.FutureCancelledError:
        failed = LightbulbError(CLOSED)
    except LightbulbError as error:
        failed = error
    return [failed] * count


_AsyncWaiter = asyncio.Future[Answer]


class AsyncCoalescing:
    """For the tasks of one event loop."""

    def __init__(self, channel: grpc.aio.Channel, timeout: float) -> None:
        """Have none under way."""
        self._timeout = timeout
        self._call: grpc.aio.UnaryUnaryMultiCallable[pb.ResolveRequest, bytes] = channel.unary_unary(
            RESOLVE, pb.ResolveRequest.SerializeToString
        )
        self._batch: grpc.aio.UnaryUnaryMultiCallable[pb.BatchResolveRequest, bytes] = channel.unary_unary(
            BATCH_RESOLVE, pb.BatchResolveRequest.SerializeToString
        )
        self._departures: Departures[_AsyncWaiter] = Departures(time.monotonic)
        self._sending: set[asyncio.Task[Sequence[Outcome]]] = set()
        self._timer: asyncio.TimerHandle | None = None

    async def resolve(self, request: pb.ResolveRequest, seconds: float) -> Answer:
        """Return a Lightbulb's answer; raise LightbulbError."""
        waiter: _AsyncWaiter = asyncio.get_running_loop().create_future()
        departure = self._departures.arrive(waiter, request)
        if departure is not None and departure.is_only(waiter):
            return await self._alone(departure, request, seconds)
        self._send(departure)
        self._set_timer()
        try:
            async with asyncio.timeout(seconds):
                return await waiter
        except TimeoutError:
            raise late(seconds) from None
        finally:
            self._departures.give_up(waiter)

    def batch(self, requests: Sequence[pb.ResolveRequest]) -> Awaitable[bytes]:
        """Make one call with all of them, now; raise grpc.aio.AioRpcError."""
        return self._batch(pb.BatchResolveRequest(requests=requests), timeout=self._timeout)

    def close(self) -> None:
        """Send no more, and cancel what is under way; the channel is closed next."""
        left = self._departures.close()
        _settle(left, [LightbulbError(CLOSED)] * len(left))
        for task in self._sending:
            task.cancel()
        if self._timer is not None:
            self._timer.cancel()

    async def _alone(
        self, departure: Departure[_AsyncWaiter], request: pb.ResolveRequest, seconds: float
    ) -> Answer:
        """Make the call in this task: it has its time, and is cancelled with it."""
        try:
            return read_answer(await self._call(request, timeout=seconds))
        except grpc.aio.AioRpcError as error:
            raise error_of_call(error) from error
        finally:
            self._send(self._departures.land(departure))

    def _send(self, departure: Departure[_AsyncWaiter] | None) -> None:
        if departure is None:
            return
        task = asyncio.create_task(self._outcomes(list(departure.requests.values())))
        self._sending.add(task)
        task.add_done_callback(lambda _: self._end(departure, task))

    async def _outcomes(self, requests: Sequence[pb.ResolveRequest]) -> Sequence[Outcome]:
        try:
            return _read(await self._begin(requests), len(requests))
        except grpc.aio.AioRpcError as error:
            failed = error_of_call(error)
        except LightbulbError as error:
            failed = error
        return [failed] * len(requests)

    def _begin(self, requests: Sequence[pb.ResolveRequest]) -> Awaitable[bytes]:
        if len(requests) == 1:
            return self._call(requests[0], timeout=self._timeout)
        return self.batch(requests)

    def _end(self, departure: Departure[_AsyncWaiter], task: asyncio.Task[Sequence[Outcome]]) -> None:
        self._sending.discard(task)
        if task.cancelled():  # with the client, or the loop
            _settle(departure.requests, [LightbulbError(CLOSED)] * len(departure.requests))
            return
        self._send(self._departures.land(departure))
        _settle(departure.requests, task.result())

    def _set_timer(self) -> None:
        if self._timer is None and self._departures:
            self._timer = asyncio.get_running_loop().call_later(SLOW_SECONDS, self._look)

    def _look(self) -> None:
        self._timer = None
        self._send(self._departures.leave())
        self._set_timer()


def _settle(waiters: Iterable[_AsyncWaiter], outcomes: Sequence[Outcome]) -> None:
    for waiter, outcome in zip(waiters, outcomes, strict=True):
        if waiter.done():  # its task gave up
            continue
        if isinstance(outcome, Answer):
            waiter.set_result(outcome)
        else:
            waiter.set_exception(outcome)
