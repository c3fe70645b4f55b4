"""Whatever the code of a model does while it loads, the host goes on, and says what happened."""

import asyncio

import numpy as np
import pytest

from lightbulb.host.errors import REASON_LIMIT, CannotLoad
from lightbulb.host.loader import Loader
from lightbulb.host.workflow import Inference, Supplies, Workflow
from lightbulb.model import RequestContext
from tests.ads.scripted_server import eventually
from tests.host.workflows import (
    DEADLINE,
    Echo,
    fails_its_check,
    fails_to_load,
    gate,
    slow_to_load,
    within_deadline,
)

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


def test_a_load_that_hangs_is_given_up_and_refused_until_its_thread_ends_while_others_load() -> None:
    async def scenario() -> None:
        loader = Loader(SHORT)
        with gate() as held:
            slow = slow_to_load(held)
            with pytest.raises(CannotLoad, match=r"it didn't load within 1 s"):
                await within_deadline(loader.build("slow@1", slow, NOTHING))
            with pytest.raises(CannotLoad, match="an earlier attempt hasn't ended yet; restart this host"):
                await loader.build("slow@1", slow, NOTHING)
            assert held.reached == 1
            assert isinstance(await loader.build("echo@1", Echo, NOTHING), Echo)
        await within_deadline(built(loader, slow))
        loader.close()

    asyncio.run(scenario())


async def built(loader: Loader, factory: type[Workflow]) -> Workflow:
    """Try until the earlier attempt has ended."""
    while True:
        try:
            return await loader.build("slow@1", factory, NOTHING)
        except CannotLoad:
            await asyncio.sleep(0.002)


def test_a_build_whose_caller_is_cancelled_is_given_up_too() -> None:
    async def scenario() -> None:
        loader = Loader(DEADLINE)
        with gate() as held:
            slow = slow_to_load(held)
            build = asyncio.create_task(loader.build("slow@1", slow, NOTHING))
            await eventually(lambda: held.reached, "the load to begin")
            build.cancel()
            assert isinstance(await within_deadline(loader.build("echo@1", Echo, NOTHING)), Echo)
            assert build.cancelled()
            with pytest.raises(CannotLoad, match="an earlier attempt"):
                await loader.build("slow@1", slow, NOTHING)
        assert await within_deadline(built(loader, slow))
        loader.close()

    asyncio.run(scenario())
