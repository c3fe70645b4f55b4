"""Lightbulbs without their service: the real feeds; and who publishes and rolls back.

Both are in this process, so that what is timed begins and ends here.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Any

import grpc.aio

from bench.machine import Meter, cpu_seconds
from bench.parts.hosts import LONGEST_PAUSE
from bench.worker import answer_async
from bench.workspace import make_platform, make_workspace, objective_of, shifted_to
from controlplane.model import PLATFORM, Workspace
from lightbulb.ads.client.subscriber import Backoff, Subscriber, Update
from lightbulb.ads.values import ACTIVE_GENERATION, CONTROLS, OBJECTIVE_CONTROL, TENANTS, Node
from lightbulb.model import DEFAULT_TENANT
from lightbulb.open_files import raise_limit
from lightbulb.tables.feed import AFRESH, TYPES, Feed
from lightbulb.tables.values import NO_ACTIVE
from lightbulb.v1 import control_plane_pb2 as pb
from lightbulb.v1 import control_plane_pb2_grpc as pb_grpc

PUBLISH_SECONDS = 240.0
SWITCH_SECONDS = 240.0
SETTLE_SECONDS = 60.0
LOOK_SECONDS = 0.1
EVENTS = 500
"""That are looked at: more than a publish of a hundred tenants makes."""

FEW_EVENTS = 50
"""One publish has fewer: to ask for all that others did would cost what is measured."""

REST_SECONDS = 2.0
REST_SHARE = 0.1
"""Of a core."""

STEPS = 19
"""That are taken one after the other: a schedule has one more at most."""

OPTIONS = (("grpc.max_send_message_length", -1),)


class Unexpected(Exception):
    """A publish or a rollback that didn't become what it should have."""


