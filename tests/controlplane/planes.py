"""Control planes in this process: on a real store, with their API and their streams on a real port."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import grpc.aio
import pytest
from google.rpc import status_pb2

from controlplane.app import ControlPlane, ControlPlaneSettings
from controlplane.replica.replica import Replica
from controlplane.rollout.state import Phase, Policy, Rollout
from controlplane.store.contract import Store
from controlplane.store.open import open_store
from lightbulb.model import DEFAULT_TENANT
from lightbulb.rpc.details import TRAILER, ErrorInfo, error_info
from lightbulb.v1 import control_plane_pb2 as pb
from lightbulb.v1 import control_plane_pb2_grpc as pb_grpc
from tests.controlplane.peers import Peer
from tests.controlplane.workspaces import publish_request
from tests.waiting import eventually

DEADLINE = 60.0
"""Seconds that anything may take that is waited for; hardly any of it is ever needed."""

POLICY = Policy(loading=30, routing=30, unload=0.01, margin=0.01, reconnect=1, lease=5)
"""Nothing is withdrawn because this machine is busy; what is old goes soon."""


async def refused(call: Awaitable[Any]) -> tuple[grpc.StatusCode, str]:
    """Return the status and the text with which a call fails."""
    try:
        answer = await call
    except grpc.aio.AioRpcError as error:
        return error.code(), error.details() or ""
    raise AssertionError(f"it was answered: {answer}")


async def told(call: Awaitable[Any]) -> ErrorInfo:
    """Return what the details of a call that fails tell, and check that they say what the call says."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    error = caught.value
    trailers = dict(error.trailing_metadata())
    found = status_pb2.Status.FromString(trailers[TRAILER])
    assert (found.code, found.message) == (error.code().value[0], error.details())
    info = error_info(tuple(trailers.items()))
    assert info is not None
    return info


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    """Run a scenario to its end, and fail also for what failed on the side."""

    async def whole() -> list[str]:
        on_the_side: list[str] = []
        loop = asyncio.get_running_loop()
        # Each control plane has threads that wait for its store; there may be more of them than processors.
        loop.set_default_executor(ThreadPoolExecutor(32))
        loop.set_exception_handler(lambda _, context: on_the_side.append(str(context)))
        await asyncio.wait_for(scenario(), 3 * DEADLINE)
        gc.collect()
        return on_the_side

    assert asyncio.run(whole()) == []


