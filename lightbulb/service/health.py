"""gRPC's health service for a server of threads, with a bound on those who watch.

grpcio's own takes no thread for a watcher, but may stand still for ever, and the whole server with it, when
one watcher leaves while another is told something. So each watcher has a thread here, and none that resolves.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from grpc_health.v1 import health

WATCHERS = 64
"""At most so many watch at a time. Others end with RESOURCE_EXHAUSTED; `Check` answers them."""

SPARE_THREADS = 8
"""For those who are refused, and for those whose request comes slowly."""


class Health(health.HealthServicer):  # type: ignore[misc] # grpc_health has no types
    """The health of one server."""

    def __init__(self) -> None:
        super().__init__(experimental_non_blocking=False)
        self.Watch = self._make_watch()

    def _make_watch(self) -> Any:
        room = threading.BoundedSemaphore(WATCHERS)
        base = super().Watch

        def watch(request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
            if not room.acquire(blocking=False):
                text = f"{WATCHERS} watch already; call Check, or watch at another server"
                context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, text)
            if not context.add_callback(room.release):
                room.release()  # the caller has left
                return iter(())
            watcher: Iterator[Any] = base(request, context)
            return watcher

        pool = ThreadPoolExecutor(WATCHERS + SPARE_THREADS, thread_name_prefix="watchers")
        watch.experimental_thread_pool = pool  # type: ignore[attr-defined] # grpcio's own name for it
        return watch
