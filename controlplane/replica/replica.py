"""One control plane: shows consumers what follows from the store, and leads the rollout when it may.

What to do is decided by `rollout`; what goes over a stream by `xds`; what is kept by the store, which
`store_watcher` reads. This only carries values between them. All replicas of a store show the same: what they
show is a function of the store's head and of everybody's reports. The one with the lease takes the steps.

When the store can't be reached, a replica goes on showing what it holds, and takes no step.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from itertools import chain

from controlplane.lifecycle import agreement
from controlplane.lifecycle.advance import Acked
from controlplane.lifecycle.counters import Sum
from controlplane.lifecycle.shadow import NO_COPIES, Copies
from controlplane.lifecycle.watching import Judged, Told
from controlplane.planning.routing import Inconsistent
from controlplane.replica.consumer_tracker import ConsumerTracker
from controlplane.replica.figures import Counted, Figures, counted_default, counted_of, interval_of
from controlplane.replica.figures import Told as ToldFigures
from controlplane.replica.store_watcher import StoreView, StoreWatcher
from controlplane.replica.watches import Watches, outdated
from controlplane.rollout.advance import Progress, advance, retire_after
from controlplane.rollout.by_rules import begun
from controlplane.rollout.codec import LanesWriter
from controlplane.rollout.controlled import acknowledgements, moved_on
from controlplane.rollout.desired_state import DesiredState, ReadyAddresses, sidecar_states
from controlplane.rollout.ending import end
from controlplane.rollout.events import events, handed_over
from controlplane.rollout.gates import kinds_of, progress
from controlplane.rollout.holding import held_beside
from controlplane.rollout.lanes import Lanes
from controlplane.rollout.loss import Loss, Seen
from controlplane.rollout.new_defaults import guarded_of, put_to_the_test
from controlplane.rollout.operations import withdraw
from controlplane.rollout.registry import Consumer, Report
from controlplane.rollout.room import occupants
from controlplane.rollout.shadowed import shadow_ids, shadows_moved_on, sidecars_behind
from controlplane.rollout.state import Generation, Moment, Policy, Rollout
from controlplane.rollout.taking import obstacle
from controlplane.store.contract import Change, Conflict, Event, Fenced, LogEntry, Store, StoreError
from controlplane.xds.nodes import has_seen, identify
from controlplane.xds.snapshot_cache import NOBODY, SnapshotCache
from lightbulb.ads.loads import ModelLoad
from lightbulb.ads.server.server import AdsServer
from lightbulb.ads.server.snapshot import Snapshot
from lightbulb.ads.values import CommitStamp, Node

__all__ = ["Replica", "StoreView"]

log = logging.getLogger(__name__)

TICK_SECONDS = 1.0
GATHER_SECONDS = 0.005
"""The ACKs of a thousand sidecars, which come within moments, are looked at together."""


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
        self.progress: Mapping[str, Progress] = {}
        """By tenant, what the consumers of its phase say; without those whose rollout is settled."""
        self.acked: Mapping[str, Acked] = {}
        """By objective that has a control, who hasn't acknowledged that."""
        self.sidecars_behind: Mapping[str, tuple[str, ...]] = {}
        """By tenant that has shadows, which sidecars haven't acknowledged what is shown of these."""
        self.judged: Mapping[str, Judged] = {}
        """By objective that is guarded, what the guards say; where another leads, as that wrote it last."""
        self._watches = Watches()
        self.deciding = asyncio.Lock()
        """Held by whoever decides on what is known and commits it: of this replica, one at a time."""
        self.lanes_writer = LanesWriter()
        """For the event loop alone."""
        self._everybody: tuple[Consumer, ...] = ()
        self.ads = AdsServer(
            self._view,
            clock=clock,
            on_change=self._touch,
            on_goodbye=self._part,
            on_progress=self._take_progress,
        )
        self._changed = asyncio.Event()
        self._clock = clock
        self._store_watcher = StoreWatcher(store, name, self.policy, clock, self._changed.set)
        self._reports = self._store_watcher.reports
        self._snapshots = SnapshotCache()
        self._ready = ReadyAddresses()
        self._served = self.known
        self._tracker = ConsumerTracker(self.ads, self._view, self._snapshots)
        self.figures = Figures(epoch=time.time_ns() // 1_000_000)
        """What relays told this replica."""
        self._figures_written = self.figures.told(0.0)
        self._news = asyncio.Event()
        self._told = 0
        self._looking = 0.0
        self._led_since = 0.0

    @property
    def known(self) -> StoreView:
        """What is known of the store."""
        return self._store_watcher.known

    @property
    def now(self) -> float:
        """Seconds, by the store's clock as far as it is known."""
        return self._store_watcher.now

    @property
    def consumers(self) -> tuple[Consumer, ...]:
        """Everybody, at whichever replica, but for those that said goodbye."""
        return tuple(each for each in self._everybody if not each.left)

    @property
    def store_problem(self) -> str:
        """Why the store can't be read; empty when it can."""
        return self._store_watcher.problem

    @property
    def store_loss(self) -> Loss | None:
        """What the store lost of what was seen; None when it lost nothing, as far as is known."""
        return self._store_watcher.loss

    @property
    def seen(self) -> Seen:
        """The highest version that anybody has seen, as far as is known."""
        return self._store_watcher.losses.seen(self._reports.heard)

    @property
    def most_known(self) -> int:
        """The highest version that a replica has known, as all of it: of a consumer's it knows the number."""
        others = (report.version for report in self._reports.heard.parsed.values())
        return max(self.known.version, *others, 0)

    @property
    def newest_number(self) -> int:
        """The highest number of a generation that any replica knows of."""
        return self._store_watcher.losses.newest_number(self._reports.heard)

    def who_knows_more(self) -> str:
        """Return a replica that is there, and knows more than this one; empty when none does."""
        others = self._reports.heard.others.values()
        there = [each for each in others if not each.ended(self.now) and each.version > self.known.version]
        return max(there, key=lambda each: each.version).replica if there else ""

    @property
    def shows_newest(self) -> bool:
        """Whether `consumers` were asked about the newest version that is `known`."""
        return self._served.version == self.known.version

    @property
    def leading(self) -> bool:
        """Whether this replica takes the rollout's steps."""
        return self._store_watcher.lease is not None

    @property
    def leader(self) -> str:
        """The name of the replica that leads, as far as is known; empty when none does."""
        if self.leading:
            return self.name
        silent = self.replicas()
        return next((name for name in sorted(self._reports.heard.leading) if not silent.get(name, True)), "")

    def replicas(self) -> Mapping[str, bool]:
        """Return the name of each replica that has been heard of, and whether it is silent now."""
        others = self._reports.heard.others.values()
        return {self.name: False} | {report.replica: report.ended(self.now) for report in others}

    def _figures_of_all(self) -> Mapping[str, ToldFigures]:
        """Return what every replica was told, by its name."""
        return {**self._reports.heard.figures, self.name: self.figures.told(self.now)}

    @property
    def sidecars_reporting(self) -> int:
        """How many sidecars told figures of late, to any replica."""
        return sum(each.reporting for each in self._figures_of_all().values())

    def sums_of(self, counted: Counted) -> tuple[Sum, ...]:
        """Return what every replica was told of a shift since it started."""
        told = self._figures_of_all()
        sums = tuple(told[name].sum_of(counted, name) for name in sorted(told))
        if counted.models is None:
            return sums
        return (*sums, *agreement.sums_of(counted.models, (each.compared for each in told.values())))

    def copies(self, lanes: Lanes) -> Mapping[str, Copies]:
        """Return by id what became of each shadow's copies, as every replica was told."""
        ids = shadow_ids(lanes)
        if not ids:
            return {}
        told = self._figures_of_all()
        return {each: sum((one.copies_of(each) for one in told.values()), NO_COPIES) for each in ids}

    async def start(self, stop: asyncio.Event | None = None) -> None:
        """Return once the store has been read; until then nobody is shown anything.

        Waits for a store that can't be reached. Raises StoppedWaiting when `stop` is set before, and
        StoreError, Malformed for one that can't be used.
        """
        self._tracker.adopt(await self._store_watcher.start(stop))

    async def run(self) -> None:
        """Serve until cancelled."""
        watcher = self._store_watcher
        jobs = (
            self._step_for_ever,
            watcher.follow,
            watcher.beat,
            watcher.report,
            self.ads.watch,
            self._write_figures_for_ever,
            self._write_evidence_for_ever,
        )
        async with asyncio.TaskGroup() as group:
            for job in jobs:
                group.create_task(job())

    async def stop(self) -> None:
        """End the streams, whose clients keep what they have, and let another replica lead."""
        await self.ads.close()
        await self._write_figures()
        await self._write_evidence()
        await self._store_watcher.leave()

    async def refresh(self) -> StoreView:
        """Return what the store says now. Raises CommitsLost, StoreError, Malformed."""
        return await self._store_watcher.refresh()

    async def look(self) -> None:
        """Read the store, whatever it lost. Raises StoreError, Malformed."""
        await self._store_watcher.look()

    def line(self, number: int) -> tuple[LogEntry, bytes] | None:
        """Return a generation's line of the log and its content, as far as this replica still knows it."""
        return self._store_watcher.line(number)

    def read_generation(self, number: int) -> Generation:
        """Return any generation of the log. Blocking. Raises NotFound, Corrupt, Malformed, Unreachable."""
        return self._store_watcher.read_generation(number)

    def prepare(self, content_hash: str) -> None:
        """Read what a generation is to be made of, before it is. Blocking. Raises as `read_generation`."""
        self._store_watcher.prepare(content_hash)

    async def commit(self, change: Change) -> None:
        """Take a change, and show what follows from it. Raises Conflict, Fenced, CommitsLost, Unreachable."""
        await self._store_watcher.commit(change)

    async def wait_for_news(self, told: int, seconds: float) -> int:
        """Return a number other than `told` once something has changed, or `told` after `seconds`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._told == told:
                    await self._news.wait()
        return self._told

    def _told_of(self, objective: str) -> Told:
        """Return what was counted of an objective by now, at all replicas."""
        lanes = self.known.lanes
        tenant = (lanes.controls.get(objective) or lanes.new_defaults[objective]).tenant
        live = sum(
            each.kind == "sidecar" and not each.disconnected and each.concerns(tenant)
            for each in self._everybody
        )
        own = (each for each in self.figures.counted if each.objective == objective)
        sums = tuple(chain.from_iterable(map(self.sums_of, own)))
        return Told(sums=sums, reporting=self.sidecars_reporting, live=live)

    async def _write_evidence_for_ever(self) -> None:
        """Write down what is learnt of shifts, so that whoever leads next goes on with it."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            await self._write_evidence()

    async def _write_evidence(self) -> None:
        watches, lease = self._watches.unwritten, self._store_watcher.lease
        if lease is None:
            return
        lanes = self.known.lanes
        standing = {each.shift.number for each in lanes.controls.values()}
        standing.update(each.number for each in lanes.new_defaults.values())
        old = outdated(self._reports.heard.beside, self._watches.shifts, standing, lease.token)
        if not watches and not old:
            return
        write = partial(self._reports.write_evidence, watches, old, lease.token)
        if await self._store_watcher.attempt(write, writing=True):
            self._watches.note_written(watches)

    async def _write_figures_for_ever(self) -> None:
        """Write down what relays told, as often as they tell; others' figures are read with their reports."""
        while True:
            await asyncio.sleep(self.figures.interval)
            await self._write_figures()

    async def _write_figures(self) -> None:
        told = self.figures.told(self.now)
        if told != self._figures_written:
            write = (
                self._reports.drop_figures if told.is_nothing else partial(self._reports.write_figures, told)
            )
            if await self._store_watcher.attempt(write, writing=True):
                self._figures_written = told

    async def _step_for_ever(self) -> None:
        while True:
            self._changed.clear()
            try:
                while await self._step():
                    pass
            except (Conflict, Fenced) as error:
                log.info("%s: %s", self.name, error)
            except (StoreError, Inconsistent) as error:
                log.warning("%s: no step could be taken: %s", self.name, error)
            try:
                async with asyncio.timeout(TICK_SECONDS):  # `wait_for` may swallow a cancellation
                    await self._changed.wait()
            except TimeoutError:
                continue
            # A look at all of them takes longer, the more there are: at least half of the time is others'.
            await asyncio.sleep(max(GATHER_SECONDS, self._looking))

    async def _step(self) -> bool:
        """Show what is known, and take the next step of each lane that can; return whether there was one."""
        known, began = self.known, self._clock()
        self._show(known)
        self._looking = self._clock() - began
        if known.desired_state is None:
            return False
        now = self.now
        self._note_lease(now)
        self.progress = self._progress(known, known.desired_state, now)
        self.acked = acknowledgements(known.lanes, self._everybody, now, self.policy)
        self.sidecars_behind = sidecars_behind(known.lanes, self._everybody, now, self.policy)
        if self._store_watcher.lease is None:
            self._watches.forget()
            evidence = self._reports.heard.evidence
            self.judged = self._watches.left(guarded_of(known.lanes), evidence, now)
            return False
        self.judged = self._watches.look(
            guarded_of(known.lanes), self._reports.heard.evidence, self._told_of, now
        )
        following, happened = self._next(known, Moment(now, known.version + 1, self._led_since))
        if following == known.lanes:
            return False
        async with self.deciding:
            lease = self._store_watcher.lease
            if lease is None:
                return False
            if self.known is not known:
                return True  # somebody was first: it is decided on what is shown
            # Who reads the step must find what it was decided on.
            await asyncio.to_thread(self._reports.write)
            body = self.lanes_writer.content(following)
            await self.commit(Change(expected=known.version, body=body, token=lease.token, events=happened))
        for event in happened:
            about = f"generation {event.generation}: " if event.generation else ""
            log.info("%s: %s%s %s", event.tenant, about, event.action, event.detail)
        return True

    def _note_lease(self, now: float) -> None:
        """Begin to wait anew when the lease was lost: what was said meanwhile may not have been read yet."""
        watcher = self._store_watcher
        if watcher.led_since == self._led_since:
            return
        self._led_since = watcher.led_since
        if watcher.led_alone:
            log.warning("%s: nobody led for a while: it is waited anew for whoever is late", self.name)
            self._tracker.wake(self._everybody, now, self.policy)
            self._look(self._served, now)

    def _progress(self, known: StoreView, desired: DesiredState, now: float) -> Mapping[str, Progress]:
        """Return by tenant what the consumers of its phase say."""
        return {
            tenant: progress(
                rollout,
                desired.targets.get(tenant, {}),
                [
                    each.for_tenant(tenant)
                    for each in self._everybody
                    if each.kind in kinds and each.concerns(tenant)
                ],
                now,
                self.policy,
                live=desired.required,
                occupants=occupants(known.lanes, tenant, self.policy.window),
            )
            for tenant, rollout in known.lanes
            if (kinds := kinds_of(rollout.phase))
        }

    def _next(self, known: StoreView, at: Moment) -> tuple[Lanes, tuple[Event, ...]]:
        """Return the lanes once each has taken the step that it can take, and what happened."""
        lanes, happened = known.lanes, list[Event]()
        left_out = known.left_out
        for tenant, said in self.progress.items():
            before = known.lanes.rollouts[tenant]
            held = [known.generations[number] for number in before.held]
            delay = retire_after(held, before.active, self.policy, again=before.again)
            policy = replace(self.policy, window=0) if tenant in left_out else self.policy
            following = advance(before, said, policy, delay, at)
            following = self._unless_overtaken(lanes, tenant, following, at)
            if following != before:
                lanes = lanes.after(tenant, following)
                happened += [replace(each, tenant=tenant) for each in events(before, following, at.now)]
        for tenant in left_out:
            lanes = end(lanes, tenant, known.generations, at)
        lanes, controlled = moved_on(lanes, known.generations, self.acked, self.judged, self.policy, at)
        lanes, let_go = held_beside(lanes, known.generations, self.policy, at)
        lanes, ruled = begun(known.lanes, lanes, known.generations, self._everybody, self.policy, at)
        lanes, judged = put_to_the_test(lanes, known.generations, self.judged, self.policy, at)
        # After those, which change what is copied.
        lanes, shadowed = shadows_moved_on(
            lanes, known.generations, self.sidecars_behind, self.copies(known.lanes), at
        )
        handed = handed_over(known.lanes, lanes, at.now)
        return lanes, (*happened, *handed, *controlled, *let_go, *ruled, *judged, *shadowed)

    def _unless_overtaken(self, lanes: Lanes, tenant: str, following: Rollout, at: Moment) -> Rollout:
        """Return what a lane comes to; if it takes what it can't have now, that without its target."""
        before = lanes.rollouts[tenant]
        if following.active == before.active or not before.target:
            return following
        # Of lanes as they are by now: the owner's may have taken a step in this same look.
        failure = obstacle(lanes, tenant, self.known.generations)
        return following if failure is None else withdraw(before, failure, at)

    def _show(self, known: StoreView) -> None:
        """Show the consumers what follows from what is known, and take in what they said."""
        now = self.now
        # What they said so far, they said of what was shown so far.
        changed = self._look(self._served, now)
        audience = NOBODY
        if known.desired_state is not None:
            addresses = self._ready.of(known.desired_state, self._everybody, now, self.policy)
            states = sidecar_states(known.lanes, self._everybody)
            # Before the routes are there: so that nothing is missed.
            lanes = known.lanes
            controls, new = lanes.controls.values(), lanes.new_defaults.values()
            self.figures.interval = interval_of(controls, lanes.shadows.values(), new)
            counted = (*counted_of(controls), *chain.from_iterable(map(counted_default, new)))
            self.figures.count(counted, shadow_ids(lanes))
            audience = self._snapshots.show(known.desired_state, addresses, states)
        newer = known.version != self._served.version
        if newer or audience:
            self._served = known
            # A newer version is news to all, if only by its stamp.
            self.ads.push(*([] if newer else audience.all_kinds))
            self._tracker.touch_all(audience)
            self._look(known, now)
            changed = True
        if changed:
            self.tell()

    def _look(self, shown: StoreView, now: float) -> bool:
        """Take in what consumers said of what is shown; return whether anything was said."""
        changed = self._tracker.look(shown.lanes, shown.desired_state, self._everybody, now)
        # As of when the store was last read: before, who is gone may be at another replica.
        consumers = self._tracker.consumers(self._reports.heard.at or now, self.policy)
        losses = self._store_watcher.losses
        own = Report(
            replica=self.name,
            heartbeat=now,
            version=shown.version,
            consumers=consumers,
            seen=losses.own.version,
            forked=losses.own.is_fork,
            generation=losses.generation,
        )
        self._everybody = self._reports.merge(own, shown.version, self.policy)
        return changed

    def tell(self) -> None:
        """Wake up whoever waits for news; what comes next is for an event of its own."""
        self._told += 1
        news, self._news = self._news, asyncio.Event()
        news.set()

    def _view(self, node: Node) -> Snapshot | None:
        snapshot = self._snapshots.of(identify(node))
        newest = CommitStamp(self.store.identity, self.known.version)
        stamp = snapshot.stamp if snapshot is not None else newest
        # A node that has seen what this replica hasn't yet is taken forward, or not at all.
        ahead = has_seen(stamp, node)
        if ahead <= stamp.number:
            return snapshot
        if ahead > self.known.version:
            self._store_watcher.losses.note(Seen(ahead, f"{node.kind} {node.id}"))
        return None

    def _part(self, stream_id: int, node: Node) -> None:
        self._tracker.goodbye(stream_id, node)

    def _take_progress(self, stream_id: int, loads: tuple[ModelLoad, ...]) -> None:
        self._tracker.take_progress(stream_id, loads, self.now)
        self._changed.set()

    def _touch(self, stream_id: int) -> None:
        self._tracker.touch(stream_id)
        self._changed.set()
