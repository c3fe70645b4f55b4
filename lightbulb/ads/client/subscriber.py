"""A delta ADS client: keeps one stream open, hands over what changed, acknowledges what was applied.

It never decides what a resource means: `apply` does.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import math
import random as random_module
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from lightbulb.ads import wire
from lightbulb.ads.client.session import SubscriberSession, Update
from lightbulb.ads.messages import DeltaRequest, DeltaResponse
from lightbulb.ads.values import GOODBYE, MAX_MESSAGE_BYTES, Node
from lightbulb.rpc.channels import open_aio_channel
from lightbulb.rpc.keepalive import SUBSCRIBER_TO_ADS, pings

__all__ = ["Apply", "Backoff", "Subscriber", "Update"]

log = logging.getLogger(__name__)

Apply = Callable[[Update], Awaitable[Mapping[str, str]]]
"""Applies an update; returns name -> reason for each resource that it refuses (empty: all applied)."""

INBOX = 16
"""Responses of one type that wait for `apply`. A server has one un-ACKed response a type under way;
one that has more than this is read no further until `apply` catches up."""

CONNECT_SECONDS = 10.0

GOODBYE_SECONDS = 2.0
"""How long one that ends waits for a server to hear of it."""

CHANNEL_OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    *pings(SUBSCRIBER_TO_ADS),
    # one channel a stream, so that Backoff alone says when to try again
    ("grpc.use_local_subchannel_pool", 1),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Seconds between attempts: doubles from `first` to `limit`, then half of it is random."""

    first: float = 0.2
    limit: float = 10.0

    def delay(self, failures: int, random: Callable[[], float]) -> float:
        """Return the wait after this many failures in a row (from 1); `random` returns [0, 1)."""
        full = min(self.limit, self.first * 2.0 ** min(failures - 1, 60))
        return full * (0.5 + 0.5 * random())


class _Stream:
    """The outgoing side of one stream; closed when the stream ends."""

    def __init__(self, requests: Sequence[DeltaRequest]) -> None:
        self._outgoing: asyncio.Queue[DeltaRequest | None] = asyncio.Queue()
        for request in requests:
            self.send(request)

    def send(self, request: DeltaRequest) -> None:
        self._outgoing.put_nowait(request)  # bounded: one request a type, and one a response received

    @property
    def has_room(self) -> bool:
        """Whether a server that reads nothing hasn't left too much unread."""
        return self._outgoing.qsize() < INBOX

    async def requests(self) -> AsyncIterator[DeltaRequest]:
        while (request := await self._outgoing.get()) is not None:
            yield request

    def end(self) -> None:
        """Let `requests` end: grpc.aio would wait for it for ever, a task for each stream that there was."""
        self._outgoing.put_nowait(None)


