"""A relay beside one Envoy: takes its configuration from the control plane, and passes it on.

    control plane ──delta ADS──► Subscriber ──apply──► Holdings ──► LocalServer ──delta ADS──► Envoy

An ACK of the relay means that Envoy has ACKed; a NACK is Envoy's, with its reason. While Envoy isn't
there, or doesn't answer, nothing is answered, and the control plane sees a sidecar that lags.

The relay reads no resource. Routes that name a cluster which Envoy refused are held back by the control
plane, who is told of the refusal. Here they are not: an Envoy that starts, and refuses a cluster that
an earlier one took, is better off with the routes to the others than with none.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

import grpc.aio

from controlplane.xds.server import SERVER_OPTIONS
from lightbulb.ads.session import Update
from lightbulb.ads.stream import Subscriber
from lightbulb.ads.values import Node
from sidecar.holdings import TYPES, Holdings, refuse_emptying
from sidecar.local import LocalServer


class CannotRelay(Exception):
    """The relay has nowhere to listen; the message says where, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RelaySettings:
    """`control_plane` is a gRPC target; `listen` where Envoy connects: "unix:PATH" or "IP:PORT"."""

    node: Node
    control_plane: str
    listen: str


class Relay:
    """Runs while `serving`."""

    def __init__(self, settings: RelaySettings) -> None:
        """Make it inside the event loop that it runs in."""
        self._settings = settings
        self._holdings = Holdings()
        self._local = LocalServer(settings.node.id)

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[asyncio.Task[None]]:
        """Listen for Envoy; the task follows the control plane, and ends only by an error.

        Raises CannotRelay.
        """
        server = grpc.aio.server(options=SERVER_OPTIONS)
        try:
            server.add_insecure_port(self._settings.listen)
        except RuntimeError as error:
            raise CannotRelay(f"can't listen on {self._settings.listen}: {error}") from error
        self._local.add_to(server)
        await server.start()
        running = asyncio.create_task(self._run())
        try:
            yield running
        finally:
            running.cancel()
            await asyncio.wait({running})
            await self._local.close()
            await server.stop(0)

    async def apply(self, update: Update) -> Mapping[str, str]:
        """Give Envoy an update; return, once it has answered, name -> reason for what it refuses."""
        type_url = update.type_url
        emptying = refuse_emptying(self._holdings.wanted, update)
        if emptying:
            return emptying
        self._holdings = self._holdings.take(update)
        self._local.show(self._holdings.wanted)
        refusals = await self._local.acknowledged(type_url)
        names = {*(resource.name for resource in update.added), *update.removed}
        refused = {name: reason for name, reason in refusals.items() if name in names}
        self._holdings = self._holdings.settle(update, refused.keys())
        if refused:
            self._local.show(self._holdings.wanted)
        return refused

    async def _run(self) -> None:
        subscriber = Subscriber(
            target=self._settings.control_plane,
            node=self._settings.node,
            types=TYPES,
            apply=self.apply,
        )
        await subscriber.run()
