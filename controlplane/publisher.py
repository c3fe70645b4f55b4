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

from controlplane.model import Workspace
from controlplane.planning.plan import make_plan
from controlplane.rollout.activation import Activation, Generation, Timings, advance, begin
from controlplane.rollout.gates import Consumer, progress
from controlplane.rollout.views import (
    Address,
    Host,
    loaded,
    models_by_shard,
    ready_addresses,
    routed,
    routing_rules,
    vips,
)
from controlplane.rules.compile import compile_workspace
from controlplane.rules.workspace import content_hash
from controlplane.shown import Shown, Views
from controlplane.xds.server import AdsServer
from controlplane.xds.snapshot import Snapshot
from controlplane.xds.status import StreamStatus
from lightbulb.ads.values import MODEL_ASSIGNMENT, Node

log = logging.getLogger(__name__)

TICK_SECONDS = 1.0


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
        self._addresses: Mapping[str, tuple[Address, ...]] = {}
        self._numbers = 0
        self.activation: Activation | None = None
        self.ads = AdsServer(self._view, clock=clock, on_change=self._changed.set)

    async def publish(self, workspace: Workspace) -> Published:
        """Evaluate, compile and plan a workspace, and begin to activate it.

        Raises WorkspaceError with every problem, or Busy while the publish before isn't active yet.
        Either leaves everything as it was.
        """
        digest = content_hash(workspace)
        newest = self._newest()
        if newest is not None and newest.content_hash == digest:
            return Published(generation=newest, unchanged=True)
        placed = newest.plan.assignments if newest is not None else ()
        plan = await asyncio.to_thread(lambda: make_plan(compile_workspace(workspace), placed))
        generation = Generation(number=self._numbers + 1, content_hash=digest, plan=plan)
        self.activation = begin(generation, self.activation, self._clock())
        self._numbers = generation.number
        log.info("generation %d (%s): loading", generation.number, digest[:12])
        self._changed.set()
        return Published(generation=generation)

    def consumers(self) -> tuple[Consumer, ...]:
        """Return every open stream, with what it owes and what it refused."""
        return tuple(self._consumer(stream) for stream in self.ads.streams())

    async def run(self) -> None:
        """Move the activation on until cancelled."""
        while True:
            self._changed.clear()
            self.step()
            try:
                await asyncio.wait_for(self._changed.wait(), TICK_SECONDS)
            except TimeoutError:
                continue

    def step(self) -> None:
        """Take every step that can be taken now, and show the consumers what follows."""
        if self.activation is None:
            return
        self._show(self.activation)
        while True:
            following = advance(
                self.activation, progress(self.activation, self.consumers()), self._timings, self._clock()
            )
            moved = following.phase is not self.activation.phase
            self.activation = following
            if not moved:
                return
            log.info("generation %d: %s %s", following.target.number, following.phase.value, following.detail)
            self._show(following)

    def _newest(self) -> Generation | None:
        """Return what a publish is compared with: the generation on its way, else the active one."""
        if self.activation is None:
            return None
        failed = (
            self.activation.active is not self.activation.target and self.activation.phase.name == "FAILED"
        )
        return self.activation.active if failed else self.activation.target

    def _show(self, activation: Activation) -> None:
        routable = routed(activation)
        self._addresses = ready_addresses(routable, self._hosts(), self._addresses)
        shown = Shown(
            rules=routing_rules(routable),
            vips=tuple(sorted(vips(routable).values())),
            addresses=self._addresses,
            models=models_by_shard(loaded(activation)),
            active=activation.active,
        )
        if self._views.show(shown):
            self.ads.push()

    def _view(self, node: Node) -> Snapshot | None:
        return self._views.of(node)

    def _hosts(self) -> tuple[Host, ...]:
        return tuple(
            Host(
                id=stream.node.id,
                shard=stream.node.metadata.get("shard", ""),
                address=(stream.node.metadata.get("address", ""), int(stream.node.metadata.get("port", "0"))),
                loaded=frozenset(stream.acked(MODEL_ASSIGNMENT)),
            )
            for stream in self.ads.streams()
            if stream.node.kind == "host"
        )

    def _consumer(self, stream: StreamStatus) -> Consumer:
        snapshot = self._view(stream.node)
        waiting = () if snapshot is None else stream.behind(snapshot)
        return Consumer(
            id=stream.node.id,
            kind=stream.node.kind,
            shard=stream.node.metadata.get("shard", ""),
            waiting_for=waiting,
            rejected=stream.rejected,
        )
