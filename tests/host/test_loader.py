"""Whatever the code of a model does while it loads, the host goes on, and says what happened."""

import asyncio

import numpy as np
import pytest

from lightbulb.host.errors import REASON_LIMIT, CannotLoad
from lightbulb.host.loader import MAX_LATE, Loader
from lightbulb.host.workflow import Inference, Supplies
from lightbulb.model import RequestContext
from tests.host.workflows import (
    DEADLINE,
    Echo,
    fails_its_check,
    fails_to_load,
    gate,
    slow_to_load,
    within_deadline,
)
from tests.waiting import eventually

NOTHING = Supplies(facts={}, models={})
SHORT = 1.0


def test_what_is_built_has_passed_its_own_check_and_answers() -> None:
    async def scenario() -> None:
        loader = Loader(DEADLINE)
        workflow = await loader.build("echo@1", Echo, NOTHING)
        request = Inference(context=RequestContext(user_id="u"), inputs={"numbers": np.array([7])})
        assert workflow.run(request)["numbers"].tolist() == [7]
        loader.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("make", [fails_to_load, fails_its_check])
@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError("the file is cut short"), "OSError: the file is cut short"),
        (SystemExit(3), "SystemExit: 3"),
        (KeyboardInterrupt("stop"), "KeyboardInterrupt: stop"),
        (StopIteration("over"), "StopIteration: over"),
        (asyncio.CancelledError("cancelled"), "CancelledError: cancelled"),
        (ValueError("two\n  lines"), "ValueError: two lines"),
        (ValueError("not \udcff Unicode"), "ValueError: not ? Unicode"),
        (ValueError("x" * 9_000), "ValueError: x"),
    ],
    ids=lambda each: type(each).__name__ if isinstance(each, BaseException) else each,
)
def test_whatever_its_code_raises_is_the_reason_and_the_next_model_is_built(
    make, error: BaseException, reason: str
) -> None:
    async def scenario() -> None:
        loader = Loader(DEADLINE)
        with pytest.raises(CannotLoad) as refused:
            await loader.build("bad@1", make(error), NOTHING)
        assert str(refused.value).startswith(reason)
        assert len(str(refused.value)) <= REASON_LIMIT + 1
        assert isinstance(await loader.build("echo@1", Echo, NOTHING), Echo)
        loader.close()

    asyncio.run(scenario())


def test_a_load_that_takes_too_long_is_refused_and_the_next_attempt_takes_it_over_while_others_load() -> None:
    async def scenario() -> None:
        loader = Loader(SHORT)
        with gate() as held:
            slow = slow_to_load(held)
            for _ in range(2):
                with pytest.raises(CannotLoad, match=r"it didn't load within 1 s; it goes on"):
                    await within_deadline(loader.build("slow@1", slow, NOTHING))
                assert isinstance(await loader.build("echo@1", Echo, NOTHING), Echo)
            taken_over = asyncio.create_task(loader.build("slow@1", slow, NOTHING))
            await asyncio.sleep(0)
            held.open()
            assert isinstance(await within_deadline(taken_over), slow)
            assert held.reached == 1
        loader.close()

    asyncio.run(scenario())


def test_what_was_loaded_too_late_is_kept_for_the_next_attempt_and_not_for_ever() -> None:
    async def scenario() -> None:
        kept = 0.2
        loader = Loader(SHORT, kept=kept)
        with gate() as held:
            slow = slow_to_load(held)
            with pytest.raises(CannotLoad):
                await loader.build("slow@1", slow, NOTHING)
            held.open()
            await eventually("it to be let go of", lambda: loader.late == ())
            assert isinstance(await loader.build("slow@1", slow, NOTHING), slow)
            assert held.reached == 2
        loader.close()

    asyncio.run(scenario())


def test_a_load_that_failed_too_late_is_begun_anew() -> None:
    async def scenario() -> None:
        loader = Loader(SHORT)
        with gate() as held:

            class Fails(slow_to_load(held)):
                def __init__(self, supplies: Supplies) -> None:
                    super().__init__(supplies)
                    if held.reached == 1:
                        raise OSError("the file is cut short")

            with pytest.raises(CannotLoad, match="it goes on"):
                await loader.build("slow@1", Fails, NOTHING)
            held.open()
            await eventually("it to fail", lambda: loader.late == ())
            assert isinstance(await loader.build("slow@1", Fails, NOTHING), Fails)
        loader.close()

    asyncio.run(scenario())


def test_a_load_with_other_supplies_is_not_taken_over() -> None:
    async def scenario() -> None:
        loader = Loader(SHORT)
        with gate() as held:
            slow = slow_to_load(held)
            with pytest.raises(CannotLoad):
                await loader.build("slow@1", slow, NOTHING)
            other = asyncio.create_task(loader.build("slow@1", slow, Supplies(facts={"f": int}, models={})))
            await eventually("a load of its own", lambda: held.reached == 2)
            held.open()
            assert isinstance(await within_deadline(other), slow)
        loader.close()

    asyncio.run(scenario())


def test_loads_that_never_end_hold_a_bounded_number_of_threads_and_others_wait_for_one() -> None:
    async def scenario() -> None:
        loader = Loader(0.1)
        with gate() as held:
            slow = slow_to_load(held)
            for number in range(MAX_LATE):
                with pytest.raises(CannotLoad, match="it goes on"):
                    await loader.build(f"slow@{number}", slow, NOTHING)
            names = ", ".join(f"slow@{number}" for number in range(MAX_LATE))
            with pytest.raises(CannotLoad, match=f"loads that took too long are still running: {names}"):
                await loader.build("echo@1", Echo, NOTHING)
            assert held.reached == MAX_LATE
        await eventually("one to end", lambda: not loader.running)
        assert isinstance(await loader.build("echo@1", Echo, NOTHING), Echo)
        loader.close()

    asyncio.run(scenario())


def test_a_build_whose_caller_is_cancelled_is_taken_over_too() -> None:
    async def scenario() -> None:
        loader = Loader(DEADLINE)
        with gate() as held:
            slow = slow_to_load(held)
            build = asyncio.create_task(loader.build("slow@1", slow, NOTHING))
            await eventually("the load to begin", lambda: held.reached)
            build.cancel()
            assert isinstance(await within_deadline(loader.build("echo@1", Echo, NOTHING)), Echo)
            assert build.cancelled()
            held.open()
            assert isinstance(await within_deadline(loader.build("slow@1", slow, NOTHING)), slow)
            assert held.reached == 1
        loader.close()

    asyncio.run(scenario())
