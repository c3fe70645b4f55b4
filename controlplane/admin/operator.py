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

from controlplane.admin.commits import Caller, Commits, Step
from controlplane.admin.compiler_messages import Planned
from controlplane.admin.compilers import Compilers
from controlplane.admin.handovers import HandoverOperator, check_served, kept_by, published
from controlplane.admin.neighbours import Neighbours
from controlplane.admin.outcome import Outcome
from controlplane.admin.planner import DoesNotFit, layers_of, publish_base, room_for
from controlplane.admin.platform import PlatformOperator
from controlplane.admin.publishing import Publishing
from controlplane.admin.shadows import ShadowOperator
from controlplane.admin.shifts import ShiftOperator
from controlplane.admin.tenants import check_comparable, check_publisher, check_tenant
from controlplane.lifecycle.events import ControlEventKind
from controlplane.model import PLATFORM, Workspace
from controlplane.planning.beside import Base
from controlplane.planning.layers import clashes, not_shared
from controlplane.problems import WorkspaceError, told
from controlplane.replica.replica import Replica, StoreView
from controlplane.rollout import operations
from controlplane.rollout.codec import plan_to_bytes
from controlplane.rollout.controlled import check_obeyed
from controlplane.rollout.events import EventKind
from controlplane.rollout.handover import oldest_whole
from controlplane.rollout.holding import WantedHoldBack, check_pin, hold_back
from controlplane.rollout.operations import LayerTaken, NoRoom, NotLoaded, OfAnotherTenant
from controlplane.rollout.state import Generation
from controlplane.rollout.taking import own_tables
from controlplane.rules.workspace import content_hash
from controlplane.store.contract import Conflict, LogEntry, NotFound

log = logging.getLogger(__name__)