async def _connect(channel: grpc.aio.Channel, seconds: float = CONNECT_SECONDS) -> bool:
    """Return whether the channel's server is there; one that refuses is not waited for."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while True:
                state = channel.get_state(try_to_connect=True)
                if state is grpc.ChannelConnectivity.READY:
                    return True
                if state is grpc.ChannelConnectivity.TRANSIENT_FAILURE:
                    return False
                await channel.wait_for_state_change(state)
    return False


class Subscriber:
    """Subscribes to all resources of `types` (in this order) and applies what comes.

    `targets` are "host:port" of servers that are as good as each other; `target` is one, or several with
    commas. The first is tried first, and the next one whenever a stream ends or can't be opened.

    Updates of one type are applied one at a time, in order; a slow `apply` holds back neither the
    other types nor the stream. Those of types `side_by_side` begin in order, and each is answered once it is
    done. An `apply` that raises counts as a refusal of the whole update.
    What was applied is remembered across reconnects, so that a server that has nothing new sends
    nothing, but for the types that are asked for `afresh`. `held` is what was applied before (type ->
    name -> version), `stamp` what this was then. `opened` is called as a stream opens, before anything of it
    is applied, and `closed` once it has ended. `random` returns [0, 1) and spreads reconnects.
    """

    def __init__(  # noqa: PLR0913 - keywords, of which four are needed
        self,
        *,
        target: str = "",
        targets: Sequence[str] = (),
        node: Node,
        types: Sequence[str],
        apply: Apply,
        held: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
        stamp: str = "",
        afresh: Collection[str] = (),
        side_by_side: Collection[str] = (),
        opened: Callable[[], None] = lambda: None,
        closed: Callable[[], None] = lambda: None,
        credentials: grpc.ChannelCredentials | None = None,
        backoff: Backoff | None = None,
        random: Callable[[], float] = random_module.random,
    ) -> None:
        self._targets = tuple(targets) or tuple(filter(None, map(str.strip, target.split(","))))
        if not self._targets:
            raise ValueError("no target to subscribe to")
        self._apply = apply
        self._opened = opened
        self._closed = closed
        self._credentials = credentials
        self._backoff = backoff or Backoff()
        self._random = random
        self._session = SubscriberSession(node, types, afresh, held, stamp)
        self._types = tuple(types)
        self._side_by_side = frozenset(side_by_side)
        self._inboxes: dict[str, asyncio.Queue[tuple[_Stream, DeltaResponse]]] = {}
        self._stream: _Stream | None = None
        self._leaving = False
        self._heard = asyncio.Event()

    @property
    def stamp(self) -> str:
        """How new what came last is, as the server said it; to be kept with what was applied."""
        return self._session.stamp

    @property
    def connected(self) -> bool:
        """Whether a stream is open on a connection that stands."""
        return self._stream is not None

    async def run(self) -> None:
        """Keep a stream open until cancelled; an `apply` that is under way is cancelled too."""
        self._inboxes = {type_url: asyncio.Queue(INBOX) for type_url in self._types}
        async with asyncio.TaskGroup() as group:
            for type_url, inbox in self._inboxes.items():
                if type_url in self._side_by_side:
                    group.create_task(self._work_side_by_side(inbox, group))
                else:
                    group.create_task(self._work(inbox))
            await self._reconnect_for_ever()

    def tell(self, request: DeltaRequest) -> bool:
        """Say something that isn't answered, if a stream is open; return whether it was said."""
        if self._stream is None or not self._stream.has_room:
            return False
        self._stream.send(request)
        return True

    async def leave(self) -> None:
        """Say goodbye: the control plane waits for this consumer no more, and forgets it.

        Call it once nobody is served any more, and cancel `run` after it, which opens no stream from now on.
        Takes GOODBYE_SECONDS at most. Without a stream, one is opened for it; who isn't heard counts as
        disconnected.
        """
        self._leaving = True
        if self._stream is not None:
            self._stream.send(self._session.goodbye(first=False))
            self._stream.end()
            await self._is_heard(GOODBYE_SECONDS / 2)
        for target in self._targets:
            if not self._heard.is_set() and self._stream is None:  # one that is open still isn't answered
                await self._leave_at(target, GOODBYE_SECONDS / 4 / len(self._targets))
        if not self._heard.is_set():
            log.warning(
                "no ADS server took the goodbye of %s: it counts as disconnected", self._session.node_id
            )

    async def _leave_at(self, target: str, seconds: float) -> None:
        async with open_aio_channel(target, CHANNEL_OPTIONS, credentials=self._credentials) as channel:
            if not await _connect(channel, seconds):
                return
            stream = _Stream((self._session.goodbye(first=True),))
            stream.end()
            async with self._reading(channel, stream):
                await self._is_heard(seconds)

    async def _is_heard(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._heard.wait()

    async def _reconnect_for_ever(self) -> None:
        failures = 0
        for target in itertools.cycle(self._targets):
            answered, reason = await self._run_stream(target)
            if self._leaving:
                return
            failures = 1 if answered else failures + 1
            rounds = math.ceil(failures / len(self._targets))
            delay = self._backoff.delay(rounds, self._random)
            log.warning("ADS stream to %s ended (%s); next attempt in %.1f s", target, reason, delay)
            await asyncio.sleep(delay)

    async def _run_stream(self, target: str) -> tuple[bool, str]:
        """Return whether the server answered at all, and why the stream ended."""
        async with open_aio_channel(target, CHANNEL_OPTIONS, credentials=self._credentials) as channel:
            if not await _connect(channel):
                return False, "no connection"
            if self._leaving:
                return False, "left"
            stream = _Stream(self._session.connect())
            async with self._reading(channel, stream) as reader:
                self._opened()
                self._stream = stream
                log.info("ADS stream to %s opened", target)
                try:
                    await asyncio.wait({reader})
                finally:
                    self._stream = None
                    self._closed()
            return reader.result()

    @contextlib.asynccontextmanager
    async def _reading(
        self, channel: grpc.aio.Channel, stream: _Stream
    ) -> AsyncIterator[asyncio.Task[tuple[bool, str]]]:
        """Open a stream, and read from it while in the block."""
        open_call: grpc.aio.StreamStreamMultiCallable[DeltaRequest, bytes] = channel.stream_stream(
            f"/{wire.SERVICE}/{wire.DELTA_METHOD}", request_serializer=wire.encode_delta_request
        )
        call = open_call(stream.requests())
        # A task of its own: grpc.aio can swallow the cancellation of whoever reads from it.
        reader = asyncio.create_task(self._read(stream, call))
        try:
            yield reader
        finally:
            stream.end()
            call.cancel()
            reader.cancel()
            await asyncio.wait({reader})

    async def _read(self, stream: _Stream, call: AsyncIterable[bytes]) -> tuple[bool, str]:
        answered = False
        try:
            async for data in call:  # parsed here: grpc.aio makes None of what a deserializer refuses
                response = wire.decode_delta_response(data)
                answered = True
                await self._deliver(stream, response)
        except grpc.aio.AioRpcError as error:
            return answered, f"{error.code().name}: {error.details()}"
        except DecodeError as error:
            return answered, f"unreadable response: {error}"
        return answered, "closed by the server"

    async def _deliver(self, stream: _Stream, response: DeltaResponse) -> None:
        if response.type_url == GOODBYE:
            self._heard.set()
            return
        inbox = self._inboxes.get(response.type_url)
        if inbox is None:
            log.warning("ADS server sent %s, which was not asked for; ignored", response.type_url)
            return
        await inbox.put((stream, response))

    async def _work(self, inbox: asyncio.Queue[tuple[_Stream, DeltaResponse]]) -> None:
        while True:
            stream, response = await inbox.get()
            if stream is not self._stream:
                continue  # its server is gone; the next one was told what is held
            await self._take(stream, response, self._session.begin(response))

    async def _work_side_by_side(
        self, inbox: asyncio.Queue[tuple[_Stream, DeltaResponse]], group: asyncio.TaskGroup
    ) -> None:
        room = asyncio.Semaphore(INBOX)
        while True:
            await room.acquire()
            stream, response = await inbox.get()
            if stream is not self._stream:
                room.release()
                continue
            taking = group.create_task(self._take(stream, response, self._session.begin(response)))
            taking.add_done_callback(lambda _: room.release())

    async def _take(self, stream: _Stream, response: DeltaResponse, update: Update) -> None:
        """Apply an update that was begun, and answer it if its stream is there still."""
        rejected = await self._guarded(update) if update else {}
        request = self._session.finish(response, update, rejected)
        if request.error is not None:
            log.warning("refused %s: %s", response.type_url, request.error)
        if stream is self._stream:
            stream.send(request)

    async def _guarded(self, update: Update) -> Mapping[str, str]:
        try:
            return await self._apply(update)
        except Exception as error:  # a fault in one update must not end the others
            log.exception("applying %s failed", update.type_url)
            reason = f"internal error: {type(error).__name__}: {error}"
            return dict.fromkeys((*(r.name for r in update.added), *update.removed), reason)
