"""One control plane: follows the store, shows consumers what follows, and drives the rollout when it may.

What to do is decided by `rollout`; what goes over a stream by `xds`; what is kept by `store`. This only
carries values between them. All replicas of a store show the same: what they show is a function of the
store's head and of everybody's reports. The one that holds the lease also takes the steps.

When the store can't be reached, a replica goes on showing what it holds, and takes no step.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from controlplane.archive import Archive
from controlplane.reports import Reports
from controlplane.rollout.advance import Progress, advance, retire_after
from controlplane.rollout.codec import rollout_from_bytes, rollout_to_bytes
from controlplane.rollout.events import events
from controlplane.rollout.gates import progress
from controlplane.rollout.registry import Consumer, Report
from controlplane.rollout.state import Generation, Moment, Policy, Rollout
from controlplane.rollout.views import Layout, layout, ready_addresses, sidecar_states
from controlplane.roster import Roster
from controlplane.shown import Views
from controlplane.store.contract import Change, Conflict, Fenced, Head, Lease, Store, StoreError
from controlplane.xds.nodes import identify, is_behind
from controlplane.xds.server import AdsServer
from controlplane.xds.snapshot import Snapshot
from lightbulb.ads.values import Node
from lightbulb.codec import Malformed

log = logging.getLogger(__name__)

TICK_SECONDS = 1.0
GATHER_SECONDS = 0.005
"""The ACKs of a thousand sidecars, which come within moments, are looked at together."""

LEASE_SECONDS = 3.0
BEAT_SECONDS = 1.0
RETRY_SECONDS = 0.5
"""Between attempts to reach a store that doesn't answer."""