MAX_WARNINGS = 20
"""Warnings that a publish is answered with: the store keeps its answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Back:
    """A rollback that is asked for: to `number`, or 0 for the one before.

    With `reload`, a generation that isn't loaded is published again. With `dry_run` nothing is changed.
    `expected_newest`: refused unless that generation is the newest; 0 for whichever is. `objective`: of that
    one alone, which is answered from `number` then; empty: all of the tenant's.
    """

    number: int = 0
    reload: bool = False
    dry_run: bool = False
    expected_newest: int = 0
    objective: str = ""


class Operator:
    """Carries out operations at one replica, which has one of these."""

    def __init__(self, replica: Replica, compilers: Compilers) -> None:
        """Let `compilers` do what is heavy."""
        self._replica = replica
        self._compilers = compilers
        self._commits = Commits(replica)
        self._neighbours = Neighbours()
        self._platform = PlatformOperator(replica, compilers, self._commits)
        self.handovers = HandoverOperator(replica, self._commits)
        self.shifts = ShiftOperator(replica, self._commits)
        self.shadows = ShadowOperator(replica, self._commits)

    async def publish(self, workspace: Workspace, caller: Caller, *, dry_run: bool = False) -> Outcome:
        """Evaluate, compile and plan a workspace, and set its generation on its way.

        For the tenant `platform`, take its fleet and tenants; `dry_run` is of that alone.

        Raises WorkspaceError with its problems, TooManyPublishes, CompilerFailed, Stopping, Refused,
        Inconsistent, StoreError. Each leaves everything as it was.
        """
        if caller.tenant == PLATFORM:
            return await self._platform.publish(workspace, caller, dry_run=dry_run)
        source_hash = await asyncio.to_thread(content_hash, workspace)
        async with contextlib.AsyncExitStack() as stack:
            publishing = Publishing(
                workspace,
                caller.tenant,
                self._compilers,
                stack,
                lambda known: self._base(known, caller.tenant),
            )

            async def prepare(known: StoreView) -> None:
                if await self._newest_like(known, caller.tenant, source_hash) is None:
                    await publishing.plan_for(known, source_hash)

            async def decide(known: StoreView) -> Step:
                check_publisher(known.platform, caller)  # it may have been left out meanwhile
                same = await self._newest_like(known, caller.tenant, source_hash)
                if same is not None:
                    return self._unchanged(known, same.number, same.content_hash)
                planned = await publishing.planned_for(known)
                if planned is None:
                    raise Conflict("what its plan stands on has changed")
                step = await asyncio.to_thread(self._published, known, planned, source_hash, caller)
                warnings = told(publishing.warnings, MAX_WARNINGS)
                return replace(step, outcome=replace(step.outcome, warnings=warnings))

            # Before the state is read that it is to follow: it takes its time, and the state moves on.
            known = await self._replica.refresh()
            check_publisher(known.platform, caller)
            same_content = await self._newest_like(known, caller.tenant, source_hash)
            if same_content is None and await self._commits.done(caller) is None:
                await publishing.compile_for(known)
            return await self._commits.carry_out(decide, caller, prepare)

    def _published(self, known: StoreView, planned: Planned, source_hash: str, caller: Caller) -> Step:
        """Return the step of a publish. Blocking. Raises WorkspaceError, and as `Commits.on_its_way`."""
        names: frozenset[str] = frozenset()
        if known.lanes.handovers:
            names = frozenset(planned.objectives)
            problems = [*kept_by(known.lanes, caller.tenant, names, self._replica.now)]
            if problems:
                raise WorkspaceError(problems)
        step = self._commits.on_its_way(known, planned.content, source_hash, planned.release, caller)
        return replace(step, following=published(known, step.following, caller.tenant, names))

    async def roll_back(self, back: Back, caller: Caller) -> Outcome:
        """Make a loaded generation active, or publish its content again.

        Raises Refused, NotFound, StoreError.
        """

        def decide(known: StoreView) -> Step:
            check_tenant(known.platform, caller.tenant)
            if back.number:
                self._own_entry(back.number, caller.tenant)
            if back.expected_newest:
                operations.check_newest(known.lanes.of(caller.tenant), back.expected_newest)
            if back.objective:
                return self._held_back(known, back, caller)
            return self._back(known, back, caller)

        if back.dry_run:
            known = await self._replica.refresh()
            return (await asyncio.to_thread(decide, known)).outcome
        return await self._commits.carry_out(_in_thread(decide), caller)

    async def pin(self, number: int, caller: Caller, *, release: bool = False) -> tuple[int, ...]:
        """Keep a generation loaded, or let it go; return what is pinned.

        Raises Refused, NotFound, StoreError.
        """

        def decide(known: StoreView) -> Step:
            check_tenant(known.platform, caller.tenant)
            self._own_entry(number, caller.tenant)
            if release:
                check_pin(known.lanes, number)
            change = operations.unpin if release else operations.pin
            rollout = known.lanes.of(caller.tenant)
            following = change(rollout, number)
            outcome = Outcome(generation=number, unchanged=following == rollout, pinned=following.pinned)
            kind = EventKind.UNPINNED if release else EventKind.PINNED
            return Step(following=known.lanes.after(caller.tenant, following), outcome=outcome, kind=kind)

        return (await self._commits.carry_out(_in_thread(decide), caller)).pinned

    def generation(self, number: int) -> Generation:
        """Return a generation, loaded or not. Blocking. Raises NotFound, StoreError, Malformed."""
        self._commits.entry(number)
        return self._replica.read_generation(number)

    def pair(self, one: int, other: int) -> tuple[Generation, Generation]:
        """Return two generations of one tenant. Blocking. Raises as `generation`, and OfAnotherTenant."""
        pair = self.generation(one), self.generation(other)
        check_comparable(*pair)
        return pair

    def _newest_of(self, known: StoreView, tenant: str, source_hash: str) -> LogEntry | None:
        """Return the log's line of a tenant's newest generation if it was made of these files."""
        rollout = known.lanes.of(tenant)
        newest = rollout.newest if rollout is not None else 0
        entry = self._commits.entry(newest) if newest else None
        return entry if entry is not None and entry.source_hash == source_hash else None

    async def _newest_like(self, known: StoreView, tenant: str, source_hash: str) -> LogEntry | None:
        return await asyncio.to_thread(self._newest_of, known, tenant, source_hash)

    def _own_entry(self, number: int, tenant: str) -> LogEntry:
        """Return the log's line of a tenant's generation. Raises UnknownGeneration, OfAnotherTenant.

        Both say more than "not loaded" or "not pinned".
        """
        entry = self._commits.entry(number)
        if entry.tenant == PLATFORM:
            check_tenant(None, PLATFORM)
        if entry.tenant != tenant:
            raise OfAnotherTenant(
                f"generation {number} is tenant {entry.tenant}'s, not {tenant}'s; say --tenant {entry.tenant}"
                " if you mean that one",
                generation=number,
            )
        return entry

    @staticmethod
    def _unchanged(known: StoreView, number: int, content_hash: str = "") -> Step:
        outcome = Outcome(generation=number, unchanged=True, content_hash=content_hash)
        return Step(following=known.lanes, outcome=outcome)

    def _back(self, known: StoreView, back: Back, caller: Caller) -> Step:
        rollout, number = known.lanes.of(caller.tenant), back.number
        whole = oldest_whole(known.lanes.handovers, caller.tenant)
        loaded = rollout is not None and number in rollout.live and number >= whole
        if back.reload and rollout is not None and number and not loaded:
            step = self._reload(known, number, caller)
            return replace(step, outcome=replace(step.outcome, left=rollout.newest))
        try:
            following = operations.roll_back(rollout, number, self._commits.at(known), whole)
        except NotLoaded as error:
            raise NotLoaded(f"{error}. {self._how_to_load(number)}", generation=number) from error
        if rollout is None or following == rollout:
            return self._unchanged(known, following.active)
        if following.active != rollout.active:
            self._check_layers(known, known.generations[following.active], caller.tenant)
        left = rollout.newest
        return Step(
            following=known.lanes.after(caller.tenant, following),
            outcome=Outcome(generation=following.active, left=left),
            kind=EventKind.ROLLED_BACK,
            detail=f"from {left}" + (f": {caller.message}" if caller.message else ""),
        )

    def _held_back(self, known: StoreView, back: Back, caller: Caller) -> Step:
        """Return the step that has one objective answered from an older generation."""
        check_publisher(known.platform, caller)
        check_served(known, back.objective, caller.tenant, caller.tenant)
        check_obeyed(self._replica.consumers, caller.tenant)
        wanted = WantedHoldBack(
            objective=back.objective,
            tenant=caller.tenant,
            answer_from=back.number,
            author=caller.author,
            why=caller.message,
        )
        at, policy = self._commits.at(known), self._replica.policy
        following = hold_back(known.lanes, known.generations, policy, wanted, at)
        held = following.held_back[back.objective]
        rollout = following.rollouts[caller.tenant]
        said = f"{back.objective}: answered from generation {held.answer_from}"
        return Step(
            following=following,
            outcome=Outcome(
                generation=rollout.active,
                unchanged=following == known.lanes,
                left=rollout.newest,
                answered_from=held.answer_from,
            ),
            kind=ControlEventKind.HELD_BACK,
            detail=f"{said}: {caller.message}" if caller.message else said,
        )

    def _reload(self, known: StoreView, number: int, caller: Caller) -> Step:
        generation = self.generation(number)
        self._check_layers(known, generation, caller.tenant)
        source_hash = self._commits.entry(number).source_hash
        try:
            adapted = self.handovers.adapted(known, generation)
            if adapted is None:
                release = room_for(generation.plan, self._base(known, caller.tenant))
                content = self._replica.store.blob(generation.content_hash)  # should it just be forgotten
            else:
                plan, release = adapted
                content = plan_to_bytes(plan, source_hash)
        except (DoesNotFit, WorkspaceError) as error:
            raise NoRoom(
                f"generation {number} can't be loaded as it was beside what is loaded: {error}. Publish its "
                "files, so that its models are placed anew",
                generation=number,
            ) from error
        step = self._commits.on_its_way(known, content, source_hash, release, caller)
        return replace(step, kind=EventKind.RELOADED, action=f"reloaded from {number}")

    @staticmethod
    def _check_layers(known: StoreView, generation: Generation, tenant: str) -> None:
        """Raise LayerTaken if tests of a generation of before can't be where they were."""
        tables, number = own_tables(known.lanes.handovers, generation), generation.number
        layers = layers_of(known.platform, known.lanes, tenant, known.generations)
        found = [*not_shared(tables, layers), *clashes(tables, layers)]
        if found:
            more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
            said = f"{found[0].message}{more}; {found[0].remedy}"
            raise LayerTaken(f"generation {number} can't be active beside others: {said}", generation=number)

    def _how_to_load(self, number: int) -> str:
        try:
            self.generation(number)
        except NotFound:
            return "Its content isn't kept any more: publish its files anew"
        return f"To load it, which takes as long as a publish: lightbulb rollback {number} --reload"

    def _base(self, known: StoreView, tenant: str) -> Base:
        at, window = self._commits.at(known), self._replica.policy.window
        self._neighbours.forget(known.generations.values())
        return publish_base(
            known.platform,
            known.lanes,
            tenant,
            known.generations,
            at=at,
            window=window,
            neighbours=self._neighbours,
        )


def _in_thread(decide: Callable[[StoreView], Step]) -> Callable[[StoreView], Awaitable[Step]]:
    return lambda known: asyncio.to_thread(decide, known)