class Plane:
    """A control plane that runs, and a client of its API. It closes its store."""

    def __init__(self, store: Store, *, name: str = "one", policy: Policy = POLICY, port: int = 0) -> None:
        self.store = store
        settings = ControlPlaneSettings(
            address=f"127.0.0.1:{port}", store="", replica=name, policy=policy, grace=1.0
        )
        self.control_plane = ControlPlane(settings, store)
        self.running = False

    @property
    def replica(self) -> Replica:
        return self.control_plane.replica

    @property
    def port(self) -> int:
        return self.control_plane.port

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def rollout(self) -> Rollout:
        return self.rollout_of(DEFAULT_TENANT)

    def rollout_of(self, tenant: str) -> Rollout:
        """Where a tenant's rollout stands, as far as this replica knows."""
        rollout = self.replica.known.lanes.of(tenant)
        assert rollout is not None, "nothing was ever published"
        return rollout

    @property
    def version(self) -> int:
        return self.replica.known.version

    async def start(self) -> None:
        await self.control_plane.start()
        self.running = True
        self.channel = grpc.aio.insecure_channel(self.target, options=[("grpc.use_local_subchannel_pool", 1)])
        self.stub = pb_grpc.ControlPlaneStub(self.channel)

    async def stop(self) -> None:
        """End it in order."""
        if self.running:
            self.running = False
            await self.channel.close()
            await self.control_plane.stop()
            await asyncio.to_thread(self.store.close)

    async def kill(self) -> None:
        """End it as kill -9 does: it gives up no lease, and says nothing to anybody; its streams break."""
        if self.running:
            self.running = False
            await self.channel.close()
            self.control_plane._running.cancel()
            await asyncio.wait({self.control_plane._running})
            await self.control_plane._compilers.stop()
            await self.control_plane._server.stop(None)
            await self.replica.ads.close()
            await asyncio.to_thread(self.store.close)

    async def publish(self, version: int | str, **changes: object) -> pb.PublishResponse:
        return await self.stub.Publish(publish_request(version, **changes), timeout=DEADLINE)

    async def published(self, version: int | str, **changes: object) -> int:
        """Publish, and return the number once it is active."""
        response = await self.publish(version, **changes)
        assert not response.problems
        await self.active(response.generation)
        return response.generation

    async def roll_back(self, number: int = 0, **more: object) -> pb.RollbackResponse:
        request = pb.RollbackRequest(generation=number, author="bob", **more)
        return await self.stub.Rollback(request, timeout=DEADLINE)

    async def pin(self, number: int, **more: object) -> list[int]:
        request = pb.PinRequest(generation=number, author="bob", **more)
        return list((await self.stub.Pin(request, timeout=DEADLINE)).pinned)

    async def shift(
        self,
        verb: str = "start",
        objective: str = "Ranking",
        *,
        request_id: str = "",
        message: str = "",
        **start: Any,
    ) -> pb.ShiftResponse:
        """Start a shift with what `start` says, or do to it what `verb` says."""
        request = pb.ShiftRequest(objective=objective, author="bob", request_id=request_id, message=message)
        if verb == "start":
            request.start.CopyFrom(pb.StartShift(**start))
        else:
            request.verb = getattr(pb, f"SHIFT_VERB_{verb.upper()}")
        return await self.stub.Shift(request, timeout=DEADLINE)

    async def shadow(
        self,
        model: str = "next",
        objective: str = "Ranking",
        *,
        tenant: str = "",
        request_id: str = "",
        **start: Any,
    ) -> pb.ShadowResponse:
        """Start a shadow with what `start` says: of a tenth of the requests, if it says nothing of that."""
        settings = {"basis_points": 1_000} | start
        request = pb.ShadowRequest(objective=objective, author="bob", tenant=tenant, request_id=request_id)
        request.start.CopyFrom(pb.StartShadow(model=model, **settings))
        return await self.stub.Shadow(request, timeout=DEADLINE)

    async def set_shadow(
        self, model: str = "", objective: str = "Ranking", **change: Any
    ) -> pb.ShadowResponse:
        """Give shadows other settings; without a model all of the objective's."""
        request = pb.ShadowRequest(objective=objective, author="bob")
        request.set.CopyFrom(pb.SetShadow(model=model, **change))
        return await self.stub.Shadow(request, timeout=DEADLINE)

    async def stop_shadow(self, model: str = "", objective: str = "Ranking") -> pb.ShadowResponse:
        """Stop shadows; without a model all of the objective's."""
        request = pb.ShadowRequest(objective=objective, author="bob")
        request.stop.CopyFrom(pb.StopShadow(model=model))
        return await self.stub.Shadow(request, timeout=DEADLINE)

    async def status(self) -> pb.GetStatusResponse:
        return await self.stub.GetStatus(pb.GetStatusRequest(), timeout=DEADLINE)

    async def consumers(self) -> dict[str, pb.Consumer]:
        return {each.node_id: each for each in (await self.status()).consumers}

    async def history(self, **page: int) -> list[pb.HistoryEntry]:
        return list((await self.stub.GetHistory(pb.GetHistoryRequest(**page), timeout=DEADLINE)).entries)

    async def events(self, limit: int = 1000) -> list[tuple[str, int]]:
        """Return what happened, and to which generation, the oldest first."""
        answer = await self.stub.GetEvents(pb.GetEventsRequest(limit=limit), timeout=DEADLINE)
        return [(each.action, each.generation) for each in reversed(answer.events)]

    async def phase(self, *phases: Phase) -> None:
        await eventually(f"{phases}, not {self.replica.known.lanes}", lambda: self.rollout.phase in phases)

    async def active(self, number: int) -> None:
        await eventually(f"generation {number} to be active", lambda: self.rollout.active == number)

    async def settled(self) -> None:
        await self.phase(Phase.SETTLED)

    async def knows(self, *peers: Peer) -> None:
        """Wait until everybody of `peers` is seen, here or at another replica."""
        wanted = {peer.id for peer in peers}
        await eventually(
            f"{wanted} to be seen",
            lambda: wanted <= {each.id for each in self.replica.consumers if not each.disconnected},
        )

    async def has_reported(self) -> None:
        """Wait until what this replica knows of its consumers is written down."""
        reports = self.replica._reports
        await eventually("the report", lambda: reports.is_written)

    def synced_since(self, name: str) -> float:
        """Return since when a consumer has nothing left to acknowledge."""
        return next(each.synced_since for each in self.replica.consumers if each.id == name)

    def refused(self) -> dict[str, set[str]]:
        """Return what each consumer refuses that refuses something, by its id."""
        consumers = self.replica.consumers
        return {each.id: {one.what for one in each.refusals} for each in consumers if each.refusals}

    async def synced(self, *peers: Peer) -> None:
        """Wait until this replica has an ACK of everything, and nothing more to send, from each."""

        def all_synced() -> bool:
            replica = self.replica
            there = {
                each.id
                for each in replica._tracker.consumers(replica.now, replica.policy)
                if each.synced_since and not (each.disconnected or each.waiting_for)
            }
            return replica._served is replica.known and there >= {peer.id for peer in peers}

        await eventually(f"{[peer.id for peer in peers]} to be synced", all_synced)


@contextlib.asynccontextmanager
async def plane(store: Store | str, **settings: Any) -> AsyncIterator[Plane]:
    """Run a control plane on a store, or on that at a URL."""
    opened = await asyncio.to_thread(open_store, store, "tests") if isinstance(store, str) else store
    it = Plane(opened, **settings)
    await it.start()
    try:
        yield it
    finally:
        await it.stop()


@contextlib.asynccontextmanager
async def system(store: Store | str, peers: Iterable[Peer], **settings: Any) -> AsyncIterator[Plane]:
    """Run a control plane, and consumers on it."""
    peers = tuple(peers)
    async with plane(store, **settings) as it:
        try:
            for peer in peers:
                await peer.connect(it.target)
            yield it
        finally:
            for peer in peers:
                await peer.disconnect()
