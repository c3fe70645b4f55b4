"""What `stub.Method.future` returns: a call that is under way, and may be made a second time.

It is over when it has succeeded, failed for good, or was made twice. A thread of `pool` makes the second
call, since gRPC's own threads must not wait.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from concurrent import futures
from typing import Any

import grpc


class RetriedCall(grpc.Call, grpc.Future):  # type: ignore[type-arg] # not generic at run time
    """Both a call and a future, as gRPC's own are."""

    def __init__(
        self,
        first: Any,
        *,
        is_refused: Callable[[Any], bool],
        again: Callable[[Any], Any],
        pool: futures.Executor,
    ) -> None:
        """`again` makes the second call, given the first. If it raises an error, this call ends with it."""
        self._call = first
        self._is_refused = is_refused
        self._again = again
        self._pool = pool
        self._context = contextvars.copy_context()
        self._cancelled = False
        self._error: Exception | None = None
        self._over: futures.Future[None] = futures.Future()
        first.add_done_callback(self._first_done)

    def _first_done(self, first: Any) -> None:
        if self._cancelled or not self._is_refused(first):
            self._over.set_result(None)
            return
        try:
            self._pool.submit(self._context.run, self._call_again, first)
        except RuntimeError:  # the process is ending
            self._over.set_result(None)

    def _call_again(self, first: Any) -> None:
        try:
            second = self._again(first)
        except Exception as error:  # noqa: BLE001 - for the caller, who waits in another thread
            self._error = error
            self._over.set_result(None)
            return
        self._call = second
        if self._cancelled:
            second.cancel()
        second.add_done_callback(lambda _: self._over.set_result(None))

    def _wait(self, timeout: float | None = None) -> Any:
        try:
            self._over.result(timeout)
        except futures.TimeoutError:
            raise grpc.FutureTimeoutError from None
        return self._call

    # grpc.Future

    def cancel(self) -> bool:
        """Cancel what is under way."""
        done = self.done()
        self._cancelled = True
        self._call.cancel()
        return not done

    def cancelled(self) -> bool:
        """Whether it was cancelled before it was over."""
        return self.done() and bool(self._call.cancelled())

    def running(self) -> bool:
        """Whether it is under way."""
        return not self.done()

    def done(self) -> bool:
        """Whether it is over."""
        return self._over.done()

    def result(self, timeout: float | None = None) -> Any:
        """Return the response, or raise what the call ended with."""
        call = self._wait(timeout)
        if self._error is not None:
            raise self._error
        return call.result()

    def exception(self, timeout: float | None = None) -> Any:
        """Return what the call ended with, or None."""
        call = self._wait(timeout)
        return call.exception() if self._error is None else self._error

    def traceback(self, timeout: float | None = None) -> Any:
        """Return the traceback of what the call ended with, or None."""
        call = self._wait(timeout)
        return call.traceback() if self._error is None else self._error.__traceback__

    def add_done_callback(self, fn: Callable[[Any], None]) -> None:
        """Call `fn` with this call once it is over."""
        self._over.add_done_callback(lambda _: fn(self))

    # grpc.Call

    def is_active(self) -> bool:
        """Whether it is under way."""
        return not self.done()

    def time_remaining(self) -> float:
        """Return the seconds left; None when there is no deadline."""
        remaining: float = self._call.time_remaining()
        return remaining

    def add_callback(self, callback: Callable[[], None]) -> bool:
        """Call `callback` once it is over; return False when it is over already."""
        if self.done():
            return False
        self._over.add_done_callback(lambda _: callback())
        return True

    def initial_metadata(self) -> Any:
        """Return the metadata that the last call began with."""
        return self._wait().initial_metadata()

    def trailing_metadata(self) -> Any:
        """Return the metadata that the last call ended with."""
        return self._wait().trailing_metadata()

    def code(self) -> grpc.StatusCode:
        """Return the last call's status."""
        code: grpc.StatusCode = self._wait().code()
        return code

    def details(self) -> str:
        """Return the last call's message."""
        details: str = self._wait().details()
        return details
