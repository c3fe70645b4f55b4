"""Follows the store: knows the newest state and the other replicas' reports, and holds the lease when it can.

When the store can't be reached, or isn't what it was, it says so, keeps what it knows, and lets the lease go.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType

from controlplane.model import Platform
from controlplane.replica.archive import Archive
from controlplane.replica.losses import Losses
from controlplane.replica.reports import Reports
from controlplane.replica.waiting import RETRY_SECONDS, when_reachable
from controlplane.rollout.codec import LanesReader
from controlplane.rollout.desired_state import DesiredState, Recent, desired_state
from controlplane.rollout.lanes import NO_LANES, Lanes
from controlplane.rollout.loss import Loss, most, witnesses
from controlplane.rollout.registry import Consumer
from controlplane.rollout.state import Generation, Policy
from controlplane.store.contract import (
    Change,
    CommitsLost,
    Head,
    Lease,
    LogEntry,
    NotFound,
    Store,
    StoreError,
)
from lightbulb.resolution.codec import Malformed

log = logging.getLogger(__name__)

LEASE_SECONDS = 3.0
BEAT_SECONDS = 1.0
WAIT_SECONDS = 1.0
"""How long a change of the store is waited for before it is read anyhow."""

NO_GENERATIONS: Mapping[int, Generation] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreView:
    """What is known of the store at one moment; `version` 0: nothing was ever published."""

    version: int = 0
    lanes: Lanes = NO_LANES
    generations: Mapping[int, Generation] = field(default_factory=lambda: NO_GENERATIONS)
    desired_state: DesiredState | None = None

    @property
    def platform(self) -> Platform | None:
        """The fleet and the tenants; None while there is one tenant alone, whose fleet is its workspace's."""
        return self.generations[self.lanes.platform].platform if self.lanes.platform else None

    @property
    def left_out(self) -> tuple[str, ...]:
        """Tenants that the platform names no more, and whose rollout is still ending."""
        platform = self.platform
        if platform is None:
            return ()
        named = {each.name for each in platform.tenants}
        return tuple(name for name, _ in self.lanes if name not in named)


