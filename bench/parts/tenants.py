"""Two tenants' consumers on one control plane, and who publishes for both: a host, sidecars, Lightbulbs.

All of it acknowledges at once, but what is said of the tenant `aside`: the host may go on loading its models,
or refuse them, and a sidecar may refuse its routes. What is timed is a publish of the other tenant.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import grpc.aio

from bench.parts.hosts import LONGEST_PAUSE
from bench.parts.lightbulbs import Unexpected
from bench.worker import answer_async
from bench.workspace import make_workspace
from lightbulb.ads.client.subscriber import Backoff, Subscriber, Update
from lightbulb.ads.values import ACTIVE_GENERATION, MODEL_ASSIGNMENT, SIDE_BY_SIDE, TENANTS, Node
from lightbulb.model import DEFAULT_TENANT
from lightbulb.sidecar.holdings import TYPES as SIDECAR_TYPES
from lightbulb.tables.feed import AFRESH, TYPES, Feed
from lightbulb.v1 import control_plane_pb2 as pb
from lightbulb.v1 import control_plane_pb2_grpc as pb_grpc

MODELS = 100
SHARD = "shard-0"
SIDECARS = 10
LIGHTBULBS = 3
ASIDE = "aside"
SECONDS = 120.0

FLEET = f"shards:\n  - {{name: {SHARD}, vip: vip-0, memory: 128GiB}}\n"
TENANTS_FILE = f"tenants:\n  - {{name: {DEFAULT_TENANT}, owner: home}}\n  - {{name: {ASIDE}, owner: aside}}\n"


def workspace_of(tenant: str, revision: int) -> Mapping[str, bytes]:
    """Return a tenant's files; nothing in them has a name that the other's has."""
    files = {path: body.decode() for path, body in make_workspace(MODELS, revision).files.items()}
    del files["fleet.yaml"]
    if tenant == ASIDE:
        for name, own in ((r"\bObjective(?=\d)", "Aside"), (r"\bmodel-", "aside-")):
            files = {path: re.sub(name, own, text) for path, text in files.items()}
    return {path: text.encode() for path, text in files.items()}


class Company:
    """Everybody who is connected. `trouble` is what goes wrong with the tenant `aside`: "", or one of these.

    "loads": its models never finish. "fails": the host refuses them. "refuses": a sidecar refuses its routes.
    """

    def __init__(self, target: str) -> None:
        self.trouble = ""
        self._target = target
        self._released = asyncio.Event()
        self._released.set()
        self._feeds = [Feed() for _ in range(LIGHTBULBS)]
        self._news = asyncio.Condition()
        self._revisions = dict.fromkeys((DEFAULT_TENANT, ASIDE), 0)
        self._running: set[asyncio.Task[None]] = set()
        self._channel = grpc.aio.insecure_channel(target)
        self._stub = pb_grpc.ControlPlaneStub(self._channel)

    async def start(self) -> None:
        """Connect everybody, and have something active for both tenants."""
        place = {"shard": SHARD, "address": "127.0.0.1", "port": "9", "memory_mib": str(128 * 1024)}
        host = Node(id="host", cluster=SHARD, metadata={"kind": "host", SIDE_BY_SIDE: "1", **place})
        self._subscribe(host, (MODEL_ASSIGNMENT,), self._load, side_by_side=(MODEL_ASSIGNMENT,))
        for number in range(SIDECARS):
            node = Node(id=f"sidecar/{number}", metadata={"kind": "sidecar", "listen_port": "8080"})
            self._subscribe(node, SIDECAR_TYPES, self._refuse_routes if number == 0 else _take)
        for number, feed in enumerate(self._feeds):
            node = Node(id=f"lightbulb/{number}", metadata={"kind": "lightbulb", TENANTS: "1"})
            self._subscribe(node, TYPES, self._feeding(feed), afresh=AFRESH, opened=feed.open_stream)
        await self._publish("platform", {"fleet.yaml": FLEET.encode(), "tenants.yaml": TENANTS_FILE.encode()})
        for tenant in self._revisions:
            await self.publish(tenant)
            await self._settled(tenant)

    async def publish(self, tenant: str) -> int:
        """Publish something new for a tenant; return the number, once it is accepted."""
        self._revisions[tenant] += 1
        return await self._publish(tenant, workspace_of(tenant, self._revisions[tenant]))

    async def measure(self, trouble: str, times: int) -> dict[str, Any]:
        """Return the seconds that each of some publishes took until the last Lightbulb had switched.

        "took" is from its acceptance, "called" from the call: compiling is in that, and whoever publishes
        right after another finds no compiler that waits ready.
        """
        self.trouble = trouble
        if trouble == "loads":
            self._released.clear()
            await self.publish(ASIDE)
            await self._phase(ASIDE, pb.PHASE_LOADING)
        took: list[float] = []
        called: list[float] = []
        try:
            for _ in range(times):
                withdrawn = await self.publish(ASIDE) if trouble in {"fails", "refuses"} else 0
                accepted, asked = await self._timed()
                took.append(accepted)
                called.append(asked)
                await self._settled(DEFAULT_TENANT)
                if withdrawn:
                    await self._withdrawn(withdrawn)
            if trouble == "loads" and (await self._lane(ASIDE)).phase != pb.PHASE_LOADING:
                raise Unexpected(f"{ASIDE} loads no more: {await self._lane(ASIDE)}")
        finally:
            self.trouble = ""
            self._released.set()
            await self._settled(ASIDE)
        return {"took": took, "called": called}

    async def _timed(self) -> tuple[float, float]:
        began = time.time()
        number = await self.publish(DEFAULT_TENANT)

        def there() -> bool:
            return all(feed.tables.generations[DEFAULT_TENANT].number == number for feed in self._feeds)

        async with asyncio.timeout(SECONDS), self._news:
            await self._news.wait_for(there)
        switched = time.time()
        log = await self._stub.GetHistory(pb.GetHistoryRequest(limit=1, before=number + 1), timeout=SECONDS)
        return switched - log.entries[0].published_at, switched - began

    async def _publish(self, tenant: str, files: Mapping[str, bytes]) -> int:
        listed = [pb.WorkspaceFile(path=path, content=body) for path, body in files.items()]
        request = pb.PublishRequest(files=listed, tenant=tenant)
        answer = await self._stub.Publish(request, timeout=SECONDS, wait_for_ready=True)
        if answer.problems or answer.unchanged:
            raise Unexpected(f"publish of {tenant}: {answer}")
        return int(answer.generation)

    async def _lane(self, tenant: str) -> pb.GetStatusResponse:
        return await self._stub.GetStatus(pb.GetStatusRequest(tenant=tenant), timeout=SECONDS)

    async def _settled(self, tenant: str) -> None:
        await self._phase(tenant, pb.PHASE_SETTLED)

    async def _phase(self, tenant: str, phase: int) -> None:
        await self._until(tenant, lambda lane: lane.phase == phase)

    async def _withdrawn(self, number: int) -> None:
        await self._until(ASIDE, lambda lane: lane.failed_generation == number)
        await self._settled(ASIDE)

    async def _until(self, tenant: str, there: Callable[[pb.GetStatusResponse], bool]) -> None:
        lane = None
        watch = self._stub.Watch(pb.WatchRequest(tenant=tenant))
        try:
            async with asyncio.timeout(SECONDS):
                async for lane in watch:
                    if there(lane):
                        return
        except TimeoutError as error:
            raise Unexpected(f"{tenant} doesn't come to it: {lane}") from error
        finally:
            watch.cancel()  # left to itself, it would go on until it is collected

    async def _load(self, update: Update) -> Mapping[str, str]:
        own = [each.name for each in update.added if each.name.startswith("aside-")]
        if own and self.trouble == "loads":
            await self._released.wait()
        return dict.fromkeys(own, "it can't be loaded") if self.trouble == "fails" else {}

    async def _refuse_routes(self, update: Update) -> Mapping[str, str]:
        own = [each.name for each in update.added if each.name.startswith("Aside")]
        return dict.fromkeys(own, "no such filter") if self.trouble == "refuses" else {}

    def _feeding(self, feed: Feed) -> Callable[[Update], Awaitable[Mapping[str, str]]]:
        async def apply(update: Update) -> Mapping[str, str]:
            rejected = await feed.apply(update)
            if update.type_url == ACTIVE_GENERATION:
                async with self._news:
                    self._news.notify_all()
            return rejected

        return apply

    def _subscribe(
        self,
        node: Node,
        types: tuple[str, ...],
        apply: Callable[[Update], Awaitable[Mapping[str, str]]],
        **more: Any,
    ) -> None:
        subscriber = Subscriber(
            target=self._target,
            node=node,
            types=types,
            apply=apply,
            backoff=Backoff(limit=LONGEST_PAUSE),
            **more,
        )
        self._running.add(asyncio.create_task(subscriber.run()))


async def _take(_: Update) -> Mapping[str, str]:
    return {}


async def main() -> None:
    logging.disable(logging.WARNING)
    companies: list[Company] = []

    async def handle(*, do: str, **how: Any) -> dict[str, Any]:
        if do == "start":
            companies.append(Company(**how))
            await companies[0].start()
            return {}
        return await companies[0].measure(**how)

    await answer_async(handle)


if __name__ == "__main__":
    asyncio.run(main())
