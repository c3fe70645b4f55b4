"""Decides on the newest state and commits it; again, when somebody else was first.

Any replica commits; the store's compare-and-set sees to it that two at once don't undo each other. Those of
one replica, its own steps too, decide in turn (`Replica.deciding`), so that only other replicas can be first.
What takes long, such as a plan, is prepared before one's turn, and stays good unless what it stands on has
changed meanwhile. A request that is repeated with the same id is answered as the first was.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from controlplane.admin.outcome import Outcome, RequestIdUsed, outcome_from_bytes, outcome_to_bytes
from controlplane.lifecycle.events import ControlEventKind
from controlplane.planning.beside import Release
from controlplane.replica.replica import Replica, StoreView
from controlplane.rollout.controlled import beside
from controlplane.rollout.events import EventKind, superseded
from controlplane.rollout.holding import held_beside
from controlplane.rollout.lanes import Lanes
from controlplane.rollout.room import set_out
from controlplane.rollout.shadowed import shadows_beside
from controlplane.rollout.state import Moment
from controlplane.store.contract import Change, Conflict, Event, LogEntry, NotFound, StoreError
from lightbulb.model import DEFAULT_TENANT

log = logging.getLogger(__name__)

ATTEMPTS = 8
"""How often an operation is decided anew because somebody else changed the state first."""

PATIENCE = 3
"""How often something is prepared in vain, before that is done in one's turn, while the others wait."""

KEPT_GENERATIONS = 500
"""Generations whose content is kept, the newest of the log; of those before them only the log's line is."""

MAX_NUMBER = 2**63 - 1
"""What a store can count to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks, why, and under which id; an empty id is nobody's. `digest` is that of the whole request.

    `tenant` is whose rollout it is about.
    """

    author: str = ""
    tenant: str = DEFAULT_TENANT
    message: str = ""
    source_revision: str = ""
    request_id: str = ""
    digest: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """An operation decided on: the lanes to commit, and what it came to.

    `kind` is for programs, and for people `action`, if it says more than that. None: nothing happened.
    `besides`: what became of controls by it.
    """

    following: Lanes
    outcome: Outcome
    kind: EventKind | ControlEventKind | None = None
    action: str = ""
    detail: str = ""
    entry: LogEntry | None = None
    forget: str = ""
    besides: tuple[Event, ...] = ()


class UnknownGeneration(NotFound):
    """There is no generation of that number."""

    def __init__(self, number: int) -> None:
        """Name the number."""
        super().__init__(f"there is no generation {number}; see `lightbulb history`")
        self.about = {"generation": str(number)}


class LostGeneration(NotFound):
    """A number that was given up when the store had lost commits."""

    def __init__(self, number: int) -> None:
        """Name the number."""
        super().__init__(f"generation {number} was lost with commits of the store; see `lightbulb history`")
        self.about = {"generation": str(number)}


Decide = Callable[[StoreView], Awaitable[Step]]
Prepare = Callable[[StoreView], Awaitable[object]]


