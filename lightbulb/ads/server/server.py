"""ADS over grpc.aio: carries messages between streams and their sessions, and decides nothing."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from lightbulb.ads import wire
from lightbulb.ads.loads import ModelLoad, loads_of
from lightbulb.ads.messages import DeltaRequest, DeltaResponse, Response
from lightbulb.ads.pulse import Pulse, pulse_of
from lightbulb.ads.server.form import Form, Session, both
from lightbulb.ads.server.snapshot import Snapshot
from lightbulb.ads.server.stream_status import StreamStatus
from lightbulb.ads.server.tracks import TooManyNames
from lightbulb.ads.server.waking import WakingClock
from lightbulb.ads.values import GOODBYE, HEARTBEAT, LOAD_PROGRESS, MAX_MESSAGE_BYTES, BadNode, Node
from lightbulb.rpc.keepalive import ADS_TO_SUBSCRIBER, TAKES_PINGS, pings

log = logging.getLogger(__name__)

MAX_STREAMS = 20_000
MAX_WAITING = MAX_STREAMS + 1_000
"""Calls that have come and weren't taken yet: after a restart all streams, and whoever calls meanwhile."""

WAITING_SECONDS = 120
"""How long such a call may wait: its caller has a deadline of its own."""

SERVER_OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.so_reuseport", 0),
    # Left alone, gRPC cancels some calls when more than 1,000 wait, all when 3,000 do, and one after 30 s.
    ("grpc.server.max_pending_requests", MAX_WAITING),
    ("grpc.server.max_pending_requests_hard_limit", MAX_WAITING),
    ("grpc.server_max_unrequested_time_in_server", WAITING_SECONDS),
    *pings(ADS_TO_SUBSCRIBER),
    *TAKES_PINGS,
)
TICK_SECONDS = 1.0
FIRST_REQUEST_SECONDS = 30.0
LAST_WRITE_SECONDS = 5.0
PROGRESS_SECONDS = 0.5
"""A host is listened to once in so long while it loads; ours tell less often."""
STREAMS_A_TURN = 32
"""Streams that a push serves before it lets others have the event loop."""

_Context = grpc.aio.ServicerContext[bytes, bytes]


class SilentStream(Exception):
    """A stream on which nothing came."""


@dataclass(slots=True, kw_only=True, eq=False)
class _Stream:
    """An open stream. Its queue is bounded by the session: one un-ACKed response a type."""

    id: int
    node: Node
    peer: str
    form: Form
    session: Session
    pulse: Pulse
    outgoing: asyncio.Queue[Response | None] = field(default_factory=asyncio.Queue)
    told_at: float = -math.inf
    """When it last told of its loads."""
    left: bool = False
    """Its client said goodbye, and is answered that it was heard, which ends the stream."""

    def send(self, responses: tuple[Response, ...]) -> None:
        for response in responses:
            self.outgoing.put_nowait(response)

    def end(self) -> None:
        """Write nothing more; but for the answer to a goodbye."""
        if not self.left:
            self._end_with()

    def take_goodbye(self) -> None:
        """Answer it, and nothing more."""
        self.left = True
        self._end_with(DeltaResponse(type_url=GOODBYE, nonce=""))

    def _end_with(self, *last: Response) -> None:
        while not self.outgoing.empty():
            self.outgoing.get_nowait()
        for response in (*last, None):
            self.outgoing.put_nowait(response)


