"""Ends calls whose caller says nothing, at a server of grpc.aio. Such a call holds no thread, but memory.

A call that was opened and never sent its message may wait `SECONDS` for it. A stream that has spoken may be
quiet for as long as it takes. While more than `WAITING` calls wait, those that waited longest are ended.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from typing import Any

import grpc
import grpc.aio

log = logging.getLogger(__name__)

SECONDS = 120.0
"""How long a caller may say nothing. A publish of 64 MiB, over a slow network, comes within it."""

WAITING = 2000
"""At most so many calls wait for a message."""

_Context = grpc.aio.ServicerContext[Any, Any]


class LoopPatience:
    """Of one server. Everything runs in its event loop."""

    def __init__(self, *, seconds: float = SECONDS, waiting: int = WAITING) -> None:
        self._seconds = seconds
        self._most = waiting
        self._waiting: dict[asyncio.Future[None], None] = {}  # those who wait longest come first

    async def only(self, context: _Context) -> Any:
        """Return the message of a call that has one."""
        message = await self._next(context, self._seconds)
        if message is grpc.aio.EOF:
            text = "the call has no request message; send one"
            await context.abort(grpc.StatusCode.UNIMPLEMENTED, text)
        return message

    async def each(self, context: _Context) -> AsyncGenerator[Any]:
        """Give the messages of a stream."""
        message = await self._next(context, self._seconds)
        while message is not grpc.aio.EOF:
            yield message
            message = await self._next(context, None)

    async def _next(self, context: _Context, seconds: float | None) -> Any:
        # A read of its own task: grpc.aio can swallow the cancellation of one.
        reading = asyncio.ensure_future(context.read())
        crowded_out: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[crowded_out] = None
        self._keep_bound()
        try:
            both = {reading, crowded_out}
            await asyncio.wait(both, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._waiting.pop(crowded_out, None)
            if not reading.done():
                reading.cancel()
        if reading.done():
            return reading.result()
        if crowded_out.done():
            text = f"{self._most} calls wait for a message, and this one waited longest; retry"
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, text)
        await context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, f"no request within {seconds:g} s")
        raise AssertionError("abort raises")

    def _keep_bound(self) -> None:
        if len(self._waiting) > self._most:
            longest = next(iter(self._waiting))
            del self._waiting[longest]
            longest.set_result(None)
            log.warning("ended a call that sent nothing: more than %d did so", self._most)