class StoreWatcher:
    """`on_change` is called in the event loop whenever something may be new.

    Threads read the store, one at a time, and swap two values that the event loop reads: `known` as a whole,
    and the clock's offset. All else is written by the event loop alone, which hears how a thread fared.
    """

    def __init__(
        self,
        store: Store,
        name: str,
        policy: Policy,
        clock: Callable[[], float],
        on_change: Callable[[], None],
    ) -> None:
        """Know nothing yet."""
        self.store = store
        self.reports = Reports(store, name)
        self.known = StoreView()
        self.losses = Losses(name)
        self._cant_read = "the store wasn't read yet"
        self._cant_write = ""
        self._name = name
        self._policy = policy
        self._clock = clock
        self._on_change = on_change
        self._offset = 0.0
        self._lease: Lease | None = None
        self.led_since = 0.0
        """When the lease was taken that is held, by the store's clock; it wasn't lost since."""
        self.led_alone = False
        """The lease before was this replica's too: it stood still, or the store did, and nobody led."""
        self._last_token = 0
        self._archive = Archive(store)
        self._reader = LanesReader()
        self._recent = Recent()
        self._body = b""
        self._lock = threading.RLock()

    @property
    def problem(self) -> str:
        """Why the store can't be read, or else written; empty when it can."""
        return self._cant_read or str(self.loss or "") or self._cant_write

    @property
    def loss(self) -> Loss | None:
        """What the store lost of what was seen; None when it lost nothing, as far as is known."""
        return self.losses.loss

    @property
    def now(self) -> float:
        """Seconds, by the store's clock as far as it is known."""
        return self._clock() + self._offset

    @property
    def lease(self) -> Lease | None:
        """The lease, while it is this replica's."""
        lease = self._lease
        return lease if lease is not None and self.loss is None and self.now < lease.expires else None

    async def start(self, stop: asyncio.Event | None = None) -> tuple[Consumer, ...]:
        """Read the store for the first time; return the consumers that this replica is to remember.

        Waits for a store that can't be reached. Raises StoppedWaiting, StoreError, Malformed.
        """
        orphans = await when_reachable(self._begin, stop)
        self._cant_read = ""
        return orphans

    def _begin(self) -> tuple[Consumer, ...]:
        with self._lock:
            self._offset = self.store.now() - self._clock()
            orphans = self.reports.begin(self.now, self._policy)
            self._read()
            return orphans

    def _read(self) -> None:
        """Read the store: the time, the head if it is another, and what the other replicas report.

        The reports are read after the head, and known before it: they are never older than those that the
        head was decided on. Else a host would seem to lack what everybody was waited for to load. Blocking.
        Raises StoreError, Malformed.
        """
        with self._lock:
            before = self._clock()
            now = self.store.now()
            self._offset = now - (before + self._clock()) / 2
            seen = self.losses.seen(self.reports.heard)
            head = self.store.head()
            another = self._is_another(head)
            self.reports.read(now, lost=another)
            if another:
                self.losses.judge(head.version, most(seen, self.losses.own))
                return  # what is known is newer, or another: it is shown on
            if self.losses.judge(head.version, seen):
                self._forget()
            self._take(head)

    def _is_another(self, head: Head) -> bool:
        """Say whether a head didn't come of the one that is known."""
        known = self.known
        if head.version < known.version:
            return True
        if head.version == known.version:
            same = head.body == self._body
            if not same:
                self.losses.fork(head.version)
            return not same
        if not known.version:
            return False
        lanes = self._reader.lanes(head.body)
        same = self._has(witnesses(known.lanes, lanes, known.generations))
        return self.losses.is_another(head.version, known.lanes, lanes, same=same)

    def _has(self, numbers: Iterable[int]) -> bool:
        """Say whether the store has these generations as they are known."""
        known = self.known.generations
        try:
            return all(self.store.entry(each).content_hash == known[each].content_hash for each in numbers)
        except NotFound:
            return False

    def _forget(self) -> None:
        """Forget what was read of generations: the store may have others under their numbers."""
        self._archive, self._recent = Archive(self.store), Recent()

    def line(self, number: int) -> tuple[LogEntry, bytes] | None:
        """Return a generation's line of the log and its content, as far as this replica still knows it."""
        with self._lock:
            return self._archive.line(number)

    def read_generation(self, number: int) -> Generation:
        """Return any generation of the log. Blocking. Raises NotFound, Corrupt, Malformed, Unreachable."""
        with self._lock:
            return self._archive.read(number)

    def prepare(self, content_hash: str) -> None:
        """Read what a generation is to be made of, before it is. Blocking. Raises as `read_generation`."""
        with self._lock:
            self._archive.prepare(content_hash)

    async def refresh(self) -> StoreView:
        """Return what the store says now. Raises CommitsLost, StoreError, Malformed."""
        await self.look()
        if self.loss is not None:
            raise CommitsLost(str(self.loss))
        return self.known

    async def look(self) -> None:
        """Read the store, whatever it lost. Raises StoreError, Malformed."""
        await asyncio.to_thread(self._read)
        self._cant_read = ""

    async def commit(self, change: Change) -> None:
        """Take a change, and know what follows from it. Raises Conflict, Fenced, CommitsLost, Unreachable.

        A change that leaves versions out goes on with a store that lost commits; others wait for that one.
        """
        if self.loss is not None and not change.version:
            raise CommitsLost(str(self.loss))
        head = await asyncio.to_thread(self.store.commit, change)
        if change.version:
            await asyncio.to_thread(self._resume, head)
        await self.attempt(lambda: self._take(head))  # it is done, whether or not it can be read back now
        self._on_change()

    async def attempt(self, work: Callable[[], object], *, writing: bool = False) -> bool:
        """Do something with the store in a thread; say whether it could be done, and log it when not."""
        try:
            await asyncio.to_thread(work)
        except (StoreError, Malformed) as error:
            if str(error) != self.problem:
                log.warning("the store: %s", error)
            if writing:
                self._cant_write = str(error)
            else:
                self._cant_read = str(error)
            return False
        return True

    async def follow(self) -> None:
        """Read the store whenever it changes, until cancelled."""
        mark = ""

        def look() -> None:
            nonlocal mark
            mark = self.store.wait(mark, WAIT_SECONDS)

        while True:
            if await self.attempt(look) and await self.attempt(self._read):
                if self._cant_read:
                    log.info("the store is read again")
                self._cant_read = ""
            else:
                await asyncio.sleep(RETRY_SECONDS)
            self._on_change()

    async def beat(self) -> None:
        """Say that this replica lives, and take the lease when it is free, until cancelled."""
        while True:
            if await self._beat():
                self._on_change()
            await asyncio.sleep(BEAT_SECONDS)

    async def report(self) -> None:
        """Write down what this replica knows of its consumers, whenever that changes, until cancelled."""
        while True:
            await self.reports.wait_for_news()
            if not await self.attempt(self.reports.write, writing=True):
                self.reports.write_again()
                await asyncio.sleep(RETRY_SECONDS)

    async def leave(self) -> None:
        """Let another replica lead at once, and this one's next life begin."""
        await self._release()
        await self.attempt(self.reports.leave, writing=True)

    def _resume(self, head: Head) -> None:
        with self._lock:
            self._forget()
            self.losses.judge(head.version, self.losses.seen(self.reports.heard))

    def _take(self, head: Head) -> None:
        """Know a head from now on, unless it is older than what is known."""
        with self._lock:
            before = self.known
            if head.version <= before.version:
                return
            lanes = self._reader.lanes(head.body)
            generations = self._archive.keep(lanes.needed)
            same = bool(before.lanes.rollouts) and before.lanes.desired_version == lanes.desired_version
            shown = (
                before.desired_state
                if same
                else desired_state(lanes, generations, self.store.identity, self._recent)
            )
            self._recent.forget(generations.values())
            self._body = head.body
            self.losses.know(head.version, lanes)
            self.known = StoreView(
                version=head.version, lanes=lanes, generations=generations, desired_state=shown
            )

    async def _beat(self) -> bool:
        """Take or keep the lease, and say that this replica lives; return whether all could be done."""
        if self._cant_read:
            # Who can't read the store can't lead: somebody else may be able to.
            return await self._release()
        had = self.lease
        # With a store that lost commits nobody leads; but who has seen more is to be heard of.
        if not await (self._release() if self.loss is not None else self._take_lease()):
            return False
        lease = self._lease
        beat = partial(self.reports.beat, self.now, leading=lease is not None)
        if not await self.attempt(beat, writing=True):
            return False
        self._cant_write = ""  # a disk that is full can be read: only this tells that there is room again
        if lease is None:
            return True
        if had is None:
            log.info("%s leads the rollout from now on", self._name)
        drop_ended = partial(self.reports.drop_ended, self.now, self._policy)
        return await self.attempt(drop_ended, writing=True)

    async def _take_lease(self) -> bool:
        """Take the lease or keep it, if no other has it; return whether the store could be asked."""
        lease: Lease | None = None

        def take() -> None:
            nonlocal lease
            lease = self.store.lease(self.reports.instance, LEASE_SECONDS)

        if not await self.attempt(take, writing=True):
            return False
        if lease is not None and lease.token != self._last_token:
            self.led_alone = 0 < self._last_token == lease.token - 1
            self.led_since, self._last_token = lease.expires - LEASE_SECONDS, lease.token
        self._lease = lease
        return True

    async def _release(self) -> bool:
        """Give the lease up, if it is held; return whether that could be done."""
        lease, self._lease = self._lease, None
        return lease is None or await self.attempt(partial(self.store.release, lease), writing=True)
