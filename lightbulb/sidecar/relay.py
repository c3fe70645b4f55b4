"""A relay beside one Envoy: takes its configuration from the control plane, and passes it on.

    control plane ──delta ADS──► Subscriber ──apply──► Holdings ──► LocalServer ──delta ADS──► Envoy
                                                          └──► last known good, on disk

The relay ACKs once Envoy has ACKed, and NACKs with Envoy's reason. While Envoy isn't connected, or doesn't
answer, the relay doesn't answer either, and the control plane sees a laggard.

The relay reads no resource. When Envoy refuses a cluster, the control plane is told, and holds back the
routes that name it. The relay doesn't: an Envoy that starts from disk, and refuses a cluster that an earlier
one took, is better off with the routes to the other clusters than with none.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

import grpc.aio

from lightbulb.ads.client.held import Held, stamp_of, with_stamp
from lightbulb.ads.client.last_known_good import LastKnownGood
from lightbulb.ads.client.session import UNKNOWN_VERSION, Update
from lightbulb.ads.client.subscriber import Subscriber
from lightbulb.ads.server.server import SERVER_OPTIONS
from lightbulb.ads.values import CLIENT, TAKES_OBJECTIVES, TAKES_TENANTS, Node
from lightbulb.sidecar.envoy_acks import is_complete
from lightbulb.sidecar.figures import FiguresTeller
from lightbulb.sidecar.holdings import (
    TYPES,
    Holdings,
    can_serve,
    refuse_emptying,
    start_from,
)
from lightbulb.sidecar.local_server import LocalServer

log = logging.getLogger(__name__)

START_SECONDS = 20.0
"""How long Envoy may take to accept what was kept. After that the control plane is asked for all of it."""


ENVOY_SECONDS = 5.0
"""How long a relay that is told to end waits for Envoy, which may have been told so at the same time."""


class CannotRelay(Exception):
    """The relay can't listen. The message says where, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RelaySettings:
    """`control_planes` are "host:port" of the replicas; `socket` is where Envoy connects.

    `state` is the folder for the last known good configuration; with None nothing is kept. `admin` is that of
    Envoy, whose figures are told; with None none are.
    """

    node: Node
    control_planes: tuple[str, ...]
    socket: Path
    state: Path | None = None
    admin: tuple[str, int] | None = None

    @property
    def kept_as(self) -> str:
        """The name under which the configuration is kept.

        The configuration has a listener with an address and a client's name, and what was taken then. So a
        sidecar that listens elsewhere now, or for somebody else, or takes something else, must not start from
        it.
        """
        metadata = self.node.metadata
        kept = f"{self.node.id}@{metadata['listen_address']}:{metadata['listen_port']}"
        keys = (TAKES_OBJECTIVES, TAKES_TENANTS, CLIENT)
        takes = [f"{key}={metadata[key]}" for key in keys if key in metadata]
        return f"{kept}@{sha256(','.join(takes).encode()).hexdigest()[:16]}" if takes else kept


class Relay:
    """Runs while `serving`."""

    def __init__(self, settings: RelaySettings) -> None:
        """Make it inside the event loop that it runs in."""
        self.holdings = Holdings()
        self.local = LocalServer(settings.node.id)
        self._settings = settings
        self._subscriber: Subscriber | None = None
        self._stamp = ""
        self._figures = (
            None
            if settings.admin is None
            else FiguresTeller(settings.node.id, settings.control_planes, settings.admin)
        )
        self._kept = None if settings.state is None else LastKnownGood(settings.state, settings.kept_as)

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[asyncio.Task[None]]:
        """Serve Envoy, at first from what was kept. The task in the block ends only with an error.

        Raises CannotRelay.
        """
        if self._kept is not None:
            kept = await asyncio.to_thread(self._kept.load)
            self.holdings = start_from(kept)
            self._stamp = stamp_of(kept) if self.holdings.accepted else ""
            self.local.show(self.holdings.wanted)
        if self._figures is not None:
            await self._figures.begin()
        server = grpc.aio.server(options=SERVER_OPTIONS)
        try:
            server.add_insecure_port(f"unix:{quote(str(self._settings.socket))}")
            self._settings.socket.chmod(0o600)
        except (RuntimeError, OSError) as error:
            raise CannotRelay(f"can't listen on {self._settings.socket}: {error}") from error
        self.local.add_to(server)
        await server.start()
        running = asyncio.create_task(self._run())
        try:
            yield running
        finally:
            await self._leave()
            running.cancel()
            await asyncio.wait({running})
            await self.local.close()
            await server.stop(0)
            if self._kept is not None:
                await self._kept.flush()

    async def apply(self, update: Update) -> Mapping[str, str]:
        """Give Envoy an update and wait for its answer. Return name -> reason for what it refuses."""
        emptying = refuse_emptying(self.holdings.wanted, update)
        if emptying:
            return emptying
        self.holdings = self.holdings.take(update)
        self.local.show(self.holdings.wanted)
        refusals = await self.local.arrival(update.type_url)
        names = {*(resource.name for resource in update.added), *update.removed}
        refused = {name: reason for name, reason in refusals.items() if name in names}
        self.holdings = self.holdings.settle(update, refused)
        if refused:
            self.local.show(self.holdings.wanted)
        self._keep(self.holdings.accepted)
        return refused

    async def _leave(self) -> None:
        """Say goodbye, once Envoy has ended: one that goes on takes requests by what it has."""
        if self._subscriber is None:
            return
        if await self.local.has_ended(ENVOY_SECONDS):
            await self._subscriber.leave()
        else:
            log.warning("Envoy goes on without this relay, so it counts as disconnected")

    def _keep(self, accepted: Held) -> None:
        """Put on disk what Envoy accepted, once another Envoy could start from it.

        An Envoy with scopes but without their routes never gets ready. While those routes are on their way,
        or refused, what was kept before is better.
        """
        if self._kept is not None and can_serve(accepted) and is_complete(self.local.tracks(), accepted):
            self._kept.keep(with_stamp(accepted, self._subscriber.stamp if self._subscriber else ""))

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as group:
            if self._kept is not None:
                group.create_task(self._kept.run())
            group.create_task(self._follow())
            group.create_task(self.local.watch())
            if self._figures is not None:
                group.create_task(self._figures.run())

    async def _follow(self) -> None:
        """Follow the control plane, once Envoy has what was kept: the first request acknowledges that."""
        self._subscriber = Subscriber(
            targets=self._settings.control_planes,
            node=self._settings.node,
            types=TYPES,
            apply=self.apply,
            held=await self._held(),
            stamp=self._stamp,
        )
        await self._subscriber.run()

    async def _held(self) -> Mapping[str, Mapping[str, str]]:
        """Return type -> name -> version of what was kept. What Envoy lacks has an unknown version."""
        accepted = self.holdings.accepted
        if not accepted:
            return {}
        try:
            async with asyncio.timeout(START_SECONDS):
                lacking = {type_url: await self.local.arrival(type_url) for type_url in TYPES}
        except TimeoutError:
            log.warning("Envoy hasn't taken what was kept; asking the control plane for all of it")
            lacking = {type_url: dict.fromkeys(accepted[type_url], "") for type_url in TYPES}
        return {
            type_url: {
                name: UNKNOWN_VERSION if name in lacking[type_url] else resource.version
                for name, resource in accepted[type_url].items()
            }
            for type_url in TYPES
        }
