"""A few daemon threads with a bounded backlog.

Unlike the standard library's executor: a job that hangs doesn't keep the process from ending, and a job
counts until its thread is done with it, whether or not anybody still waits for it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

from lightbulb.host.errors import Busy

T = TypeVar("T")

_Job = tuple[Future[Any], Callable[[], Any]]


class Workers:
    """`count` threads, and at most `limit` jobs that wait or run."""

    def __init__(self, name: str, *, count: int, limit: int) -> None:
        """Start the threads; they end with `close`, or with the process."""
        self._limit = limit
        self._lock = threading.Lock()
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._backlog = 0
        self._count = count
        for number in range(count):
            threading.Thread(target=self._work, name=f"{name}-{number}", daemon=True).start()

    def submit(self, function: Callable[[], T], *, share: int = 1) -> Future[T]:
        """Return the future of `function`'s result; raises Busy. One that is cancelled in time never runs.

        It is taken while fewer jobs are under way than the limit divided by `share`.
        """
        future: Future[T] = Future()
        most = max(1, self._limit // share)
        with self._lock:
            if self._backlog >= most:
                raise Busy(f"{most} requests are under way; try another host")
            self._backlog += 1
        self._jobs.put((future, function))
        return future

    def close(self) -> None:
        """End each thread once it is done with what was submitted. Returns at once."""
        for _ in range(self._count):
            self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            self._run(*job)
            del job  # a request must not live on until the next one comes

    def _run(self, future: Future[Any], function: Callable[[], Any]) -> None:
        wanted = future.set_running_or_notify_cancel()
        result, fault = None, None
        try:
            result = function() if wanted else None
        except BaseException as error:  # noqa: BLE001 - it is whoever waits for it that must see it
            fault = error
        with self._lock:  # before anybody hears of the result, and submits the next
            self._backlog -= 1
        if fault is not None:
            future.set_exception(fault)
        elif wanted:
            future.set_result(result)
        # The fault's traceback leads to this frame: its locals must not lead back to the fault.
        del future, function, fault
