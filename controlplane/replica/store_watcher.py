"""Follows the store: knows the newest state and the other replicas' reports, and holds the lease when it can.

When the store can't be reached, or isn't what it was, it says so, keeps what it knows, and lets the lease go.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from controlplane.replica.archive import Archive
from controlplane.replica.reports import Reports
from controlplane.rollout.codec import rollout_from_bytes
from controlplane.rollout.desired_state import DesiredState, Recent, desired_state
from controlplane.rollout.state import Generation, Policy, Rollout
from controlplane.store.contract import Change, Head, Lease, Store, StoreError, WrongStore
from lightbulb.resolution.codec import Malformed

log = logging.getLogger(__name__)

LEASE_SECONDS = 3.0
BEAT_SECONDS = 1.0
WAIT_SECONDS = 1.0
"""How long a change of the store is waited for before it is read anyhow."""

RETRY_SECONDS = 0.5
"""Between attempts to reach a store that doesn't answer."""

NO_GENERATIONS: Mapping[int, Generation] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreView:
    """What is known of the store at one moment; `version` 0: nothing was ever published."""

    version: int = 0
    rollout: Rollout | None = None
    generations: Mapping[int, Generation] = field(default_factory=lambda: NO_GENERATIONS)
    desired_state: DesiredState | None = None


class StoreWatcher:
    """`on_change` is called in the event loop whenever something may be new."""

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
        self._cant_read = "the store wasn't read yet"
        self._cant_write = ""
        self._name = name
        self._policy = policy
        self._clock = clock
        self._on_change = on_change
        self._offset = 0.0
        self._lease: Lease | None = None
        self._archive = Archive(store)
        self._recent = Recent()
        self._lock = threading.RLock()

    @property
    def problem(self) -> str:
        """Why the store can't be read, or else written; empty when it can."""
        return self._cant_read or self._cant_write

    @property
    def now(self) -> float:
        """Seconds, by the store's clock as far as it is known."""
        return self._clock() + self._offset

    @property
    def lease(self) -> Lease | None:
        """The lease, while it is this replica's."""
        lease = self._lease
        return lease if lease is not None and self.now < lease.expires else None

    def begin(self) -> None:
        """Read the store for the first time. Blocking. Raises StoreError, Malformed."""
        with self._lock:
            self._offset = self.store.now() - self._clock()
            self.reports.begin(self.now, self._policy)
            self.read()

    def read(self) -> None:
        """Read the store: the time, the head if it is another, and what the other replicas report.

        The reports are read after the head, and known before it: they are never older than those that the
        head was decided on. Else a host would seem to lack what everybody was waited for to load. Blocking.
        Raises StoreError, Malformed.
        """
        with self._lock:
            before = self._clock()
            now = self.store.now()
            self._offset = now - (before + self._clock()) / 2
            head = self.store.head()
            if head.version < self.known.version:
                raise WrongStore(
                    f"the store is at version {head.version}, and was at {self.known.version}: it was taken "
                    "back, to a backup say. Start every control plane anew, once it is as it is to be"
                )
            self.reports.read(now)
            self._take(head)
            self._cant_read = ""

    def read_generation(self, number: int) -> Generation:
        """Return any generation of the log. Blocking. Raises NotFound, Corrupt, Malformed, Unreachable."""
        with self._lock:
            return self._archive.read(number)

    def prepare(self, content_hash: str) -> None:
        """Read what a generation is to be made of, before it is. Blocking. Raises as `read_generation`."""
        with self._lock:
            self._archive.prepare(content_hash)

    async def refresh(self) -> StoreView:
        """Return what the store says now. Raises StoreError, Malformed."""
        await asyncio.to_thread(self.read)
        return self.known

    async def commit(self, change: Change) -> None:
        """Take a change, and know what follows from it. Raises Conflict, Fenced, Unreachable."""
        head = await asyncio.to_thread(self.store.commit, change)
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
            had_problem = bool(self._cant_read)
            if not (await self.attempt(look) and await self.attempt(self.read)):
                await asyncio.sleep(RETRY_SECONDS)
            elif had_problem:
                log.info("the store is read again")
            self._on_change()

    async def beat(self) -> None:
        """Say that this replica lives, and take the lease when it is free, until cancelled."""
        while True:
            if await self.attempt(self._beat, writing=True):
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
        lease, self._lease = self._lease, None
        if lease is not None:
            await self.attempt(lambda: self.store.release(lease), writing=True)
        await self.attempt(self.reports.leave, writing=True)

    def _take(self, head: Head) -> None:
        """Know a head from now on, unless it is older than what is known."""
        with self._lock:
            before = self.known
            if head.version <= before.version:
                return
            rollout = rollout_from_bytes(head.body)
            generations = self._archive.keep(rollout.needed)
            same = before.rollout is not None and before.rollout.desired_version == rollout.desired_version
            shown = (
                before.desired_state
                if same
                else desired_state(rollout, generations, self.store.identity, self._recent)
            )
            self._recent.forget(generations.values())
            self.known = StoreView(
                version=head.version, rollout=rollout, generations=generations, desired_state=shown
            )

    def _beat(self) -> None:
        if self._cant_read:
            # Who can't read the store can't lead: somebody else may be able to.
            lease, self._lease = self._lease, None
            if lease is not None:
                self.store.release(lease)
            return
        had = self.lease
        self._lease = self.store.lease(self.reports.instance, LEASE_SECONDS)
        self.reports.beat(self.now, leading=self._lease is not None)
        self._cant_write = ""  # a disk that is full can be read: only this tells that there is room again
        if self._lease is not None:
            self.reports.drop_ended(self.now, self._policy)
            if had is None:
                log.info("%s leads the rollout from now on", self._name)
