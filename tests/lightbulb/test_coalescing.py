"""What many threads or tasks ask at once leaves as one call, and nobody is hurt by another."""

import asyncio
import math
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from lightbulb.client import BlockingLightbulbClient, LightbulbError, Origin, Remember
from lightbulb.errors import TimedOut, Unavailable, UnknownObjective
from lightbulb.rpc.messages import MAX_BATCH
from tests.lightbulb.tables import OBJECTIVE
from tests.lightbulb.test_remembering import SPARE, USER, Both, client, lightbulb
from tests.waiting import SECONDS, eventually, until


@pytest.fixture(params=[True, False], ids=["threads", "asyncio"])
def blocking(request: pytest.FixtureRequest) -> bool:
    return request.param


@pytest.fixture(params=[None, Remember()], ids=["plain", "remembers"])
def remember(request: pytest.FixtureRequest) -> Remember | None:
    return request.param


@pytest.fixture(autouse=True)
def _patient(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a call that is under way waited for, however slow this machine is."""
    if "test_a_call_that_stands_still" not in request.node.name:
        monkeypatch.setattr("lightbulb.client.departures.SLOW_SECONDS", SECONDS)


def waiting(asking: Both, blocking: bool) -> int:
    """Return how many requests haven't left."""
    calls = asking._made._calls if blocking else asking._made._calls().coalescing
    return len(calls._departures)


def test_what_comes_while_a_call_is_under_way_leaves_as_one(
    blocking: bool, remember: Remember | None
) -> None:
    async def run() -> None:
        with lightbulb() as server:
            target = f"127.0.0.1:{server.port}"
            async with client(blocking, target, remember=remember) as asking:

                def ask(objective: str = OBJECTIVE, **rest: float) -> asyncio.Task:
                    nonlocal asked
                    asked += 1
                    user = replace(USER, user_id=f"user-{asked}")
                    return asyncio.create_task(asking.resolve(objective, user, **rest))

                asked = 0
                server.goes_on.clear()
                first = ask()
                await eventually("the call", lambda: server.calls == 1)
                with pytest.raises(TimedOut):
                    await ask(timeout=0.01)
                given_up, lost, *others = ask(), ask("Nothing"), *(ask() for _ in range(2))
                asked_on = 0 if remember is None else 1  # what one gave up on may be remembered
                await eventually("who waits", lambda: waiting(asking, blocking) == 4 + asked_on)
                given_up.cancel()
                server.goes_on.set()
                answers = await asyncio.gather(first, *others)
                with pytest.raises(UnknownObjective, match="unknown objective 'Nothing'"):
                    await lost
                assert (await ask()).origin is Origin.LIGHTBULB
        assert {each.origin for each in answers} == {Origin.LIGHTBULB}
        assert server.calls == 3

    asyncio.run(run())


def test_a_call_that_stands_still_holds_up_nobody(blocking: bool) -> None:
    async def run() -> None:
        with lightbulb() as server:
            async with client(blocking, f"127.0.0.1:{server.port}", remember=None) as asking:
                server.goes_on.clear()
                both = [asyncio.create_task(asking.resolve(OBJECTIVE, USER)) for _ in range(2)]
                await eventually("a call beside", lambda: server.calls == 2)
                server.goes_on.set()
                await asyncio.gather(*both)

    asyncio.run(run())


def test_who_waits_as_the_client_is_closed_is_told_so(blocking: bool) -> None:
    async def run() -> None:
        with lightbulb() as server:
            async with client(blocking, f"127.0.0.1:{server.port}", remember=None) as asking:
                server.goes_on.clear()
                first = asyncio.create_task(asking.resolve(OBJECTIVE, USER))
                await eventually("the call", lambda: server.calls == 1)
                second = asyncio.create_task(asking.resolve(OBJECTIVE, USER))
                await eventually("who waits", lambda: waiting(asking, blocking) == 1)
                await asking.close()
                with pytest.raises(LightbulbError, match="closed"):
                    await second
                with pytest.raises(Unavailable) if blocking else pytest.raises(asyncio.CancelledError):
                    await first

    asyncio.run(run())


def test_one_too_many_has_the_fallback(blocking: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lightbulb.client.departures.MAX_WAITING", 0)

    async def run() -> None:
        async with client(blocking, "127.0.0.1:1", fallbacks=SPARE) as asking:
            answer = await asking.resolve(OBJECTIVE, USER)
        assert (answer.origin, answer.why.partition(":")[0]) == (Origin.DECLARED, "TooLarge")

    asyncio.run(run())


def test_two_thousand_threads_at_once_have_an_answer_each() -> None:
    with lightbulb() as server:
        target = f"127.0.0.1:{server.port}"
        with (
            BlockingLightbulbClient(target, timeout=SECONDS, fallbacks=SPARE) as asking,
            ThreadPoolExecutor(2_000) as pool,
        ):

            def ask(number: int) -> Origin:
                return asking.resolve(OBJECTIVE, replace(USER, user_id=f"user-{number}")).origin

            server.goes_on.clear()
            asked = pool.map(ask, range(2_000))
            until("all but the first to wait", lambda: len(asking._calls._departures) == 1_999)
            server.goes_on.set()
            origins = Counter(asked)
    assert origins == {Origin.LIGHTBULB: 2_000}
    assert server.calls == 1 + math.ceil(1_999 / MAX_BATCH)
