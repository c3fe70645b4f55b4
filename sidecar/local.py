"""The relay's end towards the one Envoy beside it: shows it a snapshot, and says what it has of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any

import grpc
import grpc.aio

from controlplane.xds.nodes import BadNode
from controlplane.xds.order import NEVER_EMPTIED
from controlplane.xds.server import AdsServer
from controlplane.xds.session import DeltaSession, SessionLimits
from controlplane.xds.snapshot import EMPTY_SNAPSHOT, Snapshot
from controlplane.xds.sotw import SotwSession
from controlplane.xds.subscription import Batch, Subscription
from lightbulb.ads.values import CLUSTER, ENDPOINTS, LISTENER, ROUTE, SCOPED_ROUTE, Node
from sidecar.wire import delta_response

log = logging.getLogger(__name__)

LIMITS = SessionLimits(ack_seconds=6.0)
"""Longer than a cluster waits for its endpoints, and such that a cluster which never warms is found and
named (at the second time) before the control plane's own 15 s are over."""

LATE_SECONDS = 15.0

ASKED_FOR: Mapping[str, tuple[str, ...]] = {
    CLUSTER: (CLUSTER,),
    ENDPOINTS: (),
    LISTENER: (LISTENER,),
    SCOPED_ROUTE: (LISTENER,),
    ROUTE: (LISTENER,),
}
"""Type -> types that Envoy must have been given before anything can be said of it. Envoy asks for scopes
and routes because of a listener: before it has that, it being in step with its scopes means nothing."""

IN_STEP: Mapping[str, tuple[str, ...]] = {
    CLUSTER: (CLUSTER, ENDPOINTS),
    ENDPOINTS: (ENDPOINTS,),
    LISTENER: (LISTENER,),
    SCOPED_ROUTE: (LISTENER, SCOPED_ROUTE, ROUTE),
    ROUTE: (LISTENER, SCOPED_ROUTE, ROUTE),
}
"""Type -> types that must be in step for an update of it to be there.

Envoy asks for endpoints and routes by name, because of clusters and scopes, and does so before it
ACKs these. What it hasn't asked for it doesn't lack; so whoever is ACKed must have brought along what
it refers to. Endpoints wait for no clusters: a host that is gone must not wait for one that warms."""


class PatientSession(DeltaSession):
    """A delta session that doesn't take "nothing is known yet" for "there is none".

    An Envoy that is told that there are no listeners is live, and serves nothing. One that runs while
    its relay starts with nothing is told nothing of what it has.
    """

    def _batch(self, subscription: Subscription, now: float) -> Batch | None:
        if subscription.repairs or self._knows(subscription.type_url):
            return super()._batch(subscription, now)
        return None

    def _knows(self, type_url: str) -> bool:
        snapshot = self.snapshot or EMPTY_SNAPSHOT
        return bool(snapshot.of(type_url)) or (type_url in snapshot.by_type and type_url not in NEVER_EMPTIED)


class LocalServer(AdsServer):
    """An AdsServer for the Envoy of node id `node_id`, and for no other; delta ADS only."""

    def __init__(self, node_id: str, *, limits: SessionLimits = LIMITS) -> None:
        """Show nothing yet. Make it inside the event loop that it runs in."""
        super().__init__(self._snapshot_for, on_change=self._on_stream, limits=limits)
        self._node_id = node_id
        self._shown = EMPTY_SNAPSHOT
        self._changed = asyncio.Event()

    def show(self, snapshot: Snapshot) -> None:
        """Let Envoy have `snapshot` from now on."""
        self._shown = snapshot
        self.push()

    async def acknowledged(self, type_url: str) -> Mapping[str, str]:
        """Return once Envoy has all that is shown of a type, for as long as that takes.

        Name -> reason of what it refuses; that counts as had. An Envoy that isn't connected has nothing.
        """
        loop = asyncio.get_running_loop()
        late = loop.call_later(
            LATE_SECONDS, log.warning, "Envoy hasn't acknowledged %s; waiting on", type_url
        )
        try:
            while not self._has(type_url):
                await self._changed.wait()
        finally:
            late.cancel()
        subscription = self._subscriptions().get(type_url)
        return {} if subscription is None else subscription.refusals()

    def complete(self) -> bool:
        """Say whether there is all that Envoy asks for by name: the routes of its scopes, for one."""
        return all(
            lane.names <= self._shown.of(lane.type_url).keys() for lane in self._subscriptions().values()
        )

    def _has(self, type_url: str) -> bool:
        lanes, shown = self._subscriptions(), self._shown
        given = all(other in lanes and shown.of(other) for other in ASKED_FOR[type_url])
        if not lanes or not given:
            return False
        return all(
            lanes[other].in_step and lanes[other].current is shown.of(other)
            for other in IN_STEP[type_url]
            if other in lanes and other in shown.by_type
        )

    def _subscriptions(self) -> Mapping[str, Subscription]:
        """Return what Envoy's newest stream asks for; an older one is of a connection that is lost."""
        session = next((stream.session for stream in reversed(self._streams.values())), None)
        return session.subscriptions if isinstance(session, DeltaSession) else {}

    def _snapshot_for(self, node: Node) -> Snapshot:
        if node.id != self._node_id:
            raise BadNode(f"this relay serves the sidecar {self._node_id}, not {node.id}")
        return self._shown

    def _on_stream(self, _: int) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def _serve(
        self,
        make_session: Callable[[Snapshot | None, SessionLimits], DeltaSession | SotwSession],
        parse: Callable[[bytes], Any],
        _to_bytes: Callable[[Any], bytes],
        requests: object,
        context: grpc.aio.ServicerContext[bytes, bytes],
    ) -> None:
        if make_session is not DeltaSession:
            await context.abort(grpc.StatusCode.UNIMPLEMENTED, "a relay speaks delta ADS")
        await super()._serve(PatientSession, parse, delta_response, requests, context)
