"""Serves a Lightbulb's tables to clients that resolve in their own process, by delta ADS.

The control plane's load is that of the Lightbulbs then, however many clients there are. Nobody waits for a
client: it is as far behind as its Lightbulb, and keys stay routed for as long as answers may be held.
"""

from __future__ import annotations

import asyncio
import logging

import grpc.aio

from lightbulb.ads.server.claims import has_seen, takes_of
from lightbulb.ads.server.form import delta
from lightbulb.ads.server.server import SERVER_OPTIONS, AdsServer
from lightbulb.ads.server.snapshot import Snapshot
from lightbulb.ads.server.tracks import SessionLimits
from lightbulb.ads.values import SIDECAR, Node
from lightbulb.rpc.listen import listen
from lightbulb.tables.feed import TYPES
from lightbulb.tables.live import LiveTables
from lightbulb.tables.offer import Asker, Parts

log = logging.getLogger(__name__)

LIMITS = SessionLimits(names=10_000, names_length=1024 * 1024)
MAX_CLIENTS = 10_000


class TablesServer:
    """Call `start` and `stop` in the event loop of `live`."""

    def __init__(self, live: LiveTables) -> None:
        """Listen nowhere yet."""
        self.port = 0
        self._live = live
        self._parts = Parts()
        form = delta(LIMITS, knows=lambda _, type_url: type_url in TYPES)
        self._ads = AdsServer(self._view, forms=(form,), max_streams=MAX_CLIENTS)
        self._server = grpc.aio.server(options=SERVER_OPTIONS)
        self._watching: asyncio.Task[None] | None = None

    async def start(self, address: str) -> None:
        """Listen on "host:port". Raises CannotListen."""
        self.port = listen(self._server, address)
        self._ads.add_to(self._server)
        self._live.changed = self._ads.push
        await self._server.start()
        self._watching = asyncio.create_task(self._ads.watch())
        log.info("clients that resolve in their own process may connect to %s (port %d)", address, self.port)

    async def stop(self) -> None:
        """End every stream; the clients go on with what they have, and connect elsewhere."""
        await self._ads.close()
        await self._server.stop(0)
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait({self._watching})

    def _view(self, node: Node) -> Snapshot | None:
        """Return what a client is to have; None: nothing yet. Raises BadNode."""
        asker = Asker(takes_of(node), node.metadata.get(SIDECAR, ""))
        offer = self._live.offer
        if offer is None or has_seen(offer.stamp, node) > offer.stamp.number:
            return None
        return self._parts.of(offer, asker)
