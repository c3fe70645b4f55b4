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
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from lightbulb.ads.client.held import NOTHING_HELD, applied, stamp_of, versions, with_stamp
from lightbulb.ads.client.last_known_good import LastKnownGood
from lightbulb.ads.client.subscriber import Subscriber, Update
from lightbulb.ads.values import Node
from lightbulb.tables.feed import AFRESH, TYPES, Feed

log = logging.getLogger(__name__)


class LiveTables:
    """`feed` has the tables. Call `start` and `stop` in the event loop in which it was made.

    `control_plane` may name several replicas, with commas between them. `state` is a folder for what came:
    with it there are tables from the start, even while no control plane can be reached.
    """

    def __init__(
        self, *, control_plane: str, node_id: str, cluster: str = "", state: Path | None = None
    ) -> None:
        """Start with no tables."""
        self.feed = Feed()
        self._control_plane = control_plane
        self._node = Node(id=node_id, cluster=cluster, metadata={"kind": "lightbulb"})
        self._held = NOTHING_HELD
        self._kept = None if state is None else LastKnownGood(state, node_id)
        self._subscriber: Subscriber | None = None
        self._tasks: tuple[asyncio.Task[None], ...] = ()

    async def start(self) -> None:
        """Load what is on disk, then follow the control plane until `stop`."""
        stamp = ""
        if self._kept is not None:
            stamp = await self._load(self._kept)
        self._subscriber = Subscriber(
            target=self._control_plane,
            node=self._node,
            types=TYPES,
            apply=self._apply,
            held=versions(self._held),
            stamp=stamp,
            afresh=AFRESH,
            opened=self.feed.open_stream,
        )
        jobs = [_told(self._subscriber.run, "nothing new comes any more; what came is answered from")]
        if self._kept is not None:
            jobs.append(_told(self._kept.run, "what comes isn't kept on disk any more"))
        self._tasks = tuple(map(asyncio.create_task, jobs))

    async def stop(self) -> None:
        """Stop following. What came last is on disk then."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        if self._kept is not None:
            await self._kept.flush()

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
        if self._kept is not None and self._subscriber is not None and self.feed.settled:
            self._kept.keep(with_stamp(self._held, self._subscriber.stamp))
        return rejected


async def _told(job: Callable[[], Awaitable[None]], consequence: str) -> None:
    """Do a job that ends only when it is cancelled; should a fault of ours end it, say so at once.

    The tables that there are serve on: to end with it would take down what works.
    """
    try:
        await job()
    except Exception:
        log.exception("%s", consequence)