class Commits:
    """Commits at one replica."""

    def __init__(self, replica: Replica) -> None:
        """Commit there."""
        self._replica = replica

    async def carry_out(self, decide: Decide, caller: Caller, prepare: Prepare | None = None) -> Outcome:
        """Decide on the newest state and commit, again when somebody else was first.

        `prepare` does what takes long. `decide` follows it, and raises Conflict if that is good no more.
        """
        last: StoreError | None = None
        for attempt in range(ATTEMPTS):
            patient = attempt < PATIENCE
            if prepare is not None and patient:
                known = await self._replica.refresh()
                done = await self.done(caller)
                if done is not None:
                    return done
                await prepare(known)
            try:
                async with self._replica.deciding:
                    return await self._in_turn(decide, caller, None if patient else prepare)
            except Conflict as error:
                log.info("%s is decided anew: %s", caller.tenant, error)
                last = error
        raise Conflict(f"others changed the rollout {ATTEMPTS} times meanwhile; try again") from last

    async def _in_turn(self, decide: Decide, caller: Caller, prepare: Prepare | None) -> Outcome:
        known = await self._replica.refresh()
        done = await self.done(caller)
        if done is not None:
            return done
        if prepare is not None:
            await prepare(known)
        step = self._beside_controls(known, await decide(known))
        if step.following == known.lanes and not caller.request_id:
            return replace(step.outcome, version=known.version)
        outcome = replace(step.outcome, version=known.version + 1, request_digest=caller.digest)
        step = replace(step, outcome=outcome)
        await self._replica.commit(self._change(known, step, caller))
        return step.outcome

    async def done(self, caller: Caller) -> Outcome | None:
        """Return what a request came to before, if it did. Raises RequestIdUsed."""
        if not caller.request_id:
            return None
        body = await asyncio.to_thread(self._replica.store.outcome, caller.request_id)
        if body is None:
            return None
        outcome = outcome_from_bytes(body)
        if outcome.request_digest not in {b"", caller.digest}:
            raise RequestIdUsed(outcome)
        return outcome

    def one_too_many(self, known: StoreView, newest: int) -> str:
        """Return the hash of the content that a new generation pushes out; empty when there is none."""
        oldest = newest - KEPT_GENERATIONS
        if oldest < 1:
            return ""
        used = {entry.content_hash for entry in self._replica.store.log(limit=KEPT_GENERATIONS - 1)}
        used |= {each.content_hash for each in known.generations.values()}
        pushed_out = self._replica.store.entry(oldest).content_hash
        return "" if pushed_out in used else pushed_out

    def taken(self, known: StoreView, content: bytes, source_hash: str, caller: Caller) -> Step:
        """Return a step that puts content at the log's end, and shows it to nobody yet. Blocking.

        Raises Malformed, StoreError: what can't be read back is never committed.
        """
        stored = self._replica.store.put_blob(content)
        self._replica.prepare(stored)
        number = self.next_number()
        pushed_out = self.one_too_many(known, number)
        entry = LogEntry(
            number=number,
            content_hash=stored,
            source_hash=source_hash,
            author=caller.author,
            message=caller.message,
            source_revision=caller.source_revision,
            published_at=self._replica.now,
            tenant=caller.tenant,
        )
        return Step(
            following=known.lanes,
            outcome=Outcome(generation=number, content_hash=stored),
            kind=EventKind.PUBLISHED,
            detail=caller.message,
            entry=entry,
            forget="" if stored == pushed_out else pushed_out,
        )

    def on_its_way(
        self, known: StoreView, content: bytes, source_hash: str, release: Release, caller: Caller
    ) -> Step:
        """Return a step that sets a plan's content on its way to the caller's tenant. Raises as `taken`."""
        step = self.taken(known, content, source_hash, caller)
        tenant, number = caller.tenant, step.outcome.generation
        at, policy = self.at(known), self._replica.policy
        following = set_out(known.lanes, tenant, number, release, known.generations, at, policy)
        return replace(
            step,
            following=known.lanes.after(tenant, following),
            outcome=replace(step.outcome, on_its_way=True),
        )

    def _beside_controls(self, known: StoreView, step: Step) -> Step:
        """Return a step with what it makes of controls, should another generation be active by it."""
        generations, at = known.generations, self.at(known)
        policy = self._replica.policy
        following, happened = beside(step.following, generations, policy, at)
        following, ended = held_beside(following, generations, policy, at)
        following, shadowed = shadows_beside(following, generations, at)
        return replace(step, following=following, besides=(*happened, *ended, *shadowed))

    def _change(self, known: StoreView, step: Step, caller: Caller) -> Change:
        outcome = step.outcome
        return Change(
            expected=known.version,
            body=self._replica.lanes_writer.content(step.following),
            events=(*(() if outcome.unchanged else self._events(known, step, caller)), *step.besides),
            entry=step.entry,
            request_id=caller.request_id,
            outcome=outcome_to_bytes(outcome),
            forget=step.forget,
        )

    def _events(self, known: StoreView, step: Step, caller: Caller) -> tuple[Event, ...]:
        now = self._replica.now
        after = step.following.of(caller.tenant)
        ended: tuple[Event, ...] = ()
        if after is not None:
            ended = superseded(known.lanes.of(caller.tenant), after, now)
        ended = tuple(replace(each, tenant=caller.tenant) for each in ended)
        if step.kind is None:
            return ended
        event = Event(
            at=now,
            author=caller.author,
            action=step.action or step.kind.value,
            generation=step.outcome.generation,
            detail=step.detail,
            kind=step.kind.value,
            tenant=caller.tenant,
        )
        return (*ended, event)

    def at(self, known: StoreView) -> Moment:
        """Return when a step on what is known is taken."""
        return Moment(self._replica.now, known.version + 1)

    def next_number(self) -> int:
        """Return the number of the next line of the log. Blocking."""
        newest = self._replica.store.log(limit=1)
        return newest[0].number + 1 if newest else 1

    def entry(self, number: int) -> LogEntry:
        """Return a line of the log. Blocking. Raises UnknownGeneration."""
        try:
            if number <= MAX_NUMBER:
                return _kept(self._replica.store.entry(number))
            unknown = NotFound("no store counts that far")
        except LostGeneration:
            raise
        except NotFound as error:
            unknown = error
        raise UnknownGeneration(number) from unknown


def ahead(decide: Decide) -> tuple[Decide, Prepare]:
    """Return what decides in one's turn, and prepares it, of a `decide` that takes long.

    What it prepares stays good until the state is another.
    """
    prepared: tuple[int, Step] | None = None

    async def prepare(known: StoreView) -> None:
        nonlocal prepared
        prepared = known.version, await decide(known)

    async def take(known: StoreView) -> Step:
        if prepared is None or prepared[0] != known.version:
            raise Conflict("the state is another by now")
        return prepared[1]

    return take, prepare


def _kept(entry: LogEntry) -> LogEntry:
    if entry.is_lost:
        raise LostGeneration(entry.number)
    return entry
