"""What clients are given that can't work, and where they are made: it works, or an error says what to do."""

import asyncio

import pytest

from lightbulb.client import Answer, BlockingLightbulbClient, LightbulbClient, LightbulbError, Query
from lightbulb.errors import InvalidContext
from lightbulb.model import RequestContext
from tests.lightbulb.lightbulb_server import serving
from tests.lightbulb.tables import OBJECTIVE

NOBODY = "127.0.0.1:1"
USER = RequestContext(user_id="u")


@pytest.mark.parametrize(
    ("value", "remedy"),
    [
        (None, "is None; leave it out"),
        ({1, 2}, "send one attribute for each part"),
        ({"a": 1}, "send one attribute for each part"),
        (b"x", "decode it"),
        (float("nan"), "a number is finite; leave it out"),
        (float("-inf"), "a number is finite; leave it out"),
        (10**5000, "beyond 64 bits; send it as a text"),
        (2**63, "beyond 64 bits; send it as a text"),
        ("\ud800", "send the whole one"),
        (object(), "convert it"),
    ],
    ids=lambda each: type(each).__name__,
)
def test_a_value_that_a_context_cant_carry_is_named_before_any_call(value: object, remedy: str) -> None:
    context = RequestContext(user_id="u", attributes={"fine": 1, "bad": value})

    async def scenario() -> None:
        async with LightbulbClient(NOBODY) as client:
            with pytest.raises(InvalidContext, match=remedy) as caught:
                await client.resolve(OBJECTIVE, context)
            assert caught.value.path == "context.attributes['bad']"

    asyncio.run(scenario())
    with BlockingLightbulbClient(NOBODY) as client, pytest.raises(InvalidContext, match=remedy):
        client.resolve(OBJECTIVE, context)


@pytest.mark.parametrize(
    ("value", "remedy"),
    [
        ([1, [2]], "a list of them: send one attribute for each part"),
        (("a", None), "leave it out"),
        (["a", float("nan")], "a number is finite"),
    ],
)
def test_an_element_that_a_list_cant_carry_is_named(value: object, remedy: str) -> None:
    context = RequestContext(user_id="u", attributes={"bad": value})
    with BlockingLightbulbClient(NOBODY) as client, pytest.raises(InvalidContext, match=remedy) as caught:
        client.resolve(OBJECTIVE, context)
    assert caught.value.path == "context.attributes['bad'][1]"


def test_fields_that_are_no_texts_are_named() -> None:
    with BlockingLightbulbClient(NOBODY) as client:
        for context, path in (
            (RequestContext(user_id=7), "context.user_id"),
            (RequestContext(user_id="u", country=None), "context.country"),
            (RequestContext(user_id="u", attributes=None), "context.attributes"),
        ):
            with pytest.raises(InvalidContext) as caught:
                client.resolve(OBJECTIVE, context)
            assert caught.value.path == path


def test_a_query_that_cant_be_written_fails_alone() -> None:
    bad = Query(objective=OBJECTIVE, context=RequestContext(user_id="u", attributes={"x": None}))
    good = Query(objective=OBJECTIVE, context=USER)

    async def scenario() -> None:
        async with serving() as target, LightbulbClient(target, timeout=60.0) as client:
            kinds = [type(each) for each in await client.resolve_many([good, bad, good])]
            assert kinds == [Answer, InvalidContext, Answer]
            assert [type(each) for each in await client.resolve_many([bad])] == [InvalidContext]

    asyncio.run(scenario())


def test_a_client_made_outside_a_loop_works_in_one_loop_after_the_other() -> None:
    client = LightbulbClient("127.0.0.1:1", timeout=60.0)

    async def scenario() -> None:
        with pytest.raises(LightbulbError, match=r"refused|connect"):
            await client.resolve(OBJECTIVE, USER)

    asyncio.run(scenario())
    asyncio.run(scenario())


def test_a_client_in_use_in_another_loop_and_one_that_is_closed_say_so() -> None:
    async def scenario() -> None:
        client = LightbulbClient(NOBODY, timeout=60.0)
        with pytest.raises(LightbulbError):
            await client.resolve(OBJECTIVE, USER)
        with pytest.raises(LightbulbError, match="another event loop; make one for each loop"):
            await asyncio.to_thread(asyncio.run, client.resolve(OBJECTIVE, USER))
        await client.close()
        with pytest.raises(LightbulbError, match="closed; make another"):
            await client.resolve(OBJECTIVE, USER)

    asyncio.run(scenario())
    blocking = BlockingLightbulbClient(NOBODY)
    blocking.close()
    with pytest.raises(LightbulbError, match="closed; make another"):
        blocking.resolve(OBJECTIVE, USER)
