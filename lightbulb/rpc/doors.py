"""Closes a server so that every call is answered or refused as UNAVAILABLE.

When its server stops, gRPC cancels a call that has arrived and that it hasn't taken yet. So the newcomers
are held back first. Once nobody comes any more the server stops, and then the newcomers are refused: their
callers go elsewhere.

    doors = Doors(server)                   before any service is added
    await doors.close()
    ... the server stops taking calls, and waits for those under way
    doors.turn_away()
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import grpc.aio

QUIET_SECONDS = 0.2
"""When nobody has come for so long, nobody comes any more: those who call again at once have done so."""

HOLD_SECONDS = 0.6
"""Newcomers are held no longer than this, also where calls come at a steady rate."""

STOPPING_SECONDS = 0.05
REFUSAL = "this server is stopping; retry, at another one if there is one"

_REFUSED = grpc.StatusCode.UNAVAILABLE


class Doors(grpc.GenericRpcHandler):
    """Of one server, of grpc or of grpc.aio. Everything runs in one event loop but the calls of the former.

    gRPC asks handlers in order: this one is asked first about every call, and counts it. While it is open it
    leaves the call to the others. Methods that are *registered* with gRPC pass it by: add services through
    RefusesUnreadable, which registers none.
    """

    def __init__(self, server: grpc.Server | grpc.aio.Server) -> None:
        self._arrived = 0
        self._held: grpc.RpcMethodHandler[Any, Any] | None = None
        self._aio = isinstance(server, grpc.aio.Server)
        self._turned_away = threading.Event()
        self._turned_away_aio: asyncio.Event | None = None
        self._thread: ThreadPoolExecutor | None = None
        server.add_generic_rpc_handlers((self,))

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:  # noqa: ARG002 - gRPC's name
        """Return None while open; then a method that holds the call back, whatever it is."""
        self._arrived += 1
        return self._held

    async def close(self) -> None:
        """Hold newcomers back, and return once nobody comes any more."""
        if self._aio:
            self._turned_away_aio = asyncio.Event()
            self._held = grpc.stream_stream_rpc_method_handler(self._refuse_aio)
        else:
            self._held = grpc.stream_stream_rpc_method_handler(self._make_refuse())
        loop = asyncio.get_running_loop()
        end = loop.time() + HOLD_SECONDS
        arrived = -1
        while arrived != self._arrived and loop.time() < end:
            arrived = self._arrived
            await asyncio.sleep(QUIET_SECONDS)

    def turn_away(self) -> None:
        """Refuse those who were held back, and whoever still comes."""
        self._turned_away.set()
        if self._turned_away_aio is not None:
            self._turned_away_aio.set()
        if self._thread is not None:
            self._thread.shutdown(wait=False)

    def _make_refuse(self) -> Any:
        def refuse(_requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
            self._turned_away.wait()
            context.abort(_REFUSED, REFUSAL)
            yield b""

        # A thread of their own: the server's are for the calls that came before.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="doors")
        refuse.experimental_thread_pool = self._thread  # type: ignore[attr-defined] # grpcio's own name for it
        return refuse

    async def _refuse_aio(self, _requests: Any, context: Any) -> None:
        assert self._turned_away_aio is not None
        await self._turned_away_aio.wait()
        await context.abort(_REFUSED, REFUSAL)


async def stop_in_order(
    server: grpc.aio.Server, doors: Doors, grace: float, end_watches: Callable[[], None] = lambda: None
) -> None:
    """Stop a server of grpc.aio: every call is answered within `grace` seconds, or refused.

    `end_watches` ends those that would go on for ever.
    """
    await doors.close()
    end_watches()
    stopping = asyncio.create_task(server.stop(grace))
    try:
        await asyncio.wait({stopping}, timeout=STOPPING_SECONDS)  # it waits for those who are held back
    finally:
        doors.turn_away()
    await stopping
