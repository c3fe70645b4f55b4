"""What people ask of a control plane: publish, roll back, pin. Decides on the newest state, and commits.

Any replica takes these; the store's compare-and-set sees to it that two at once don't undo each other. A call
that is repeated with the same request id is answered as the first was.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from controlplane.admin.compiler_messages import Planned
from controlplane.admin.compilers import CompiledWorkspace, Compilers
from controlplane.admin.outcome import Outcome, RequestIdUsed, outcome_from_bytes, outcome_to_bytes
from controlplane.admin.planner import DoesNotFit, base_of, room_for
from controlplane.model import Workspace
from controlplane.planning.beside import Release
from controlplane.problems import told
from controlplane.replica.replica import Replica, StoreView
from controlplane.rollout import operations
from controlplane.rollout.codec import lanes_to_bytes
from controlplane.rollout.events import EventKind, superseded
from controlplane.rollout.lanes import Lanes
from controlplane.rollout.operations import NoRoom, NotLoaded, OfAnotherTenant
from controlplane.rollout.state import Generation, Moment, Rollout
from controlplane.rules.workspace import content_hash
from controlplane.store.contract import Change, Conflict, Event, LogEntry, NotFound, StoreError
from lightbulb.model import DEFAULT_TENANT

log = logging.getLogger(__name__)

ATTEMPTS = 8
"""How often an operation is decided anew because somebody else changed the state first."""

KEPT_GENERATIONS = 500
"""Generations whose content is kept, the newest of the log; of those before them only the log's line is."""

MAX_NUMBER = 2**63 - 1
"""What a store can count to."""

MAX_WARNINGS = 20
"""Warnings that a publish is answered with: the store keeps its answer."""


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
class Back:
    """A rollback that is asked for: to `number`, or 0 for the one before.

    With `reload`, a generation that isn't loaded is published again. With `dry_run` nothing is changed.
    `expected_newest`: refused unless that generation is the newest; 0 for whichever is.
    """

    number: int = 0
    reload: bool = False
    dry_run: bool = False
    expected_newest: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """An operation decided on: the state to commit, and what it came to.

    `kind` is for programs, and for people `action`, if it says more than that. None: nothing happened.
    """

    following: Rollout
    outcome: Outcome
    kind: EventKind | None = None
    action: str = ""
    detail: str = ""
    entry: LogEntry | None = None
    forget: str = ""


class UnknownGeneration(NotFound):
    """There is no generation of that number."""

    def __init__(self, number: int) -> None:
        """Name the number."""
        super().__init__(f"there is no generation {number}; see `lightbulb history`")
        self.about = {"generation": str(number)}