class AdsServer:
    """The AggregatedDiscoveryService. `view(node)` is what a node should have; None: nothing yet, wait.

    `view` may raise BadNode, which ends the stream with INVALID_ARGUMENT. `on_change` is called with a
    stream's id after it opened, closed, ACKed, NACKed, fell silent or was heard again, or turned out to need
    nothing of what is new; `on_goodbye` before a stream closes whose client says that it ends in order;
    `on_progress` when one tells how far it is with what it loads. Streams of the same node id have each their
    own state. `forms` are the forms of ADS that it speaks.
    """

    def __init__(  # noqa: PLR0913 - keywords, of which none is needed
        self,
        view: Callable[[Node], Snapshot | None],
        *,
        clock: Callable[[], float] = time.monotonic,
        on_change: Callable[[int], None] = lambda _: None,
        on_goodbye: Callable[[int, Node], None] = lambda _, __: None,
        on_progress: Callable[[int, tuple[ModelLoad, ...]], None] = lambda _, __: None,
        forms: Sequence[Form] = both(),
        max_streams: int = MAX_STREAMS,
    ) -> None:
        self._view = view
        self._clock = WakingClock(clock, longest=2 * TICK_SECONDS)
        self._on_change = on_change
        self._on_goodbye = on_goodbye
        self._on_progress = on_progress
        self._forms = tuple(forms)
        self._max_streams = max_streams
        self._ids = count(1)
        self._open = 0
        self._streams: dict[int, _Stream] = {}
        self._push_wanted = asyncio.Event()
        self._push_to: frozenset[str] | None = frozenset()
        """The kinds of nodes whose views have changed; None: of all."""
        self._closing = asyncio.Event()
        self._tasks: tuple[asyncio.Task[None], ...] = ()

    def add_to(self, server: grpc.aio.Server) -> None:
        """Serve on `server`; call inside the event loop that it runs in."""
        serve = {form.method: partial(self._serve, form) for form in self._forms}
        handlers: dict[str, Any] = {
            method: grpc.stream_stream_rpc_method_handler(serve.get(method, self._refuse))
            for method in wire.METHODS
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(wire.SERVICE, handlers),))
        self._tasks = (asyncio.create_task(self._push_for_ever()), asyncio.create_task(self._tick_for_ever()))

    async def watch(self) -> None:
        """Wait for ever; raise what ended one of this server's own tasks, which should never end."""
        if self._tasks:
            done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()

    def push(self, *kinds: str) -> None:
        """Say that views have changed, of nodes of these kinds or of all: each stream gets its news, soon."""
        if not kinds:
            self._push_to = None
        elif self._push_to is not None:
            self._push_to = self._push_to.union(kinds)
        self._push_wanted.set()

    def ids(self) -> tuple[int, ...]:
        """Return the id of every open stream, oldest first."""
        return tuple(self._streams)

    def stream(self, stream_id: int) -> StreamStatus | None:
        """Return the state of an open stream; None when it has been closed."""
        stream = self._streams.get(stream_id)
        if stream is None:
            return None
        return StreamStatus(
            id=stream.id,
            node=stream.node,
            peer=stream.peer,
            session=stream.session,
            silent=stream.pulse.silent,
        )

    def streams(self) -> tuple[StreamStatus, ...]:
        """Return the state of every open stream, oldest first."""
        return tuple(status for stream_id in self.ids() if (status := self.stream(stream_id)) is not None)

    async def close(self) -> None:
        """End every stream; their clients keep what they have, and reconnect."""
        self._closing.set()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _refuse(self, _requests: object, context: _Context) -> None:
        spoken = ", ".join(form.method for form in self._forms)
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, f"this server speaks {spoken} alone")

    async def _serve(self, form: Form, _requests: object, context: _Context) -> None:
        if self._open >= self._max_streams:
            await context.abort(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f"this server takes {self._max_streams} streams; try another",
            )
        self._open += 1
        try:
            await self._converse(form, context)
        except (BadNode, DecodeError) as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        except TooManyNames as error:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, str(error))
        except SilentStream as error:
            await context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, str(error))
        finally:
            self._open -= 1

    async def _converse(self, form: Form, context: _Context) -> None:
        first = await _first(context)
        if first is None:
            return
        request = form.decode(first)
        if request.node is None or not request.node.id:
            raise BadNode("the first request must carry node.id")
        stream = _Stream(
            id=next(self._ids),
            node=request.node,
            peer=context.peer(),
            form=form,
            session=form.open(self._view(request.node)),
            pulse=pulse_of(request.node),
        )
        self._streams[stream.id] = stream
        log.info("stream %d opened: %s %s", stream.id, stream.node.kind, stream.node.id)
        try:
            self._take(stream, request)
            await self._exchange(stream, context)
        finally:
            del self._streams[stream.id]
            log.info("stream %d closed: %s %s", stream.id, stream.node.kind, stream.node.id)
            self._on_change(stream.id)

    async def _exchange(self, stream: _Stream, context: _Context) -> None:
        """Read and write side by side until the client ends, or this server does."""
        writing = asyncio.create_task(self._write(stream, context))
        others = {
            asyncio.create_task(self._read(stream, context)),
            asyncio.create_task(self._closing.wait()),
        }
        try:
            done, _ = await asyncio.wait({writing, *others}, return_when=asyncio.FIRST_COMPLETED)
            # A write that is under way must end by itself: with one, no status can be sent.
            stream.end()
            await asyncio.wait({writing}, timeout=LAST_WRITE_SECONDS)
            for task in done:
                task.result()
        finally:
            for task in (writing, *others):
                task.cancel()
            await asyncio.gather(writing, *others, return_exceptions=True)

    async def _read(self, stream: _Stream, context: _Context) -> None:
        while True:
            data: Any = await context.read()
            if data is grpc.aio.EOF:
                return
            self._take(stream, stream.form.decode(data))

    async def _write(self, stream: _Stream, context: _Context) -> None:
        while (response := await stream.outgoing.get()) is not None:
            await context.write(stream.form.encode(response))

    def _take(self, stream: _Stream, request: Any) -> None:
        if stream.pulse.beat():
            log.info("%s %s is heard of again", stream.node.kind, stream.node.id)
            self._on_change(stream.id)
        if isinstance(request, DeltaRequest) and request.type_url == HEARTBEAT:
            return
        if isinstance(request, DeltaRequest) and request.type_url == GOODBYE:
            log.info("%s %s leaves", stream.node.kind, stream.node.id)
            stream.take_goodbye()
            self._on_goodbye(stream.id, stream.node)
            return
        if isinstance(request, DeltaRequest) and request.type_url == LOAD_PROGRESS:
            self._take_progress(stream, request)
            return
        if request.error is not None:
            log.warning(
                "%s %s refused %s: %s",
                stream.node.kind,
                stream.node.id,
                request.type_url,
                request.error[:500],
            )
        stream.send(stream.session.on_request(request, self._clock()))
        self._on_change(stream.id)

    def _take_progress(self, stream: _Stream, request: DeltaRequest) -> None:
        now = self._clock()
        if now - stream.told_at < PROGRESS_SECONDS and request.initial_versions:
            return
        stream.told_at = now
        self._on_progress(stream.id, loads_of(request))

    async def _push_for_ever(self) -> None:
        while True:
            await self._push_wanted.wait()
            self._push_wanted.clear()
            kinds, self._push_to = self._push_to, frozenset()
            concerned = [each for each in self._streams.values() if kinds is None or each.node.kind in kinds]
            for turn, stream in enumerate(concerned, start=1):
                snapshot = self._view(stream.node)
                if snapshot is not None and snapshot is not stream.session.snapshot:
                    self._offer(stream, snapshot)
                if turn % STREAMS_A_TURN == 0:
                    await asyncio.sleep(0)

    def _offer(self, stream: _Stream, snapshot: Snapshot) -> None:
        before = stream.session.snapshot
        responses = stream.session.on_snapshot(snapshot, self._clock())
        stream.send(responses)
        # What was sent is told of once it is acknowledged; what is as it was needn't be told of.
        if before is None or (not responses and before.by_type is not snapshot.by_type):
            self._on_change(stream.id)

    async def _tick_for_ever(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            now = self._clock()
            for stream in list(self._streams.values()):
                if stream.pulse.wait(TICK_SECONDS):
                    log.warning("%s %s says nothing any more", stream.node.kind, stream.node.id)
                    self._on_change(stream.id)
                deadline = stream.session.next_deadline()
                if deadline is not None and deadline <= now:
                    stream.send(stream.session.on_tick(now))
                    self._on_change(stream.id)


async def _first(context: _Context) -> bytes | None:
    """Return a stream's first message; None when it ends without. Raises SilentStream."""
    # A read of its own task: grpc.aio can swallow the cancellation of one.
    reading = asyncio.ensure_future(context.read())
    for _ in range(2):  # should this process stand still, no more than one of the waits is over
        done, _ = await asyncio.wait({reading}, timeout=FIRST_REQUEST_SECONDS / 2)
        if done:
            break
    else:
        reading.cancel()
        raise SilentStream(f"no request within {FIRST_REQUEST_SECONDS:g} s")
    data: Any = reading.result()
    return None if data is grpc.aio.EOF else data