class Lightbulbs:
    """Feeds that note when each of them switched, and the control plane that they are at."""

    def __init__(self) -> None:
        self._feeds: list[Feed] = []
        self._switched: dict[Feed, float] = {}
        self._share = 0
        self._running: set[asyncio.Task[None]] = set()
        self._news = asyncio.Condition()
        self._target = ""

    def start(self, target: str, count: int) -> None:
        self._target = target
        for number in range(count):
            feed = Feed()
            self._feeds.append(feed)
            self._running.add(asyncio.create_task(self._subscriber(feed, number).run()))

    async def publish(self, pid: int, models: int, revision: int, tenant: str) -> dict[str, Any]:
        """Publish a workspace; return what it took the process `pid`, once nothing is left to be done.

        It is accepted when it is evaluated, compiled, planned and kept; "CPU" and "time" are from then until
        the last Lightbulb has switched, and "CPU afterwards" is until what is replaced has left.
        """
        request = _request(make_workspace(models, revision, tenant), tenant)
        async with grpc.aio.insecure_channel(self._target, options=OPTIONS) as channel:
            stub = pb_grpc.ControlPlaneStub(channel)
            with Meter(pid) as meter:
                asked = time.time()
                answer = await stub.Publish(request, timeout=PUBLISH_SECONDS)
                if answer.problems or answer.unchanged:
                    raise Unexpected(f"publish: {answer}")
                active = await self._all_at(answer.generation, tenant)
                settled = await _settled(stub, answer.generation, FEW_EVENTS)
            entry = (await stub.GetHistory(pb.GetHistoryRequest(limit=1))).entries[0]
        accepted_cpu, active_cpu, settled_cpu = map(meter.cpu_at, (entry.published_at, active, settled))
        return {
            "generation": answer.generation,
            "time until accepted": entry.published_at - asked,
            "CPU": active_cpu - accepted_cpu,
            "time": active - entry.published_at,
            "CPU afterwards": settled_cpu - active_cpu,
        }

    async def publish_platform(self, models: int, tenants: list[str]) -> dict[str, Any]:
        """Publish the platform's part, for tenants of so many models each."""
        workspace = make_platform(models * len(tenants), tenants)
        async with grpc.aio.insecure_channel(self._target, options=OPTIONS) as channel:
            stub = pb_grpc.ControlPlaneStub(channel)
            answer = await stub.Publish(_request(workspace, PLATFORM), timeout=PUBLISH_SECONDS)
        if answer.problems:
            raise Unexpected(f"publish: {answer}")
        return {}

    async def publish_all(self, models: int, revision: int, tenants: list[str]) -> dict[str, Any]:
        """Publish for every tenant at once; return once nothing is left to be done.

        One that is refused for haste tries again.
        """
        async with grpc.aio.insecure_channel(self._target, options=OPTIONS) as channel:
            stub = pb_grpc.ControlPlaneStub(channel)

            async def publish(tenant: str) -> int:
                request = _request(make_workspace(models, revision, tenant), tenant)
                while True:
                    try:
                        answer = await stub.Publish(request, timeout=PUBLISH_SECONDS)
                    except grpc.aio.AioRpcError as error:
                        if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED:
                            raise
                        await asyncio.sleep(LOOK_SECONDS)
                        continue
                    if answer.problems or answer.unchanged:
                        raise Unexpected(f"publish: {answer}")
                    return answer.generation

            numbers = await asyncio.gather(*map(publish, tenants))
            for tenant, number in zip(tenants, numbers, strict=True):
                await self._all_at(number, tenant)
            for number in numbers:
                await _settled(stub, number, EVENTS)
        return {}

    async def roll_back(self, pid: int, times: int) -> dict[str, Any]:
        """Roll back and forth, `times` times, each once the process `pid` is at rest.

        Return the seconds that each took until the last Lightbulb had switched, and the CPU seconds that
        all of it took the process.
        """
        took: list[float] = []
        cpu = cpu_seconds(pid)
        async with grpc.aio.insecure_channel(self._target) as channel:
            stub = pb_grpc.ControlPlaneStub(channel)
            back = await self._other_generation(stub)
            for _ in range(times):
                began = time.time()
                request = pb.RollbackRequest(generation=back)
                answer = await stub.Rollback(request, timeout=SWITCH_SECONDS)
                if answer.unchanged or answer.on_its_way:
                    raise Unexpected(f"rollback: {answer}")
                took.append(await self._all_at(answer.generation) - began)
                back = answer.left
                await _rest(pid)
        return {"took": took, "CPU": cpu_seconds(pid) - cpu}

    async def shift(self, pid: int) -> dict[str, Any]:
        """Start a shift of the first objective; once it stands, give it a schedule and take all its steps.

        Return the seconds until the last Lightbulb obeyed, of the start or of each step, and the CPU seconds
        that all of it took the process. Each step begins once the process `pid` is at rest.
        """
        objective = objective_of(0)
        async with grpc.aio.insecure_channel(self._target) as channel:
            stub = pb_grpc.ControlPlaneStub(channel)

            async def ask(**what: Any) -> float:
                began = time.time()
                await stub.Shift(pb.ShiftRequest(objective=objective, **what), timeout=SWITCH_SECONDS)
                self._share += 1
                obeyed = await self._all_shift(objective, self._share)
                await _rest(pid)
                return obeyed - began

            def schedule(count: int) -> pb.StartShift:
                steps = range(self._share + 1, self._share + 1 + count)
                return pb.StartShift(model=shifted_to(0), steps=steps)

            if not self._share:
                return {"took": [await ask(start=schedule(1))]}
            await ask(start=schedule(STEPS + 1))
            cpu = cpu_seconds(pid)
            took = [await ask(verb=pb.SHIFT_VERB_STEP) for _ in range(STEPS)]
            return {"took": took, "CPU": cpu_seconds(pid) - cpu}

    async def _all_shift(self, objective: str, share: int) -> float:
        """Return when the last feed had come to a share of an objective's users, in basis points."""

        def there() -> bool:
            controls = (feed.tables.controls.get(objective) for feed in self._feeds)
            shifts = (control and control.shift for control in controls)
            return all(shift is not None and shift.basis_points == share for shift in shifts)

        try:
            async with asyncio.timeout(SWITCH_SECONDS), self._news:
                await self._news.wait_for(there)
        except TimeoutError as error:
            raise Unexpected(f"{objective}: not every Lightbulb shifts {share} of 10,000") from error
        return max(self._switched.values())

    @staticmethod
    async def _other_generation(stub: pb_grpc.ControlPlaneStub) -> int:
        """Return the generation that was active before: by its number, a rollback goes forth again too."""
        status = await stub.GetStatus(pb.GetStatusRequest(), timeout=SWITCH_SECONDS)
        return next(each for each in reversed(status.live_generations) if each != status.active_generation)

    async def _all_at(self, generation: int, tenant: str = "") -> float:
        """Return when the last feed had switched to a generation of a tenant."""

        def number(feed: Feed) -> int:
            return feed.tables.generations.get(tenant or DEFAULT_TENANT, NO_ACTIVE).number

        def there() -> bool:
            return all(number(feed) == generation for feed in self._feeds)

        try:
            async with asyncio.timeout(SWITCH_SECONDS), self._news:
                await self._news.wait_for(there)
        except TimeoutError as error:
            found = sorted({number(feed) for feed in self._feeds})
            raise Unexpected(f"generation {generation}: Lightbulbs are at {found} instead") from error
        return max(self._switched.values())

    def _subscriber(self, feed: Feed, number: int) -> Subscriber:
        async def apply(update: Update) -> Mapping[str, str]:
            rejected = await feed.apply(update)
            if update.type_url in {ACTIVE_GENERATION, OBJECTIVE_CONTROL}:
                self._switched[feed] = time.time()
                async with self._news:
                    self._news.notify_all()
            return rejected

        return Subscriber(
            target=self._target,
            node=Node(id=f"lightbulb/{number}", metadata={"kind": "lightbulb", TENANTS: "", CONTROLS: "1"}),
            types=TYPES,
            apply=apply,
            afresh=AFRESH,
            opened=feed.open_stream,
            backoff=Backoff(limit=LONGEST_PAUSE),
        )