class Operator:
    """Carries out operations at one replica, which has one of these."""

    def __init__(self, replica: Replica, compilers: Compilers) -> None:
        """Let `compilers` do what is heavy."""
        self._replica = replica
        self._compilers = compilers

    async def publish(self, workspace: Workspace, caller: Caller) -> Outcome:
        """Evaluate, compile and plan a workspace, and set its generation on its way.

        Raises WorkspaceError with its problems, TooManyPublishes, CompilerFailed, Stopping, Refused,
        Inconsistent, StoreError. Each leaves everything as it was.
        """
        source_hash = await asyncio.to_thread(content_hash, workspace)
        async with contextlib.AsyncExitStack() as stack:
            compiled: CompiledWorkspace | None = None

            async def decide(known: StoreView) -> _Step:
                nonlocal compiled
                same = await asyncio.to_thread(self._newest_of, known, caller.tenant, source_hash)
                if same is not None:
                    return self._unchanged(known, caller.tenant, same.number, same.content_hash)
                if compiled is None:
                    compiled = await stack.enter_async_context(self._compilers.compiled(workspace))
                lanes = self._base(known, caller.tenant)
                base = await asyncio.to_thread(base_of, lanes, caller.tenant, known.generations)
                planned = await compiled.plan(base, source_hash)
                step = await asyncio.to_thread(self._publish, known, planned, source_hash, caller)
                warnings = told(compiled.warnings, MAX_WARNINGS)
                return replace(step, outcome=replace(step.outcome, warnings=warnings))

            # Before the state is read that it is to follow: it takes its time, and the state moves on.
            known = await self._replica.refresh()
            same_content = await asyncio.to_thread(self._newest_of, known, caller.tenant, source_hash)
            if same_content is None and await self._done(caller) is None:
                compiled = await stack.enter_async_context(self._compilers.compiled(workspace))
            return await self._carry_out(decide, caller)

    async def roll_back(self, back: Back, caller: Caller) -> Outcome:
        """Make a loaded generation active, or publish its content again.

        Raises Refused, NotFound, StoreError.
        """

        def decide(known: StoreView) -> _Step:
            if back.number:
                self._own_entry(back.number, caller.tenant)
            if back.expected_newest:
                operations.check_newest(known.lanes.of(caller.tenant), back.expected_newest)
            return self._back(known, back, caller)

        if back.dry_run:
            known = await self._replica.refresh()
            return (await asyncio.to_thread(decide, known)).outcome
        return await self._carry_out(_in_thread(decide), caller)

    async def pin(self, number: int, caller: Caller, *, release: bool = False) -> tuple[int, ...]:
        """Keep a generation loaded, or let it go; return what is pinned.

        Raises Refused, NotFound, StoreError.
        """

        def decide(known: StoreView) -> _Step:
            self._own_entry(number, caller.tenant)
            change = operations.unpin if release else operations.pin
            rollout = known.lanes.of(caller.tenant)
            following = change(rollout, number)
            outcome = Outcome(generation=number, unchanged=following == rollout, pinned=following.pinned)
            kind = EventKind.UNPINNED if release else EventKind.PINNED
            return _Step(following=following, outcome=outcome, kind=kind)

        return (await self._carry_out(_in_thread(decide), caller)).pinned

    def generation(self, number: int) -> Generation:
        """Return a generation, loaded or not. Blocking. Raises NotFound, StoreError, Malformed."""
        self._entry(number)
        return self._replica.read_generation(number)

    async def _carry_out(self, decide: Callable[[StoreView], Awaitable[_Step]], caller: Caller) -> Outcome:
        """Decide on the newest state and commit, again when somebody else was first."""
        last: StoreError | None = None
        for _ in range(ATTEMPTS):
            known = await self._replica.refresh()
            done = await self._done(caller)
            if done is not None:
                return done
            step = await decide(known)
            if step.following == known.lanes.of(caller.tenant) and not caller.request_id:
                return replace(step.outcome, version=known.version)
            outcome = replace(step.outcome, version=known.version + 1, request_digest=caller.digest)
            step = replace(step, outcome=outcome)
            try:
                await self._replica.commit(self._change(known, step, caller))
            except Conflict as error:
                last = error
                continue
            return step.outcome
        raise Conflict(f"others changed the rollout {ATTEMPTS} times meanwhile; try again") from last

    async def _done(self, caller: Caller) -> Outcome | None:
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

    def _one_too_many(self, known: StoreView, newest: int) -> str:
        """Return the hash of the content that a new generation pushes out; empty when there is none."""
        oldest = newest - KEPT_GENERATIONS
        if oldest < 1:
            return ""
        used = {entry.content_hash for entry in self._replica.store.log(limit=KEPT_GENERATIONS - 1)}
        used |= {each.content_hash for each in known.generations.values()}
        pushed_out = self._replica.store.entry(oldest).content_hash
        return "" if pushed_out in used else pushed_out

    def _change(self, known: StoreView, step: _Step, caller: Caller) -> Change:
        outcome = step.outcome
        return Change(
            expected=known.version,
            body=lanes_to_bytes(known.lanes.after(caller.tenant, step.following)),
            events=() if outcome.unchanged else self._events(known, step, caller),
            entry=step.entry,
            request_id=caller.request_id,
            outcome=outcome_to_bytes(outcome),
            forget=step.forget,
        )

    def _events(self, known: StoreView, step: _Step, caller: Caller) -> tuple[Event, ...]:
        now = self._replica.now
        before = known.lanes.of(caller.tenant)
        ended = tuple(replace(each, tenant=caller.tenant) for each in superseded(before, step.following, now))
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

    def _newest_of(self, known: StoreView, tenant: str, source_hash: str) -> LogEntry | None:
        """Return the log's line of a tenant's newest generation if it was made of these files."""
        rollout = known.lanes.of(tenant)
        newest = rollout.newest if rollout is not None else 0
        entry = self._entry(newest) if newest else None
        return entry if entry is not None and entry.source_hash == source_hash else None

    def _publish(self, known: StoreView, planned: Planned, source_hash: str, caller: Caller) -> _Step:
        stored = self._replica.store.put_blob(planned.content)
        return self._on_its_way(known, stored, source_hash, planned.release, caller, EventKind.PUBLISHED)

    def _at(self, known: StoreView) -> Moment:
        return Moment(self._replica.now, known.version + 1)

    def _entry(self, number: int) -> LogEntry:
        try:
            if number <= MAX_NUMBER:
                return self._replica.store.entry(number)
            unknown = NotFound("no store counts that far")
        except NotFound as error:
            unknown = error
        raise UnknownGeneration(number) from unknown

    def _own_entry(self, number: int, tenant: str) -> LogEntry:
        """Return the log's line of a tenant's generation. Raises UnknownGeneration, OfAnotherTenant.

        Both say more than "not loaded" or "not pinned".
        """
        entry = self._entry(number)
        if entry.tenant != tenant:
            raise OfAnotherTenant(
                f"generation {number} is tenant {entry.tenant}'s, not {tenant}'s; say --tenant {entry.tenant}"
                " if you mean that one",
                generation=number,
            )
        return entry

    @staticmethod
    def _unchanged(known: StoreView, tenant: str, number: int, content_hash: str = "") -> _Step:
        outcome = Outcome(generation=number, unchanged=True, content_hash=content_hash)
        return _Step(following=known.lanes.rollouts[tenant], outcome=outcome)

    def _back(self, known: StoreView, back: Back, caller: Caller) -> _Step:
        rollout, number = known.lanes.of(caller.tenant), back.number
        if back.reload and rollout is not None and number and number not in rollout.live:
            step = self._reload(known, number, caller)
            return replace(step, outcome=replace(step.outcome, left=rollout.newest))
        try:
            following = operations.roll_back(rollout, number, self._at(known))
        except NotLoaded as error:
            raise NotLoaded(f"{error}. {self._how_to_load(number)}", generation=number) from error
        if rollout is None or following == rollout:
            return self._unchanged(known, caller.tenant, following.active)
        left = rollout.newest
        return _Step(
            following=following,
            outcome=Outcome(generation=following.active, left=left),
            kind=EventKind.ROLLED_BACK,
            detail=f"from {left}" + (f": {caller.message}" if caller.message else ""),
        )

    def _reload(self, known: StoreView, number: int, caller: Caller) -> _Step:
        generation = self.generation(number)
        try:
            base = base_of(self._base(known, caller.tenant), caller.tenant, known.generations)
            release = room_for(generation.plan, base)
        except DoesNotFit as error:
            raise NoRoom(
                f"generation {number} can't be loaded as it was beside what is loaded: {error}. Publish its "
                "files, so that its models are placed anew",
                generation=number,
            ) from error
        store = self._replica.store
        stored = store.put_blob(store.blob(generation.content_hash))  # should it just be forgotten
        source_hash = self._entry(number).source_hash
        step = self._on_its_way(known, stored, source_hash, release, caller, EventKind.RELOADED)
        return replace(step, action=f"reloaded from {number}")

    def _how_to_load(self, number: int) -> str:
        try:
            self.generation(number)
        except NotFound:
            return "Its content isn't kept any more: publish its files anew"
        return f"To load it, which takes as long as a publish: lightbulb rollback {number} --reload"

    def _base(self, known: StoreView, tenant: str) -> Lanes:
        """Return what a publish comes beside: should another of the tenant be on its way, that goes first."""
        rollout = known.lanes.of(tenant)
        if rollout is None or not rollout.target:
            return known.lanes
        return known.lanes.after(tenant, operations.withdraw(rollout, None, self._at(known)))

    def _on_its_way(  # noqa: PLR0913, PLR0917 - what a log entry holds
        self,
        known: StoreView,
        stored: str,
        source_hash: str,
        release: Release,
        caller: Caller,
        kind: EventKind,
    ) -> _Step:
        self._replica.prepare(stored)  # what can't be read back is never committed
        newest = self._replica.store.log(limit=1)
        number = newest[0].number + 1 if newest else 1
        at, pushed_out = self._at(known), self._one_too_many(known, number)
        entry = LogEntry(
            number=number,
            content_hash=stored,
            source_hash=source_hash,
            author=caller.author,
            message=caller.message,
            source_revision=caller.source_revision,
            published_at=at.now,
            tenant=caller.tenant,
        )
        return _Step(
            following=operations.publish(known.lanes.of(caller.tenant), number, release, at),
            outcome=Outcome(generation=number, on_its_way=True, content_hash=stored),
            kind=kind,
            detail=caller.message,
            entry=entry,
            forget="" if entry.content_hash == pushed_out else pushed_out,
        )


def _in_thread(decide: Callable[[StoreView], _Step]) -> Callable[[StoreView], Awaitable[_Step]]:
    return lambda known: asyncio.to_thread(decide, known)
