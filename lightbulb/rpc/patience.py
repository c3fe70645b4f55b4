"""Ends calls whose caller says nothing, at a server of threads: each such call holds one.

A call that was opened and never sent its message, or a stream that stays open between two, waits in
`Patience.next`. It may wait `SECONDS`. While more than half of the threads wait so, those that waited longest
are ended at once, so that whoever does speak is answered.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from typing import TypeVar

import grpc

log = logging.getLogger(__name__)

Message = TypeVar("Message")

SECONDS = 20.0
"""How long a caller may say nothing. The message of a call comes with it, so this is for slow networks."""

CROWDED_SECONDS = 0.1
"""The same while more than half of the threads wait."""

LOOK_SECONDS = 0.05


class Patience:
    """Of one server with this many `threads`. `start` it with the server, and `stop` it with it."""

    def __init__(self, threads: int, seconds: float = SECONDS) -> None:
        self._enough = threads // 2
        self._seconds = seconds
        self._waiting: dict[grpc.ServicerContext, float] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="patience", daemon=True)

    def start(self) -> None:
        """Begin to look after calls."""
        self._thread.start()

    def stop(self) -> None:
        """End no more calls: the server does so itself."""
        self._stopped.set()

    def next(self, requests: Iterator[Message], context: grpc.ServicerContext) -> Message | None:
        """Return the caller's next message; None at the end. Raises RpcError once the call has ended."""
        self._waiting[context] = time.monotonic()
        try:
            return next(requests, None)
        finally:
            del self._waiting[context]

    def only(self, requests: Iterator[Message], context: grpc.ServicerContext) -> Message:
        """Return the message of a call that has one."""
        message = self.next(requests, context)
        if message is None:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, "the call has no request message; send one")
            raise AssertionError("abort raises")
        return message

    def each(self, requests: Iterator[Message], context: grpc.ServicerContext) -> Iterator[Message]:
        """Give the messages of a stream."""
        while (message := self.next(requests, context)) is not None:
            yield message

    def _watch(self) -> None:
        while not self._stopped.wait(LOOK_SECONDS):
            if self._waiting:
                self._end_silent(time.monotonic())

    def _end_silent(self, now: float) -> None:
        waiting = self._waiting.copy()  # in one step: other threads change it
        spare = max(0, len(waiting) - self._enough)
        longest = sorted(waiting.items(), key=lambda item: item[1])
        ended = 0
        for place, (context, since) in enumerate(longest):
            if now - since > (CROWDED_SECONDS if place < spare else self._seconds):
                context.cancel()
                ended += 1
        if ended:
            log.warning("ended %d calls whose callers sent nothing; they held threads", ended)