NO_GENERATIONS: Mapping[int, Generation] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What a replica knows of the store at one moment; `version` 0: nothing was ever published."""

    version: int = 0
    rollout: Rollout | None = None
    generations: Mapping[int, Generation] = field(default_factory=lambda: NO_GENERATIONS)
    layout: Layout | None = None


class Replica:
    """A control plane's state. `await start()`, then `run()` for as long as it serves, then `stop()`."""

    def __init__(
        self,
        store: Store,
        *,
        name: str,
        policy: Policy | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`name` tells this replica from the store's others; `clock` gives seconds that only ever grow."""
        self.name = name
        self.store = store
        self.policy = policy or Policy()
        self.known = Known()
        self.store_problem = "it wasn't reached yet"
        self.ads = AdsServer(self._view, clock=clock, on_change=self._touch)
        self._clock = clock
        self._offset = 0.0
        self._lease: Lease | None = None
        self._archive = Archive(store)
        self._lock = threading.RLock()
        self._views = Views()
        self._shown = self.known
        self._roster = Roster(self.ads, self._view)
        self._reports = Reports(store, name)
        self._registry: tuple[Consumer, ...] = ()
        self._progress = Progress()
        self._changed = asyncio.Event()
        self._news = asyncio.Condition()
        self._told = 0

    @property
    def now(self) -> float:
        """Seconds, by the store's clock as far as it is known."""
        return self._clock() + self._offset

    @property
    def driving(self) -> bool:
        """Whether this replica takes the rollout's steps."""
        return self._lease is not None and self.now < self._lease.expires

    @property
    def driver(self) -> str:
        """The name of the replica that drives, as far as is known; empty when none does."""
        if self.driving:
            return self.name
        silent = self.replicas()
        return next((name for name in sorted(self._reports.driving) if not silent.get(name, True)), "")

    @property
    def consumers(self) -> tuple[Consumer, ...]:
        """Everybody, at whichever replica."""
        return self._registry

    @property
    def progress(self) -> Progress:
        """What the consumers of the phase say."""
        return self._progress

    def replicas(self) -> Mapping[str, bool]:
        """Return the name of each replica that has been heard of, and whether it is silent now."""
        return {self.name: False} | {
            report.replica: report.ended(self.now) for report in self._reports.others.values()
        }

    async def start(self) -> None:
        """Return once the store has been read; until then nobody is shown anything."""
        while not await self._try(self._begin):  # noqa: ASYNC110 - it is a store that is waited for
            await asyncio.sleep(RETRY_SECONDS)

    async def run(self) -> None:
        """Serve until cancelled."""
        async with asyncio.TaskGroup() as group:
            for work in (
                self._step_for_ever,
                self._follow_for_ever,
                self._beat_for_ever,
                self._report_for_ever,
            ):
                group.create_task(work())

    async def stop(self) -> None:
        """End the streams, whose clients keep what they have, and let another replica drive."""
        await self.ads.close()
        lease, self._lease = self._lease, None
        if lease is not None:
            await self._try(lambda: self.store.release(lease))

    async def refresh(self) -> Known:
        """Return what the store says now. Raises StoreError."""
        await asyncio.to_thread(self._read)
        return self.known

    def read_generation(self, number: int) -> Generation:
        """Return any generation of the log. Blocking. Raises NotFound, Corrupt, Malformed, Unreachable."""
        with self._lock:
            return self._archive.read(number)

    async def commit(self, change: Change) -> Known:
        """Take a change, and show what follows from it. Raises Conflict, Fenced, Unreachable."""
        head = await asyncio.to_thread(self.store.commit, change)
        await asyncio.to_thread(self._take, head)
        self._changed.set()
        return self.known

    async def wait_for_news(self, told: int, seconds: float) -> int:
        """Return a number other than `told` once something has changed, or `told` after `seconds`."""
        try:
            async with asyncio.timeout(seconds), self._news:
                await self._news.wait_for(lambda: self._told != told)
        except TimeoutError:
            return told
        return self._told

    def _begin(self) -> None:
        self._reports.read()
        self._roster.adopt(self._reports.orphans(self.store.now(), self.policy))
        self._read()

    def _read(self) -> None:
        """Read the store: the time, the head if it is another, and what the other replicas report.

        The reports are read after the head, and known before it: they are never older than those that the
        head was decided on. Else a host would seem to lack what everybody was waited for to load.
        """
        with self._lock:
            before = self._clock()
            now = self.store.now()
            self._offset = now - (before + self._clock()) / 2
            head = self.store.head()
            self._reports.read()
            self._take(head)

    def _take(self, head: Head) -> None:
        """Know a head from now on, unless it is older than what is known."""
        with self._lock:
            before = self.known
            if head.version <= before.version:
                return
            rollout = rollout_from_bytes(head.body)
            generations = self._archive.keep(rollout.needed)
            same = before.rollout is not None and before.rollout.shown == rollout.shown
            shown = before.layout if same else layout(rollout, generations, self.store.identity)
            self.known = Known(version=head.version, rollout=rollout, generations=generations, layout=shown)

    async def _try(self, work: Callable[[], object]) -> bool:
        """Do something with the store in a thread; say whether it could be done, and log it once when not."""
        try:
            await asyncio.to_thread(work)
        except (StoreError, Malformed) as error:
            if str(error) != self.store_problem:
                log.warning("the store: %s", error)
            self.store_problem = str(error)
            self._lease = None
            return False
        if self.store_problem:
            log.info("the store is there")
        self.store_problem = ""
        return True

    async def _follow_for_ever(self) -> None:
        """Look at the store whenever it changes."""
        mark = ""

        def look() -> None:
            nonlocal mark
            mark = self.store.wait(mark, TICK_SECONDS)

        while True:
            try:
                await asyncio.to_thread(look)
            except StoreError:
                await asyncio.sleep(RETRY_SECONDS)
            if not await self._try(self._read):
                await asyncio.sleep(RETRY_SECONDS)
            self._changed.set()

    async def _beat_for_ever(self) -> None:
        """Say that this replica lives, and take the lease when it is free."""
        while True:
            if await self._try(self._beat):
                self._changed.set()
            await asyncio.sleep(BEAT_SECONDS)

    def _beat(self) -> None:
        had = self.driving
        self._lease = self.store.lease(self.name, LEASE_SECONDS)
        self._reports.beat(self.now, driving=self._lease is not None)
        if self._lease is not None:
            self._reports.drop_ended(self.now, self.policy)
        if self._lease is not None and not had:
            log.info("%s drives the rollout from now on", self.name)

    async def _report_for_ever(self) -> None:
        """Write down what this replica knows of its consumers, whenever that changes."""
        while True:
            await self._reports.wait_dirty()
            if not await self._try(self._reports.write):
                await asyncio.sleep(RETRY_SECONDS)

    async def _step_for_ever(self) -> None:
        while True:
            self._changed.clear()
            try:
                while await self._step():
                    pass
            except (Conflict, Fenced) as error:
                log.info("%s: %s", self.name, error)
                self._lease = None if isinstance(error, Fenced) else self._lease
            except StoreError as error:
                self.store_problem = str(error)
            try:
                async with asyncio.timeout(TICK_SECONDS):  # `wait_for` may swallow a cancellation
                    await self._changed.wait()
            except TimeoutError:
                continue
            await asyncio.sleep(GATHER_SECONDS)

    async def _step(self) -> bool:
        """Show what is known, and take the rollout's next step if it can be taken; return whether it was."""
        known = self.known
        self._show(known)
        if known.rollout is None or known.layout is None:
            return False
        now = self.now
        self._progress = progress(known.rollout, known.layout.target, self._registry, now, self.policy)
        lease = self._lease
        if lease is None or not self.driving:
            return False
        held = [known.generations[number] for number in known.rollout.held]
        delay = retire_after(held, known.rollout.active, self.policy)
        at = Moment(now, known.version + 1)
        following = advance(known.rollout, self._progress, self.policy, delay, at)
        if following == known.rollout:
            return False
        # Who reads the step must find what it was decided on.
        await asyncio.to_thread(self._reports.write)
        happened = events(known.rollout, following, now)
        for event in happened:
            log.info("generation %d: %s %s", event.generation, event.action, event.detail)
        await self.commit(
            Change(
                expected=known.version,
                body=rollout_to_bytes(following),
                token=lease.token,
                events=happened,
            )
        )
        return True

    def _show(self, known: Known) -> None:
        """Show the consumers what follows from what is known, and take in what they said."""
        now = self.now
        # What they said so far, they said of what was shown so far.
        changed = self._look(self._shown, now)
        if known.rollout is not None and known.layout is not None:
            addresses = ready_addresses(known.layout, self._registry, now, self.policy)
            states = sidecar_states(known.rollout, self._registry)
            if self._views.show(known.layout, addresses, states):
                self.ads.push()
                self._roster.touch_all()
        if known is not self._shown:
            self._shown, changed = known, True
        if self._look(known, now) or changed:
            self._tell()

    def _look(self, shown: Known, now: float) -> bool:
        """Take in what consumers said of what is shown; return whether anything was said."""
        traces = {(each.kind, each.id): each for each in self._registry}
        routed = shown.rollout.routed if shown.rollout is not None else ()
        changed = self._roster.look(routed, traces, now)
        own = Report(
            replica=self.name,
            heartbeat=now,
            version=shown.version,
            consumers=self._roster.consumers(now, self.policy),
        )
        self._registry = self._reports.merge(own, shown.version, now, self.policy)
        return changed

    def _tell(self) -> None:
        async def tell() -> None:
            async with self._news:
                self._told += 1
                self._news.notify_all()

        self._telling = asyncio.create_task(tell())

    def _view(self, node: Node) -> Snapshot | None:
        snapshot = self._views.of(identify(node))
        if snapshot is None or is_behind(snapshot.fence, node):
            # The node has seen what this replica hasn't yet: it is taken forward, or not at all.
            return None
        return snapshot

    def _touch(self, stream_id: int) -> None:
        self._roster.touch(stream_id)
        self._changed.set()
