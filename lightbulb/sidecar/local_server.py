"""The relay's end towards its one Envoy: shows it a snapshot, and says what it has acknowledged."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping

import grpc.aio

from lightbulb.ads import wire
from lightbulb.ads.server.delta import DeltaSession
from lightbulb.ads.server.form import delta
from lightbulb.ads.server.server import AdsServer
from lightbulb.ads.server.snapshot import EMPTY_SNAPSHOT, Snapshot
from lightbulb.ads.server.tracks import SessionLimits
from lightbulb.ads.values import BadNode, Node
from lightbulb.sidecar.envoy_acks import Tracks, has_arrived, is_known

log = logging.getLogger(__name__)

LIMITS = SessionLimits(ack_seconds=6.0)
"""Longer than a cluster waits for its endpoints. A cluster that never warms is named after the second
time-out, before the control plane's own 15 s are over."""

LATE_SECONDS = 15.0


class LocalServer:
    """An AdsServer for the Envoy of node id `node_id`, and for no other; delta ADS only."""

    def __init__(self, node_id: str, *, limits: SessionLimits = LIMITS) -> None:
        """Show nothing yet. Make it inside the event loop that it runs in."""
        # Encoded responses aren't remembered: one stream needs each only once.
        form = delta(limits, knows=is_known, encode=wire.encode_delta_response_once)
        self._ads = AdsServer(self._snapshot_for, on_change=self._on_stream, forms=(form,))
        self._node_id = node_id
        self._shown = EMPTY_SNAPSHOT
        self._changed = asyncio.Event()

    def add_to(self, server: grpc.aio.Server) -> None:
        """Serve on `server`."""
        self._ads.add_to(server)

    async def watch(self) -> None:
        """Wait for ever; raise what ended the server's own work."""
        await self._ads.watch()

    async def close(self) -> None:
        """End every stream; Envoy keeps what it has, and reconnects."""
        await self._ads.close()

    def show(self, snapshot: Snapshot) -> None:
        """Let Envoy have `snapshot` from now on."""
        self._shown = snapshot
        self._ads.push()

    async def arrival(self, type_url: str) -> Mapping[str, str]:
        """Wait until Envoy has answered all that is shown of a type, for as long as that takes.

        Return name -> reason for what it refuses. An Envoy that isn't connected has answered nothing.
        """
        loop = asyncio.get_running_loop()
        text = "Envoy hasn't acknowledged %s within %g s; waiting on"
        late = loop.call_later(LATE_SECONDS, log.warning, text, type_url, LATE_SECONDS)
        try:
            while not has_arrived(type_url, self.tracks(), self._shown):
                await self._changed.wait()
        finally:
            late.cancel()
        track = self.tracks().get(type_url)
        return {} if track is None else track.refusals()

    async def has_ended(self, seconds: float) -> bool:
        """Say whether Envoy is gone, or goes within so many seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._ads.ids():
                    await self._changed.wait()
        return not self._ads.ids()

    def tracks(self) -> Tracks:
        """Return the types of Envoy's newest stream. An older stream belongs to a lost connection."""
        session = next((stream.session for stream in reversed(self._ads.streams())), None)
        return session.subscriptions if isinstance(session, DeltaSession) else {}

    def _snapshot_for(self, node: Node) -> Snapshot:
        if node.id != self._node_id:
            raise BadNode(f"this relay serves the sidecar {self._node_id}, not {node.id}")
        return self._shown

    def _on_stream(self, _: int) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
