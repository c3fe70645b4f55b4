"""Tables that the control plane keeps up to date, and that are kept on disk.

The Lightbulb service answers from them. A client that resolves in its own process can have its own:

    live = LiveTables(control_plane="10.0.0.1:7700,10.0.0.2:7700", node_id="checkout-7", state=folder)
    await live.start()
    await live.feed.wait_ready()
    live.feed.tables                    what answers come from
    await live.stop()
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from lightbulb.ads.client.held import NOTHING_HELD, applied, stamp_of, versions, with_stamp
from lightbulb.ads.client.last_known_good import LastKnownGood
from lightbulb.ads.client.subscriber import Backoff, Subscriber, Update
from lightbulb.ads.values import CONTROLS, EVERYTHING, NO_METADATA, TENANTS, Node, Takes, read_stamp
from lightbulb.model import Freshness
from lightbulb.tables.feed import AFRESH, TYPES, Feed
from lightbulb.tables.offer import Offer

log = logging.getLogger(__name__)

RESTARTS = 5
"""A job that a fault of ours ended is begun again so many times in a row."""

BACKOFF = Backoff(first=1.0, limit=30.0)
SOUND_SECONDS = 300.0
"""A job that ran for so long before it failed is counted from one again."""

STALE_SECONDS = 60.0
"""How often the log says how old the tables are, while no control plane is connected."""


class LiveTables:
    """`feed` has the tables. Call `start` and `stop` in the event loop in which it was made.

    `control_plane` may name several replicas, with commas between them. `state` is a folder for what came:
    with it there are tables from the start, even while no control plane can be reached.

    `running` ends by a fault that comes again and again, which it raises. Its owner ends the process then:
    tables that nobody keeps up to date look like good ones.
    """

    running: asyncio.Task[None]

    def __init__(  # noqa: PLR0913 - keywords, of which two are needed
        self,
        *,
        control_plane: str,
        node_id: str,
        cluster: str = "",
        state: Path | None = None,
        takes: Takes = EVERYTHING,
        kind: str = "lightbulb",
        metadata: Mapping[str, str] = NO_METADATA,
    ) -> None:
        """Start with no tables. `kind` and `metadata` are what its node says of itself beside the rest."""
        self.feed = Feed()
        self.offer: Offer | None = None
        """What is in use, for those that take it from here; None: nothing yet."""
        self.changed: Callable[[], None] = lambda: None
        """Called when `offer` is another."""
        self._control_plane = control_plane
        self._node = Node(
            id=node_id,
            cluster=cluster,
            metadata={"kind": kind, TENANTS: "1", CONTROLS: "1", **takes.metadata, **metadata},
        )
        self._held = NOTHING_HELD
        self._kept = None if state is None else LastKnownGood(state, node_id)
        self._subscriber: Subscriber | None = None
        self._stamp = ""
        self.lost_at: float | None = time.monotonic()
        """Since when no server has been connected, by the monotonic clock; None: one is. Threads may ask."""

    @property
    def freshness(self) -> Freshness:
        """How new the tables are. Threads may ask."""
        lost_at = self.lost_at
        age = 0.0 if lost_at is None else time.monotonic() - lost_at
        number = self.feed.tables.generation.number
        return Freshness(generation=number, connected=lost_at is None, age=age)

    def _note_connected(self) -> None:
        self.lost_at = None
        self.feed.open_stream()

    def _note_lost(self) -> None:
        self.lost_at = time.monotonic()

    async def start(self) -> None:
        """Load what is on disk, then follow the control plane until `stop`."""
        if self._kept is not None:
            self._stamp = await self._load(self._kept)
            self._make_offer(self._stamp)
        self.running = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Say goodbye, and stop following: whoever answers from the tables has stopped.

        What came last is on disk then.
        """
        if self._subscriber is not None:
            await self._subscriber.leave()
        if hasattr(self, "running"):
            self.running.cancel()
            await asyncio.gather(self.running, return_exceptions=True)
        if self._kept is not None:
            await self._kept.flush()

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(_restarted("following the control plane", self._follow))
            group.create_task(self._tell_age())
            if self._kept is not None:
                group.create_task(_restarted("keeping on disk what came", self._kept.run))

    async def _follow(self) -> None:
        subscriber = Subscriber(
            target=self._control_plane,
            node=self._node,
            types=TYPES,
            apply=self._apply,
            held=versions(self._held),
            stamp=self._stamp if self._subscriber is None else self._subscriber.stamp,
            afresh=AFRESH,
            opened=self._note_connected,
            closed=self._note_lost,
        )
        self._subscriber = subscriber
        await subscriber.run()

    async def _tell_age(self) -> None:
        while True:
            await asyncio.sleep(STALE_SECONDS)
            now = self.freshness
            if not now.connected:
                log.warning(
                    "no control plane for %.0f s; answering from generation %d", now.age, now.generation
                )

    async def _load(self, kept: LastKnownGood) -> str:
        """Apply what is on disk; return its commit stamp, empty if it can't be used."""
        held = await asyncio.to_thread(kept.load)
        for type_url in TYPES:
            resources = tuple(held.get(type_url, {}).values())
            try:
                rejected = await self._apply(Update(type_url=type_url, added=resources, removed=()))
            except Exception:  # a Lightbulb must start, whatever is on disk
                log.exception("%s: applying %s failed", kept.path, type_url)
                continue
            for name, reason in rejected.items():
                log.warning("%s: %s: refused: %s", kept.path, name, reason)
        return stamp_of(held) if self.feed.ready else ""

    async def _apply(self, update: Update) -> Mapping[str, str]:
        rejected = await self.feed.apply(update)
        self._held = applied(self._held, update, rejected)
        if not self.feed.settled:
            return rejected
        stamp = self._stamp if self._subscriber is None else self._subscriber.stamp
        if self._kept is not None and self._subscriber is not None:
            self._kept.keep(with_stamp(self._held, stamp))
        self._make_offer(stamp)
        return rejected

    def _make_offer(self, stamp: str) -> None:
        if self.feed.ready and self.feed.settled:
            self.offer = Offer(held=self._held, tables=self.feed.tables, stamp=read_stamp(stamp))
            self.changed()


async def _restarted(what: str, job: Callable[[], Awaitable[None]]) -> None:
    """Do a job that ends only when it is cancelled; begin it again after a fault of ours, and say so.

    Raises the fault once it has come again and again.
    """
    loop = asyncio.get_running_loop()
    failures = 0
    while True:
        begun = loop.time()
        try:
            await job()
        except Exception:
            failures = 1 if loop.time() - begun > SOUND_SECONDS else failures + 1
            if failures > RESTARTS:
                log.exception("%s failed %d times in a row; giving up", what, failures)
                raise
            delay = BACKOFF.delay(failures, random.random)
            log.exception("%s failed; again in %.1f s; what came is answered from", what, delay)
            await asyncio.sleep(delay)