def _request(workspace: Workspace, tenant: str) -> pb.PublishRequest:
    files = [pb.WorkspaceFile(path=path, content=body) for path, body in workspace.files.items()]
    return pb.PublishRequest(files=files, tenant=tenant)


async def _rest(pid: int) -> None:
    """Return when a process has nothing much to do, or after some seconds."""
    deadline = time.monotonic() + REST_SECONDS
    while time.monotonic() < deadline:
        cpu = cpu_seconds(pid)
        await asyncio.sleep(LOOK_SECONDS)
        if cpu_seconds(pid) - cpu < REST_SHARE * LOOK_SECONDS:
            return


async def _settled(stub: pb_grpc.ControlPlaneStub, generation: int, limit: int) -> float:
    """Return when nothing was left to do; raise Unexpected when somebody was passed over.

    Of the newest events, `limit` are looked at.
    """
    deadline = time.monotonic() + SETTLE_SECONDS
    while time.monotonic() < deadline:
        events = (await stub.GetEvents(pb.GetEventsRequest(limit=limit))).events
        own = {event.action: event for event in events if event.generation == generation}
        if "activated" in own and own["activated"].detail:
            raise Unexpected(f"generation {generation}: {own['activated'].detail}")
        if "settled" in own:
            return own["settled"].at
        await asyncio.sleep(LOOK_SECONDS)
    raise Unexpected(f"generation {generation} isn't settled after {SETTLE_SECONDS:g} s: {own}")


async def main() -> None:
    logging.disable(logging.WARNING)  # that the control plane isn't there yet
    raise_limit()
    lightbulbs = Lightbulbs()

    async def handle(*, do: str, **how: Any) -> dict[str, Any]:
        if do == "start":
            lightbulbs.start(**how)
        elif do == "publish":
            return await lightbulbs.publish(**how)
        elif do == "publish all":
            return await lightbulbs.publish_all(**how)
        elif do == "publish platform":
            return await lightbulbs.publish_platform(**how)
        elif do == "roll back":
            return await lightbulbs.roll_back(**how)
        elif do == "shift":
            return await lightbulbs.shift(**how)
        return {}

    await answer_async(handle)


if __name__ == "__main__":
    asyncio.run(main())
