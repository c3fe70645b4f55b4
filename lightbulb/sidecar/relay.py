"""A relay beside one Envoy: takes its configuration from the control plane, and passes it on.

    control plane ──delta ADS──► Subscriber ──apply──► Holdings ──► LocalServer ──delta ADS──► Envoy
                                                          └──► last known good, on disk

An ACK of the relay means that Envoy has ACKed; a NACK is Envoy's, with its reason. While Envoy isn't
there, or doesn't answer, nothing is answered, and the control plane sees a sidecar that lags.

The relay reads no resource. Routes that name a cluster which Envoy refused are held back by the control
plane, who is told of the refusal. Here they are not: an Envoy that starts, and refuses a cluster that
an earlier one took, is better off with the routes to the others than with none.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import grpc.aio

from lightbulb.ads.client.held import Held, stamp_of, with_stamp
from lightbulb.ads.client.last_known_good import LastKnownGood
from lightbulb.ads.client.session import UNKNOWN_VERSION, Update
from lightbulb.ads.client.subscriber import Subscriber
from lightbulb.ads.server.server import SERVER_OPTIONS
from lightbulb.ads.values import Node
from lightbulb.sidecar.envoy_acks import is_complete
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
"""How long Envoy has to take what was kept, before the control plane is asked for all of it."""


class CannotRelay(Exception):
    """The relay has nowhere to listen; the message says where, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RelaySettings:
    """`control_planes` are "host:port" of replicas; `socket` is where Envoy connects.

    `state` is the folder that the last known good configuration is kept in; None keeps nothing.
    """

    node: Node
    control_planes: tuple[str, ...]
    socket: Path
    state: Path | None = None

    @property
    def kept_as(self) -> str:
        """The name that the configuration is kept under.

        In what is kept is a listener with its address: a sidecar that is to listen elsewhere now must
        not start from it.
        """
        metadata = self.node.metadata
        return f"{self.node.id}@{metadata['listen_address']}:{metadata['listen_port']}"


class Relay:
    """Runs while `serving`."""

    def __init__(self, settings: RelaySettings) -> None:
        """Make it inside the event loop that it runs in."""
        self.holdings = Holdings()
        self.local = LocalServer(settings.node.id)
        self._settings = settings
        self._subscriber: Subscriber | None = None
        self._stamp = ""
        self._kept = None if settings.state is None else LastKnownGood(settings.state, settings.kept_as)

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[asyncio.Task[None]]:
        """Serve Envoy, at once from what was kept; the task that it gives ends only by an error.

        Raises CannotRelay.
        """
        if self._kept is not None:
            kept = await asyncio.to_thread(self._kept.load)
            self.holdings = start_from(kept)
            self._stamp = stamp_of(kept) if self.holdings.accepted else ""
            self.local.show(self.holdings.wanted)
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
            running.cancel()
            await asyncio.wait({running})
            await self.local.close()
            await server.stop(0)
            if self._kept is not None:
                await self._kept.flush()

    async def apply(self, update: Update) -> Mapping[str, str]:
        """Give Envoy an update; return, once it has answered, name -> reason for what it refuses."""
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

    def _keep(self, accepted: Held) -> None:
        """Have what Envoy accepted on disk soon, once another Envoy could start from it.

        Scopes without their routes would keep it from getting ready: while those are on their way, or
        refused, what was kept before is better.
        """
        if self._kept is not None and can_serve(accepted) and is_complete(self.local.lanes(), accepted):
            self._kept.keep(with_stamp(accepted, self._subscriber.stamp if self._subscriber else ""))

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as group:
            if self._kept is not None:
                group.create_task(self._kept.run())
            group.create_task(self._follow())

    async def _follow(self) -> None:
        """Follow the control plane, once Envoy has what was kept: what is told of counts as acknowledged."""
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
        """Return type -> name -> version of what was kept, as far as Envoy has it now."""
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
