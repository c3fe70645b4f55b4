"""Where decisions meet streams: holds the activation, shows it to consumers, and moves it on.

What to do is decided by `rules`, `planning` and `rollout`; what goes over a stream by `xds`. This only
carries values between them, whenever a stream says something, a publish comes, or a second has passed.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from controlplane.model import Plan, ShardAssignment, Workspace
from controlplane.planning.plan import make_plan
from controlplane.rollout.activation import Activation, Generation, Phase, Timings, advance, begin
from controlplane.rollout.gates import Consumer, progress
from controlplane.rollout.views import Address, Host, Layout, layout, ready_addresses
from controlplane.rules.compile import compile_workspace
from controlplane.rules.workspace import content_hash
from controlplane.shown import Shown, Views
from controlplane.xds.nodes import HostNode, identify
from controlplane.xds.resources import routes
from controlplane.xds.server import AdsServer
from controlplane.xds.snapshot import Snapshot
from controlplane.xds.status import StreamStatus
from lightbulb.ads.values import MODEL_ASSIGNMENT, Node

log = logging.getLogger(__name__)

TICK_SECONDS = 1.0
GATHER_SECONDS = 0.005
"""The ACKs of a thousand sidecars, which come within moments, are looked at together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What came of a publish; `unchanged` when this content was the newest already."""

    generation: Generation
    unchanged: bool = False


class Publisher:
    """One control plane's state: at most one activation, and what every consumer is shown of it."""

    def __init__(
        self, *, timings: Timings | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`clock` gives seconds that only ever grow."""
        self._timings = timings or Timings()
        self._clock = clock
        self._changed = asyncio.Event()
        self._views = Views()
        self._layout: Layout | None = None
        self._addresses: Mapping[str, tuple[Address, ...]] = {}
        self._touched: set[int] = set()
        self._consumers: dict[int, Consumer] = {}
        self._hosts: dict[int, Host] = {}
        self._numbers = 0
        self.activation: Activation | None = None
        self.ads = AdsServer(self._view, clock=clock, on_change=self._touch)

    async def publish(self, workspace: Workspace) -> Published:
        """Evaluate, compile and plan a workspace, and begin to activate it.

        Raises WorkspaceError with every problem, Busy while the publish before isn't active yet, and
        Inconsistent should the plan be one that no sidecar could serve. Each leaves everything as it was.
        """
        digest = content_hash(workspace)
        newest = self._newest()
        if newest is not None and newest.content_hash == digest:
            return Published(generation=newest, unchanged=True)
        placed = newest.plan.assignments if newest is not None else ()
        plan = await asyncio.to_thread(_plan, workspace, placed)
        generation = Generation(number=self._numbers + 1, content_hash=digest, plan=plan)
        self.activation = begin(generation, self.activation, self._clock())
        self._layout = None
        self._numbers = generation.number
        log.info("generation %d (%s): loading", generation.number, digest[:12])
        self._changed.set()
        return Published(generation=generation)

    def consumers(self) -> tuple[Consumer, ...]:
        """Return every open stream, with what it owes and what it refused."""
        self._look()
        return tuple(self._consumers.values())

    async def run(self) -> None:
        """Move the activation on until cancelled."""
        while True:
            self._changed.clear()
            self.step()
            try:
                await asyncio.wait_for(self._changed.wait(), TICK_SECONDS)
            except TimeoutError:
                continue
            await asyncio.sleep(GATHER_SECONDS)

    def step(self) -> None:
        """Take every step that can be taken now, and show the consumers what follows."""
        if self.activation is None:
            return
        shown = self._show(self.activation, self._layout)
        while True:
            said = progress(self.activation.phase, shown.models, self._consumers.values())
            following = advance(self.activation, said, self._timings, self._clock())
            moved = following.phase is not self.activation.phase
            self.activation = following
            if not moved:
                return
            log.info("generation %d: %s %s", following.target.number, following.phase.value, following.detail)
            shown = self._show(following, None)

    def _newest(self) -> Generation | None:
        """Return what a publish is compared with: the generation on its way, else the active one."""
        if self.activation is None:
            return None
        failed = self.activation.phase is Phase.FAILED
        return self.activation.active if failed else self.activation.target

    def _show(self, activation: Activation, known: Layout | None) -> Layout:
        """Show the consumers what follows from an activation, and from who is there."""
        self._look()
        shown = self._layout = layout(activation) if known is None else known
        self._addresses = ready_addresses(shown, self._hosts.values(), self._addresses)
        new = self._views.show(
            Shown(
                rules=shown.rules,
                vips=tuple(sorted(shown.vips.values())),
                addresses=self._addresses,
                models=shown.models,
                active=shown.active,
            )
        )
        if new:
            self.ads.push()
            # From now on they owe an ACK, whether or not the push has reached them.
            self._touched.update(self.ads.ids())
            self._look()
        return shown

    def _view(self, node: Node) -> Snapshot | None:
        return self._views.of(identify(node))

    def _touch(self, stream_id: int) -> None:
        self._touched.add(stream_id)
        self._changed.set()

    def _look(self) -> None:
        """Take in what has become of the streams that something happened to."""
        touched, self._touched = self._touched, set()
        for stream_id in touched:
            stream = self.ads.stream(stream_id)
            if stream is None:
                self._consumers.pop(stream_id, None)
                self._hosts.pop(stream_id, None)
            else:
                self._take_in(stream)

    def _take_in(self, stream: StreamStatus) -> None:
        identity = identify(stream.node)
        snapshot = self._views.of(identity)
        self._consumers[stream.id] = Consumer(
            id=stream.node.id,
            kind=stream.node.kind,
            shard=identity.shard if isinstance(identity, HostNode) else "",
            waiting_for=() if snapshot is None else stream.behind(snapshot),
            rejected=stream.rejected,
        )
        if isinstance(identity, HostNode):
            self._hosts[stream.id] = Host(
                id=stream.node.id,
                shard=identity.shard,
                address=(identity.address, identity.port),
                loaded=frozenset(stream.acked(MODEL_ASSIGNMENT)),
            )


def _plan(workspace: Workspace, placed: tuple[ShardAssignment, ...]) -> Plan:
    """Return the plan of a workspace, known to be one that sidecars can serve."""
    plan = make_plan(compile_workspace(workspace), placed)
    routes(plan.routes, (assignment.vip for assignment in plan.assignments))
    return plan
