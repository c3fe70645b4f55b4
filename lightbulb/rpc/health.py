"""gRPC's health service, with a bound on those who watch. Only servers import this: clients needn't have it.

A watcher is rightly quiet for days, so it isn't ended for that. It ends when it leaves, when its connection
answers no ping (`keepalive.py`), and when the server stops: then it is told NOT_SERVING first. grpcio's own
services have no bound; the one for threads may stand still for ever, and the whole server with it, when one
watcher leaves while another is told something.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from lightbulb.rpc.doors import REFUSAL

WATCHERS = 64
"""At most so many watch at a time. Others end with RESOURCE_EXHAUSTED; `Check` answers them."""

SPARE_THREADS = 8
"""For those who are refused, and for those whose request comes slowly."""

_FULL = f"{WATCHERS} watch already; call Check, or watch at another server"
_UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
_Context = grpc.aio.ServicerContext[Any, Any]


class _Statuses:
    """The status of each service by name. From `leave` on all are NOT_SERVING."""

    def __init__(self) -> None:
        self._by_service: dict[str, Any] = {"": _NOT_SERVING}
        self._leaving = False

    def set(self, services: tuple[str, ...], status: Any) -> None:
        if not self._leaving:
            self._by_service.update(dict.fromkeys(services, status))

    def leave(self) -> None:
        self._by_service = dict.fromkeys(self._by_service, _NOT_SERVING)
        self._leaving = True

    def known(self, service: str) -> Any | None:
        return self._by_service.get(service)

    def watched(self, service: str) -> Any:
        return self._by_service.get(service, _UNKNOWN)


class Health(health_pb2_grpc.HealthServicer):  # type: ignore[misc] # grpc_health has no types
    """The health of one server of threads. Each watcher has a thread, and none of those that resolve."""

    def __init__(self) -> None:
        """Nothing serves yet."""
        self._statuses = _Statuses()
        self._news = threading.Condition()  # never held while gRPC is called
        self._room = threading.BoundedSemaphore(WATCHERS)
        self._ended = False
        self.Watch = self._make_watch()

    def set(self, status: Any, *services: str) -> None:
        """Say how these services do, and those who watch them hear of it."""
        with self._news:
            self._statuses.set(services, status)
            self._news.notify_all()

    def leave(self) -> None:
        """Say NOT_SERVING of every service, for good."""
        with self._news:
            self._statuses.leave()
            self._news.notify_all()

    def end_watches(self) -> None:
        """End those who watch, as UNAVAILABLE, once they have been told all."""
        with self._news:
            self._ended = True
            self._news.notify_all()

    def known(self, service: str) -> Any | None:
        """Return how a service does; None: there is no such service."""
        return self._statuses.known(service)

    def Check(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802 - gRPC's name
        """Say how a service does."""
        status = self.known(request.service)
        if status is None:
            context.abort(grpc.StatusCode.NOT_FOUND, f"no service {request.service!r}")
        return health_pb2.HealthCheckResponse(status=status)

    def _make_watch(self) -> Any:
        def watch(request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
            if not self._room.acquire(blocking=False):
                context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, _FULL)
            try:
                yield from self._told(request.service, context)
            finally:
                self._room.release()

        pool = ThreadPoolExecutor(WATCHERS + SPARE_THREADS, thread_name_prefix="watchers")
        watch.experimental_thread_pool = pool  # type: ignore[attr-defined] # grpcio's own name for it
        return watch

    def _told(self, service: str, context: grpc.ServicerContext) -> Iterator[Any]:
        left = threading.Event()

        def leave() -> None:
            left.set()
            with self._news:
                self._news.notify_all()

        if not context.add_callback(leave):
            return
        last = None
        while True:
            with self._news:
                while not (left.is_set() or self._ended or self._statuses.watched(service) != last):
                    self._news.wait()
                status, ended = self._statuses.watched(service), self._ended
            if left.is_set():
                return
            if status != last:
                yield health_pb2.HealthCheckResponse(status=status)
                last = status
            elif ended:
                context.abort(grpc.StatusCode.UNAVAILABLE, REFUSAL)


class LoopHealth(health_pb2_grpc.HealthServicer):  # type: ignore[misc] # grpc_health has no types
    """The same of one server of grpc.aio, in its event loop."""

    def __init__(self) -> None:
        """Nothing serves yet."""
        self._statuses = _Statuses()
        self._news = asyncio.Event()
        self._watchers = 0
        self._ended = False

    def set(self, status: Any, *services: str) -> None:
        """Say how these services do, and those who watch them hear of it."""
        self._statuses.set(services, status)
        self._tell()

    def leave(self) -> None:
        """Say NOT_SERVING of every service, for good."""
        self._statuses.leave()
        self._tell()

    def end_watches(self) -> None:
        """End those who watch, as UNAVAILABLE, once they have been told all."""
        self._ended = True
        self._tell()

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    async def Check(self, request: Any, context: _Context) -> Any:  # noqa: N802 - gRPC's name
        """Say how a service does."""
        status = self._statuses.known(request.service)
        if status is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"no service {request.service!r}")
        return health_pb2.HealthCheckResponse(status=status)

    async def Watch(self, request: Any, context: _Context) -> AsyncIterator[Any]:  # noqa: N802 - gRPC's name
        """Say how a service does, now and after every change."""
        if self._watchers >= WATCHERS:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, _FULL)
        self._watchers += 1
        try:
            last = None
            while True:
                news, ended, status = self._news, self._ended, self._statuses.watched(request.service)
                if status != last:
                    yield health_pb2.HealthCheckResponse(status=status)
                    last = status
                elif ended:
                    await context.abort(grpc.StatusCode.UNAVAILABLE, REFUSAL)
                else:
                    await news.wait()
        finally:
            self._watchers -= 1
